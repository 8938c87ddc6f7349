"""How many of the faults people plant in their networks are found, and where.

    python bench/mutants.py            # about 450 mutants, a few minutes on one core
    python bench/mutants.py --json     # the record too, bench/results/mutants.json
    python bench/mutants.py --kinds    # writes bench/faults/KINDS.md

Healthy networks (``faults/healthy``, and architectures of the zoo) get one fault each, of the kinds
of ``faults/kinds.py``: of each kind at most ``--each``, drawn with ``--seed``.  A mutant counts as
found where a finding's code belongs to its kind (``faults/expected.py``), as placed where such a
finding stands at a layer that was touched; every warning or error at a layer neither touched nor
downstream of it is stray.  ``--missed`` prints what was missed, misplaced or stray.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from common import command, commit, hardware, today, versions, write
from faults import arches, plants_blocks, plants_forward, plants_layers, plants_swaps
from faults.hosts import Host
from faults.judge import Verdict, judge, load
from faults.kinds import KINDS, table
from faults.program import Mutant, programs
from record import Cell, Claim, Column, Record
from striate.arch import Arch
from striate.building import build
from striate.checking import check
from striate.records import Finding, Trace
from striate.tracing import trace

EACH, SEED = 14, 0
FILES = (plants_layers, plants_forward, plants_swaps, plants_blocks)
Maker = Callable[[], Any]


@dataclass(frozen=True)
class Plan:
    """What is to be run: mutants, and what makes each."""

    mutants: tuple[tuple[Mutant, Maker | None], ...]
    healthy: dict[str, Trace]


def plan(folder: Path, *, each: int = EACH, seed: int = SEED, kinds: Sequence[str] = ()) -> Plan:
    """The mutants of a seed: at most ``each`` of a kind, spread over the networks."""
    found: dict[str, list[tuple[Mutant, Maker | None]]] = {kind.name: [] for kind in KINDS}
    healthy: dict[str, Trace] = {}
    for name, program in programs().items():
        host = Host(program, folder)
        healthy[name] = _healthy(host.trace)
        for file in FILES:
            for mutant in file.plants(host):
                found[mutant.kind].append((mutant, None))
    for planted in arches.plants():
        mutant, arch = planted.mutant, planted.arch
        if mutant.net not in healthy:
            healthy[mutant.net] = _healthy(_traced(arches.original(mutant.net)))
        found[mutant.kind].append((mutant, lambda arch=arch: build(arch, device="meta")))
    chosen = [
        one
        for kind, several in found.items()
        if not kinds or kind in kinds
        for one in _spread(several, each, random.Random(f"{seed} {kind}"))
    ]
    return Plan(tuple(chosen), healthy)


def _spread(
    several: list[tuple[Mutant, Maker | None]], most: int, dice: random.Random
) -> list[tuple[Mutant, Maker | None]]:
    """``most`` of them, taking the networks in turn."""
    by_net: dict[str, list[tuple[Mutant, Maker | None]]] = {}
    for one in dice.sample(several, len(several)):
        by_net.setdefault(one[0].net, []).append(one)
    turns = [
        [queue[turn] for queue in by_net.values() if turn < len(queue)] for turn in range(most)
    ]
    return [one for turn in turns for one in turn][:most]


def _healthy(traced: Trace) -> Trace:
    """The trace, if nothing is wrong with the network; AssertionError otherwise."""
    wrong = [one for one in check(traced) if one.severity != "info"]
    assert not wrong, f"{traced.name} is not healthy: {wrong}"
    return traced


def _traced(arch: Arch) -> Trace:
    return trace(lambda: build(arch, device="meta"), arch.image, name=arch.name)


def verdicts(plan: Plan, folder: Path) -> Iterator[Verdict]:
    """Each mutant judged, in order."""
    known: dict[str, list[Finding]] = {}
    for mutant, maker in plan.mutants:
        network = maker or load(mutant.text, folder)
        healthy = plan.healthy[mutant.net]
        if mutant.net not in known:
            known[mutant.net] = check(healthy)
        yield judge(mutant, network, healthy, known[mutant.net])


Row = tuple[str, int, int, int, int, float]


def summary(done: Sequence[Verdict]) -> list[Row]:
    """Kind, mutants, found, placed, stray, chance of a layer: one row per kind that was planted."""
    rows: list[Row] = []
    for kind in KINDS:
        those = [one for one in done if one.mutant.kind == kind.name]
        if those:
            found = sum(one.found for one in those)
            placed = sum(one.placed for one in those)
            stray = sum(len(one.stray) for one in those)
            chance = fmean(one.chance for one in those)
            rows.append((kind.name, len(those), found, placed, stray, chance))
    return rows


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    if options.kinds:
        (Path(__file__).parent / "faults" / "KINDS.md").write_text(table(), "utf-8")
        return 0
    with tempfile.TemporaryDirectory(prefix="mutants") as name:
        folder = Path(name)
        what = plan(folder, each=options.each, seed=options.seed, kinds=options.kind)
        done = list(verdicts(what, folder))
    rows = summary(done)
    for row in rows:
        print("{:28} {:4d} planted {:4d} found {:4d} placed {:3d} stray".format(*row))
    planted, found, placed, stray = (sum(row[column] for row in rows) for column in range(1, 5))
    print(
        f"{planted} planted, {found} found ({found / planted:.1%}), "
        f"{placed} at the right layer ({placed / planted:.1%}), {stray} stray"
    )
    if options.missed:
        for one in done:
            _report(one)
    if options.json:
        _write(rows, options)
    return 0


def _write(rows: Sequence[Row], options: argparse.Namespace) -> None:
    head, changed = commit()
    about = {kind.name: kind for kind in KINDS}
    cells: list[dict[str, Cell]] = [
        {
            "group": about[kind].group,
            "kind": kind,
            "planted": planted,
            "found": found,
            "recall": found / planted,
            "placed": placed,
            "chance": chance,
            "stray": stray,
        }
        for kind, planted, found, placed, stray, chance in rows
    ]
    claims = (
        Claim(text="at least 400 faults", column="planted", by="sum", at_least=400),
        Claim(text="at least 95 % found", column="found", by="share", per="planted", at_least=0.95),
        Claim(
            text="at least 90 % at the right layer",
            column="placed", by="share", per="planted", at_least=0.9,
        ),
        Claim(
            text="no warning or error at a layer neither touched nor downstream of it",
            column="stray", by="sum", at_most=0,
        ),
    )  # fmt: skip
    record = Record(
        title="Faults planted into healthy networks",
        what=(
            "Of each kind of fault in `bench/faults/KINDS.md` at most "
            f"{options.each}, drawn by seed, planted one at a time into seventeen networks in the "
            "styles people write and into six architectures of the zoo, all free of warnings. A "
            "fault counts as found where a finding says what its kind asks for, as placed where "
            "such a finding stands at a layer that was touched. Rules on style were selected only "
            "where their kind asks for them. An edit of a block's class touches every block, so "
            "many layers of such a network are right: their share of all is in the table."
        ),
        command=command(),
        commit=head,
        changed=changed,
        date=today(),
        hardware=hardware(),
        versions=versions(("torch",)),
        seeds=(options.seed,),
        columns=(
            Column(key="group", title="about"),
            Column(key="kind", title="fault"),
            Column(key="planted", title="planted", shown=".0f"),
            Column(key="found", title="found", shown=".0f"),
            Column(key="recall", title="recall", shown=".0%"),
            Column(key="placed", title="at the right layer", shown=".0f"),
            Column(key="chance", title="of its layers are right", shown=".0%"),
            Column(key="stray", title="stray", shown=".0f"),
        ),
        rows=tuple(cells),
        claims=claims,
        notes=(
            "Of a network that cannot be made, what is said instead has to name line and mend.",
            "What only a trained run shows is not planted here.",
        ),
    )
    write(record, "mutants")


def _report(one: Verdict) -> None:
    if one.placed and not one.stray:
        return
    what = "MISSED" if not one.found else "MISPLACED" if not one.placed else "STRAY"
    print(f"{what} {one.mutant.kind} in {one.mutant.net}: {one.mutant.where}", file=sys.stderr)
    if one.refused:
        print(f"    refused: {one.refused}", file=sys.stderr)
    for finding in one.findings:
        mark = "stray " if finding in one.stray else ""
        said = f"{finding.code} {finding.severity} at {finding.path!r}: {finding.message}"
        print(f"    {mark}{said}", file=sys.stderr)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--each", type=int, default=EACH, help="at most so many of a kind")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--kind", action="append", default=[], help="only this kind")
    parser.add_argument("--missed", action="store_true", help="what was missed, and what was said")
    parser.add_argument("--json", action="store_true", help="write the record")
    parser.add_argument("--kinds", action="store_true", help="write faults/KINDS.md")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
