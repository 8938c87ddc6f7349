"""Depth, width, resolution or all three: what each buys at equal multiply-accumulates.

    python bench/budgets.py ../shared/data/cifar10 [--seeds N] [--epochs N] [--part N]

The small-scale form of Tan and Le 2019, figure 8: one base network grows by ``striate scale`` along
each rule to the largest member under each of three budgets, and every member is trained alike.

Every finished run is one line of ``runs/budgets.jsonl`` and never trained again; kill it anywhere
and start it again.  When all of them are there the record is written.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from common import command, commit, hardware, today, versions, write
from record import Cell, Column, Picture, Record, Table
from striate.arch import Arch, from_dict
from striate.flow.scale import scale
from trainings import RUNS, Job, Outcome, outcomes

KEPT = RUNS / "budgets.jsonl"
RULES = ("depth", "width", "resolution", "compound")
BUDGETS = (7_100_000, 14_400_000, 24_400_000)
"""MACs of one image: about 2.3, 4.6 and 7.8 times those of the base."""
BASE = from_dict(
    {
        "name": "base",
        "image": [3, 16, 16],
        "classes": 10,
        "stem": {"width": 16},
        "stages": [
            {"block": "basic", "depth": 1, "width": 16},
            {"block": "basic", "depth": 1, "width": 32, "stride": 2},
            {"block": "basic", "depth": 1, "width": 64, "stride": 2},
        ],
    },
    where="bench/budgets.py",
)
"""He et al. 2015, section 4.2, with n = 1 (8 layers), at half of CIFAR-10's resolution."""


@dataclass(frozen=True, kw_only=True)
class Grown:
    """One network of the comparison.  ``budget``: None for the base."""

    rule: str
    budget: int | None
    arch: Arch
    params: int
    macs: int
    activations: int


def grown() -> list[Grown]:
    """The base, then for each budget the largest member of each rule under it."""
    found = [_grown("base", None)]
    found += [_grown(rule, budget) for budget in BUDGETS for rule in RULES]
    return found


def _grown(rule: str, budget: int | None) -> Grown:
    by = "width" if budget is None else rule
    family = scale(BASE, {"macs": budget or BUDGETS[0]}, rule=by, divisor=4)
    made = family.base if budget is None else family.members[0]
    return Grown(
        rule=rule,
        budget=budget,
        arch=made.member.arch,
        params=int(made.cost["params"]),
        macs=int(made.cost["macs"]),
        activations=int(made.cost["activations"]),
    )


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("data", help="CIFAR-10 as striate opens it")
    asked.add_argument("--seeds", type=int, default=3)
    asked.add_argument("--epochs", type=int, default=15)
    asked.add_argument("--part", type=int, default=10_000, help="training images")
    options = asked.parse_args()
    if options.seeds < 2:
        asked.error(f"--seeds {options.seeds}: a standard error needs at least 2")
    torch.set_num_threads(1)
    networks = grown()
    jobs = [
        Job(arch=one.arch, seed=seed, epochs=options.epochs, part=options.part)
        for seed in range(options.seeds)
        for one in networks
    ]
    done = {job.key: outcome for job, outcome in outcomes(jobs, options.data, KEPT)}
    write(record(networks, jobs, done, options), "budgets")


def record(
    networks: Sequence[Grown],
    jobs: Sequence[Job],
    done: dict[str, Outcome],
    options: argparse.Namespace,
) -> Record:
    """One row a run, network by network."""
    head, changed = commit()
    table: list[dict[str, Cell]] = [
        {
            "rule": one.rule,
            "network": one.rule if one.budget is None else f"{one.rule}, {one.budget / 1e6:.1f}M",
            "image": f"{one.arch.image[1]}×{one.arch.image[2]}",
            "depths": " ".join(str(stage.depth) for stage in one.arch.stages),
            "widths": " ".join(str(stage.width) for stage in one.arch.stages),
            "params": one.params,
            "macs": one.macs,
            "activations": one.activations,
            "seed": job.seed,
            "accuracy": 100 * done[job.key].accuracy,
        }
        for one in networks
        for job in jobs
        if job.arch is one.arch
    ]
    return Record(
        title="Depth, width, resolution or all three, at equal budgets",
        what=(
            f"CIFAR-10 (re-compressed to JPEG), {options.part:,} training images, as many of each "
            "class, of which a tenth are held out for validation; accuracy on all 10,000 test "
            f"images; {options.epochs} epochs of the default recipe. One base network of 8 layers "
            "at 16×16 pixels grows along each rule to its largest member under three budgets of "
            "multiply-accumulates: the small-scale form of Tan and Le 2019, figure 8, with their "
            "coefficients for compound scaling. Depths and sizes come in steps, so that a member "
            "may stay below its budget: the column MACs says by how much. Sides above 32 are "
            "enlarged images, which show nothing new. Short training on few images: this says "
            "what each axis buys in a budget of this size, not in the limit."
        ),
        command=command(),
        commit=head,
        changed=changed,
        date=today(),
        hardware=hardware(),
        versions=versions(("torch", "numpy")),
        seeds=tuple(range(options.seeds)),
        columns=(
            Column(key="rule", title="rule"),
            Column(key="network", title="rule and budget"),
            Column(key="image", title="image"),
            Column(key="depths", title="depths"),
            Column(key="widths", title="widths"),
            Column(key="params", title="parameters", shown=",d"),
            Column(key="macs", title="MACs", shown=",d"),
            Column(key="activations", title="activations", shown=",d"),
            Column(key="seed", title="seed", shown="d"),
            Column(key="accuracy", title="accuracy", unit="%", shown=".2f"),
        ),
        rows=tuple(table),
        picture=Picture(
            title="Accuracy against cost, by what grows",
            x="macs",
            y="accuracy",
            series="rule",
            shared="base",
        ),
        tables=(
            Table(
                title="",
                columns=(
                    "network",
                    "image",
                    "depths",
                    "widths",
                    "params",
                    "macs",
                    "activations",
                    "seed",
                    "accuracy",
                ),
            ),
        ),
        group="network",
        intervals=("accuracy",),
    )


if __name__ == "__main__":
    main()
