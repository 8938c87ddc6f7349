"""Does a network lose by losing the layers that FL201 calls unproductive?

    python bench/unproductive.py ../shared/data/cifar10 [--seeds N] [--epochs N] [--part N]

Each network is trained as it is and as the rule mends it, on the same images, for as many epochs,
from the same seeds: the two runs of a pair see the same images in the same order, augmented alike.
Both go through ``striate fit`` as a user's would, up to the test images, which no choice has looked
at.  One thread, at the lowest priority, with the numeric setting fixed.

Every finished run is one line of ``runs/unproductive.jsonl`` and never trained again; kill it
anywhere, start it again, and it goes on with the run it was in.  When all of them are there the
record is written.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from common import command, commit, hardware, today, versions, write
from record import Cell, Claim, Column, Record
from striate.arch import Arch, from_dict
from striate.building import build
from striate.checking import check
from striate.flow.fix_arch import fix
from striate.records import Finding, Trace
from striate.tracing import trace
from trainings import RUNS, Job, Outcome, outcomes

RULE = "FL201"
LIMIT = 0.005
"""The most accuracy that the mended network may lose, at the upper end of the interval."""

KEPT = RUNS / "unproductive.jsonl"


def rows(*stages: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"block": "conv", **stage} for stage in stages]


def network(name: str, stages: list[dict[str, Any]], **more: Any) -> Arch:
    return from_dict(
        {"name": name, "image": [3, 32, 32], "classes": 10, "stages": stages, **more}, where=name
    )


NETS: dict[str, Arch] = {
    # Simonyan and Zisserman 2014, with a quarter of the width and ten of the thirteen convolutions.
    "vgg": network(
        "vgg",
        rows(
            {"depth": 1, "width": 16, "pool": {}},
            {"depth": 1, "width": 32, "pool": {}},
            {"depth": 2, "width": 64, "pool": {}},
            {"depth": 3, "width": 128, "pool": {}},
            {"depth": 3, "width": 128},
        ),
    ),
    # He et al. 2015, table 1: the plain network of 18 layers, with a quarter of the width and
    # without the pool behind its stem.
    "plain18": network(
        "plain18",
        rows(
            {"depth": 4, "width": 16},
            {"depth": 4, "width": 32, "stride": 2},
            {"depth": 4, "width": 64, "stride": 2},
            {"depth": 4, "width": 128, "stride": 2},
        ),
        stem={"width": 16, "kernel": 7, "stride": 2},
    ),
    # In the manner of Yu and Koltun 2016: dilation instead of further strides.
    "dilated": network(
        "dilated",
        rows({"depth": 2, "width": 48, "stride": 2}, {"depth": 6, "width": 48, "dilation": 2}),
        stem={"width": 24, "kernel": 3, "stride": 2},
    ),
}


@dataclass(frozen=True, kw_only=True)
class Case:
    """A network before and after, and what the rule promised of it."""

    original: Arch
    mended: Arch
    promised_params: int
    promised_macs: int
    saved_params: int
    saved_macs: int


def case(arch: Arch) -> Case:
    """What the rule says of ``arch``, done; an error where it says nothing, or says it again."""
    before = shapes(arch)
    found = finding(before)
    if found is None:
        raise SystemExit(f"{arch.name}: {RULE} has nothing to say, so there is nothing to measure")
    fixed = fix(arch, select=[RULE], unsafe=True).arch
    mended = fixed.model_copy(update={"name": f"{arch.name}-mended"})
    after = shapes(mended)
    if (left := finding(after)) is not None:
        raise SystemExit(f"{arch.name}: mended, and {RULE} still says: {left.message}")
    return Case(
        original=arch,
        mended=mended,
        promised_params=found.price.params,
        promised_macs=found.price.macs,
        saved_params=before.totals.params - after.totals.params,
        saved_macs=before.totals.macs - after.totals.macs,
    )


def shapes(arch: Arch) -> Trace:
    return trace(lambda: build(arch, device="meta"), arch.image, name=arch.name)


def finding(traced: Trace) -> Finding | None:
    return next(iter(check(traced, select=[RULE])), None)


def trainings(cases: dict[str, Case], options: argparse.Namespace) -> Iterator[tuple[str, Job]]:
    """Every network as it is and as it is mended, seed by seed; with the name of its column."""
    for seed in range(max(options.seeds)):
        for one, seeds in zip(cases.values(), options.seeds, strict=True):
            if seed < seeds:
                for variant, arch in (("original", one.original), ("mended", one.mended)):
                    job = Job(arch=arch, seed=seed, epochs=options.epochs, part=options.part)
                    yield variant, job


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("data", help="CIFAR-10 as striate opens it")
    asked.add_argument("--nets", nargs="+", choices=NETS, default=list(NETS))
    asked.add_argument("--seeds", nargs="+", type=int, default=[6], help="for all, or one a net")
    asked.add_argument("--epochs", type=int, default=5)
    asked.add_argument("--part", type=int, default=12_000, help="training images")
    options = asked.parse_args()
    if len(options.seeds) == 1:
        options.seeds *= len(options.nets)
    if len(options.seeds) != len(options.nets) or min(options.seeds) < 2:
        asked.error(f"--seeds: one number of at least 2 for all, or one for each of {options.nets}")
    os.nice(19)
    torch.set_num_threads(1)
    cases = {net: case(NETS[net]) for net in options.nets}
    jobs = [job for _, job in trainings(cases, options)]
    done = [outcome for _, outcome in outcomes(jobs, options.data, KEPT)]
    write(record(cases, done, options), "unproductive")


def record(cases: dict[str, Case], done: Sequence[Outcome], options: argparse.Namespace) -> Record:
    """One row a pair of runs."""
    head, changed = commit()
    accuracy = {
        (job.arch.name.removesuffix("-mended"), variant, job.seed): outcome.accuracy
        for (variant, job), outcome in zip(trainings(cases, options), done, strict=True)
    }
    table: list[dict[str, Cell]] = [
        {
            "network": net,
            "seed": seed,
            "original": accuracy[net, "original", seed],
            "mended": accuracy[net, "mended", seed],
            "loss": 100 * (accuracy[net, "original", seed] - accuracy[net, "mended", seed]),
            "promised_params": one.promised_params,
            "saved_params": one.saved_params,
            "promised_macs": one.promised_macs,
            "saved_macs": one.saved_macs,
        }
        for (net, one), seeds in zip(cases.items(), options.seeds, strict=True)
        for seed in range(seeds)
    ]
    return Record(
        title="What a network loses with its unproductive layers",
        what=(
            f"CIFAR-10 at 32×32 pixels (re-compressed to JPEG): {options.part:,} training images, "
            "as many of each class, of which a tenth are held out for validation; accuracy on all "
            f"10,000 test images; {options.epochs} epochs of the default recipe. Each network is "
            f"trained as it is and without the layers that {RULE} names, from the same seeds; what "
            "they cost is what the rule promised and what the two traces differ by. A loss below "
            "zero is a gain. Short training favours shallow networks that have no skips: this says "
            "what is lost in a budget of this size, not in the limit."
        ),
        command=command(),
        commit=head,
        changed=changed,
        date=today(),
        hardware=hardware(),
        versions=versions(("torch", "numpy")),
        seeds=tuple(range(max(options.seeds))),
        columns=(
            Column(key="network", title="network"),
            Column(key="seed", title="seed", shown="d"),
            Column(key="original", title="accuracy, original", shown=".2%"),
            Column(key="mended", title="accuracy, mended", shown=".2%"),
            Column(key="loss", title="loss of accuracy", unit="points", shown=".2f"),
            Column(key="promised_params", title="parameters promised", shown=",d"),
            Column(key="saved_params", title="parameters saved", shown=",d"),
            Column(key="promised_macs", title="MACs promised", shown=",d"),
            Column(key="saved_macs", title="MACs saved", shown=",d"),
        ),
        rows=tuple(table),
        group="network",
        intervals=("loss",),
        claims=(
            Claim(
                text="the 95 % interval of the loss lies below 0.5 points for every network",
                column="loss",
                at_most=100 * LIMIT,
                by="interval",
            ),
        ),
    )


if __name__ == "__main__":
    main()
