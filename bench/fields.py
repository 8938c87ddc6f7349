"""Receptive fields against the gradient: real networks, layer by layer, and random graphs.

    OMP_NUM_THREADS=1 python bench/fields.py [--procs N]  # all networks, then 5,000 graphs
    OMP_NUM_THREADS=1 python bench/fields.py NAME…        # some networks; nothing is recorded

Of each network the last layer of each of five resolutions is checked, and a random sample of others
(seeds recorded), along both axes, on an image that is longer than the widest of their fields along
the tested axis and narrow along the other.  Layers whose field is too large for an image that this
could be computed on are left out, and their number is stated.
"""

from __future__ import annotations

import random
import sys
import time
import warnings
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from dataclasses import dataclass
from multiprocessing import get_context

import torch
from torch import nn

from common import command, commit, hardware, today, versions, write
from field_checks import Check, Image, Tapped, checks, hear
from field_nets import Make, networks
from random_graphs import IMAGE, Graph, drawn
from random_steps import STEPS
from record import Cell, Claim, Column, Record
from striate.records import Field
from striate.tracing.fields.reach import AXES
from striate.tracing.fields.report import field_of

SEED = 0
SAMPLED = 3
"""Layers of a network beside the last of every resolution."""

LONGEST, NARROW = 2560, (64, 96, 128, 224, 256)
"""Pixels along the tested axis at most, and along the other (the first that a network takes)."""

MOST_MACS = 1.2e9
"""Of one forward."""

GRAPHS, BLOCK = 5000, 500

Rows = list[dict[str, Cell]]


@dataclass(frozen=True)
class Heard:
    """A module's output: its path, its field at the size it was heard at."""

    path: str
    field: Field
    shape: tuple[int, ...]


def outputs_of(net: nn.Module, image: Image) -> tuple[list[Heard], int]:
    """Every module that puts out a tensor with a field, in order of execution; the MACs of all."""
    tapped = Tapped(net, [path for path, _ in net.named_modules() if path])
    try:
        reaches, macs = hear(tapped, image)
    finally:
        tapped.let_go()
    found: list[Heard] = []
    for path, reach in zip(tapped.order, reaches, strict=True):
        field = None if reach is None else field_of(reach)
        if reach is not None and field is not None:
            found.append(Heard(path, field, reach.shape))
    return found, macs


def chosen(heard: list[Heard], longest: int, choose: random.Random) -> tuple[list[str], int, int]:
    """Paths to check, pixels they need along an axis, and how many layers were too large."""
    fits: list[Heard] = []
    large = 0
    for one in heard:
        if one.field.status not in ("exact", "bound"):
            continue
        if needs(one.field) <= longest:
            fits.append(one)
        else:
            large += 1
    ends = {one.field.stride: one for one in fits if one.field.size != (1, 1)}
    paths = {one.path: needs(one.field) for one in list(ends.values())[-5:]}
    rest = [one for one in fits if one.path not in paths and one.field.size != (1, 1)]
    for one in choose.sample(rest, min(SAMPLED, len(rest))):
        paths[one.path] = needs(one.field)
    whole = [one for one in heard if one.field.status == "whole"]
    for one in choose.sample(whole, min(2, len(whole))):
        paths[one.path] = 0
    return list(paths), max(paths.values(), default=0), large


def needs(field: Field) -> int:
    """Pixels along an axis in which some element of this field is interior."""
    return max(field.size) + 3 * max(field.stride) + 2


class Unfit(Exception):
    """A network that takes no image on which its fields could be checked."""


@dataclass(frozen=True)
class Plan:
    """``paths``: the layers to check, on an image of ``long`` × ``narrow`` pixels.

    ``sized``: the network is made anew for that size.  ``large``: layers left out for their size.
    ``tries``: elements of a layer along an axis, fewer where one costs more.  ``net``: what was
    made to plan it.
    """

    paths: list[str]
    long: int
    narrow: int
    sized: bool
    large: int
    tries: int
    net: nn.Module


