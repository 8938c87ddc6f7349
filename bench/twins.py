"""Deeper with skips and without: He et al.'s observation, at small scale.

    python bench/twins.py ../shared/data/cifar10 [--blocks N …] [--seeds N] [--epochs N] [--part N]

Networks of 6n + 2 layers (He et al. 2015, section 4.2) and their twins without skips are trained
alike, from the same seeds: the two runs of a pair see the same images in the same order.

Every finished run is one line of ``runs/twins.jsonl`` and never trained again; kill it anywhere and
start it again.  When all of them are there the record is written.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import torch

from common import command, commit, hardware, today, versions, write
from record import Cell, Column, Record
from striate.arch import Arch, plain_twin, zoo
from trainings import RUNS, Job, Outcome, outcomes

KEPT = RUNS / "twins.jsonl"


def residual(blocks: int) -> Arch:
    """He et al.'s network for CIFAR-10 with n = ``blocks`` blocks a stage."""
    arch = zoo("resnet20")
    stages = tuple(stage.model_copy(update={"depth": blocks}) for stage in arch.stages)
    return arch.model_copy(update={"name": f"resnet{6 * blocks + 2}", "stages": stages})


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("data", help="CIFAR-10 as striate opens it")
    asked.add_argument("--blocks", nargs="+", type=int, default=[1, 2, 3], help="n of 6n + 2")
    asked.add_argument("--seeds", type=int, default=3)
    asked.add_argument("--epochs", type=int, default=15)
    asked.add_argument("--part", type=int, default=10_000, help="training images")
    options = asked.parse_args()
    if options.seeds < 2:
        asked.error(f"--seeds {options.seeds}: a standard error needs at least 2")
    torch.set_num_threads(1)
    jobs = [
        Job(arch=arch, seed=seed, epochs=options.epochs, part=options.part)
        for blocks in options.blocks
        for seed in range(options.seeds)
        for arch in (residual(blocks), plain_twin(residual(blocks)))
    ]
    done = {job.key: outcome for job, outcome in outcomes(jobs, options.data, KEPT)}
    write(record(jobs, done, options), "twins")


def record(jobs: Sequence[Job], done: dict[str, Outcome], options: argparse.Namespace) -> Record:
    """One row a pair."""
    head, changed = commit()
    table: list[dict[str, Cell]] = []
    for with_skips, without in zip(jobs[::2], jobs[1::2], strict=True):
        skipping, plain = done[with_skips.key], done[without.key]
        table.append(
            {
                "layers": f"{with_skips.arch.name.removeprefix('resnet')} layers",
                "seed": with_skips.seed,
                "residual": 100 * skipping.accuracy,
                "plain": 100 * plain.accuracy,
                "gain": 100 * (skipping.accuracy - plain.accuracy),
                "residual_loss": skipping.train_loss,
                "plain_loss": plain.train_loss,
            }
        )
    return Record(
        title="With skips and without, as depth grows",
        what=(
            f"CIFAR-10 at 32×32 pixels (re-compressed to JPEG): {options.part:,} training images, "
            "as many of each class, of which a tenth are held out for validation; accuracy on all "
            f"10,000 test images; {options.epochs} epochs of the default recipe. He et al.'s "
            "networks of 6n + 2 layers and their twins without skips, from the same seeds; the "
            "training loss is that of the last epoch, on augmented images."
        ),
        command=command(),
        commit=head,
        changed=changed,
        date=today(),
        hardware=hardware(),
        versions=versions(("torch", "numpy")),
        seeds=tuple(range(options.seeds)),
        columns=(
            Column(key="layers", title="depth"),
            Column(key="seed", title="seed", shown="d"),
            Column(key="residual", title="accuracy with skips", unit="%", shown=".2f"),
            Column(key="plain", title="accuracy without", unit="%", shown=".2f"),
            Column(key="gain", title="what skips gain", unit="points", shown=".2f"),
            Column(key="residual_loss", title="training loss with skips", shown=".3f"),
            Column(key="plain_loss", title="training loss without", shown=".3f"),
        ),
        rows=tuple(table),
        group="layers",
        intervals=("residual", "plain", "gain", "residual_loss", "plain_loss"),
    )


if __name__ == "__main__":
    main()