def planned(name: str, make: Make) -> Plan:
    """What to check of a network; Unfit where there is nothing.

    The narrowest image of which most fields are exact, or else the narrowest that it takes.
    """
    why, best = "no layer whose field is neither whole nor too large", None
    for narrow in NARROW:
        for sized in (False, True):
            nominal = (3, max(2 * narrow, 256), narrow)
            try:
                net = make(nominal[1:] if sized else None)
                heard, macs = outputs_of(net.eval(), nominal)
            except (RuntimeError, AssertionError, TypeError, ValueError, IndexError) as error:
                why = f"{type(error).__name__}: {error}"
                continue
            per_row = macs / nominal[1]
            longest = min(LONGEST, int(MOST_MACS / max(1, per_row)))
            paths, length, large = chosen(heard, longest, random.Random(f"{SEED} {name}"))
            if len(paths) < 2:
                continue
            unit = narrow if narrow > 128 else 64
            long = -(-max(length, 2 * narrow) // unit) * unit
            tries = 2 if per_row * long < 1e8 else 1
            plan = Plan(paths, long, narrow, sized, large, tries, net)
            statuses = [one.field.status for one in heard]
            if statuses.count("exact") >= statuses.count("bound"):
                return plan
            best = best or plan
            break
    if best is None:
        raise Unfit(why)
    return best


def checked(name: str, make: Make, plan: Plan) -> list[Check]:
    """Every comparison of a network's layers with the gradient, along both axes."""
    torch.manual_seed(SEED)
    found: list[Check] = []
    for axis in AXES:
        sides = (plan.long, plan.narrow) if axis == 0 else (plan.narrow, plan.long)
        module = Tapped(make(sides).eval() if plan.sized else plan.net, plan.paths)
        choose = random.Random(f"{SEED} {name} {axis}")
        found += checks(module, (3, *sides), axes=(axis,), tries=plan.tries, choose=choose)
        module.let_go()
    return found


def row_of(name: str, plan: Plan, found: list[Check]) -> dict[str, Cell]:
    """One network in the record."""
    kinds = {kind: {c.layer for c in found if c.kind == kind} for kind in ("exact", "bound")}
    return {
        "network": name,
        "image": f"{plan.long}×{plan.narrow}",
        "exact": len(kinds["exact"]),
        "bound": len(kinds["bound"] - kinds["exact"]),
        "whole": len({c.layer for c in found if c.kind == "whole"}),
        "large": plan.large,
        "widest": max((c.said[1] - c.said[0] + 1 for c in found if c.kind != "whole"), default=0),
        "ends": 2 * len(found),
        "wrong": sum(not c.holds for c in found),
    }


def measured(name: str) -> dict[str, Cell] | None:
    """A network's row; None, said on stderr, where no layer's field could be compared."""
    warnings.simplefilter("ignore")  # of other people's networks, when they are made
    torch.set_num_threads(1)
    make, began = networks()[name], time.monotonic()
    try:
        plan = planned(name, make)
    except Unfit as error:
        print(f"{name}: left out: {error}", file=sys.stderr)
        return None
    found = checked(name, make, plan)
    row = row_of(name, plan, found)
    for check in found:
        if not check.holds:
            print(f"{name}: {plan.paths} {check}", file=sys.stderr)
    print(*row.values(), f"{time.monotonic() - began:.1f} s", file=sys.stderr, flush=True)
    return row if row["exact"] or row["bound"] else None


def graphs(block: int) -> dict[str, Cell]:
    """A row for the random graphs of ``BLOCK`` seeds, from ``block * BLOCK`` on."""
    torch.set_num_threads(1)
    counts, wrong, shown = {"exact": 0, "bound": 0, "whole": 0}, 0, 0
    seeds = range(block * BLOCK, (block + 1) * BLOCK)
    for seed in seeds:
        torch.manual_seed(seed)
        found = list(checks(Graph(drawn(seed)), IMAGE, choose=random.Random(seed)))
        shown += bool(found)
        for check in found:
            counts[check.kind] += 1
            if not check.holds:
                wrong += 1
                print(f"graph {seed}: {check}", file=sys.stderr)
    print(f"graphs {seeds}: {counts}, {wrong} wrong", file=sys.stderr, flush=True)
    return {"seeds": f"{seeds[0]}–{seeds[-1]}", "graphs": BLOCK, "shown": shown, **counts,
            "wrong": wrong}  # fmt: skip


COLUMNS = (
    Column(key="exact", title="exact", shown="d"),
    Column(key="bound", title="bound", shown="d"),
    Column(key="whole", title="whole", shown="d"),
)
CLAIM = Claim(text="no end that is said to be exact is another, no bound too narrow",
              column="wrong", at_most=0)  # fmt: skip


def record(
    title: str, what: str, seeds: tuple[int, ...], columns: tuple[Column, ...], rows: Rows
) -> Record:
    """A record of one of the two measurements."""
    head, changed = commit()
    return Record(
        title=title,
        what=what,
        command=command(),
        commit=head,
        changed=changed,
        date=today(),
        hardware=hardware(),
        versions=versions(("torch", "timm", "torchvision")),
        seeds=seeds,
        columns=columns,
        rows=tuple(rows),
        claims=(CLAIM,),
    )


def of_networks(rows: Rows) -> Record:
    return record(
        "Receptive fields of real networks, against the gradient",
        "Layers of networks of timm, torchvision and striate's zoo whose receptive field is "
        "compared, at both ends and along both axes, with the pixels that have a non-zero "
        "derivative (positive weights, nonlinearities opened, squeeze gates held constant). The "
        "image is longer than the widest field along the tested axis. `exact`, `bound` and "
        "`whole` count layers by what was said of them; `too large` layers were left out, since "
        "an image that exceeds their field was too much to compute.",
        (SEED,),
        (
            Column(key="network", title="network"),
            Column(key="image", title="image", unit="px"),
            *COLUMNS,
            Column(key="large", title="too large", shown="d"),
            Column(key="widest", title="widest field", unit="px", shown=",d"),
            Column(key="ends", title="ends compared", shown=",d"),
            Column(key="wrong", title="wrong", shown="d"),
        ),
        rows,
    )


def of_graphs(rows: Rows) -> Record:
    return record(
        "Receptive fields of random graphs, against the gradient",
        f"Graphs of up to ten random steps out of {len(STEPS)} (`bench/random_steps.py`) with "
        "branches and joins, one for each seed. Of its last two maps, interior elements whose "
        "field ends before the image does are compared along both axes; `exact`, `bound` and "
        "`whole` count comparisons by what was said.",
        tuple(block * BLOCK for block in range(GRAPHS // BLOCK)),
        (
            Column(key="seeds", title="seeds"),
            Column(key="graphs", title="graphs", shown=",d"),
            Column(key="shown", title="with something to compare", shown=",d"),
            *COLUMNS,
            Column(key="wrong", title="wrong", shown="d"),
        ),
        rows,
    )


def main() -> None:
    options = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    options.add_argument("names", nargs="*", help="these networks alone; nothing is recorded")
    options.add_argument("--only", choices=("networks", "graphs"))
    options.add_argument("--procs", type=int, default=1, help="processes side by side")
    asked = options.parse_args()
    with get_context("spawn").Pool(asked.procs, maxtasksperchild=20) as pool:
        if asked.only != "graphs":
            rows = [row for row in pool.imap(measured, asked.names or networks()) if row]
            if not asked.names:
                write(of_networks(rows), "fields")
        if asked.only != "networks" and not asked.names:
            write(of_graphs(list(pool.imap(graphs, range(GRAPHS // BLOCK)))), "random_fields")


if __name__ == "__main__":
    main()
