"""How much of what a convolution can do here a whole training step does.

    python bench/roofline.py [--rounds 3]

The ceiling: the fastest 3×3 convolution of several sizes, forward alone, in bfloat16 and channels
last, measured in the same process and under the same settings as the steps, before and after them.
The steps: ``training.train`` on drawn images of 32×32, with mirroring and shifts, loading,
optimiser and records; the median of an epoch's steps once warm.  A step's arithmetic is three times
the forward pass's, two operations a multiply-accumulate (the first layer's is less: no gradient
goes to the image).
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np
import torch
import torch.nn.functional as F

from common import command, commit, hardware, today, versions, write
from record import Cell, Claim, Column, Record
from striate.arch import Arch, Head, Stage, Stem, zoo
from striate.building import build
from striate.data import Dataset, open_data
from striate.records import StepRecord
from striate.runs import RunFolder
from striate.tracing import trace
from striate.training import Recipe, begin_run, freeze, plan, train
from striate.training.heap import kept_heap

BATCH, STEPS, WARM = 1000, 12, 4
SIZES = ((64, 32, 128), (128, 16, 256), (256, 16, 128), (256, 8, 512), (512, 8, 256))
"""(channels, side of the map, images)."""
RESIDUAL = Arch(
    name="residual 64-128-256",
    image=(3, 32, 32),
    classes=10,
    stem=Stem(width=64),
    stages=tuple(
        Stage(block="basic", depth=1, width=width, stride=1 if width == 64 else 2)
        for width in (64, 128, 256)
    ),
    head=Head(),
)
PAPER = zoo("airbench94")
NETWORKS = (
    PAPER,
    PAPER.model_copy(
        update={
            "name": "airbench94, twice as wide",
            "stages": tuple(
                stage.model_copy(update={"width": 2 * stage.width}) for stage in PAPER.stages
            ),
        }
    ),
    RESIDUAL,
)


def ceiling() -> float:
    """GFLOP/s of the fastest convolution."""
    best = 0.0
    with torch.no_grad(), kept_heap("cpu"):
        for channels, side, images in SIZES:
            x = torch.randn(images, channels, side, side).bfloat16()
            x = x.contiguous(memory_format=torch.channels_last)
            weight = torch.randn(channels, channels, 3, 3).bfloat16()
            weight = weight.contiguous(memory_format=torch.channels_last)
            operations = 2 * images * side * side * channels * channels * 9
            for _ in range(12):
                started = perf_counter()
                F.conv2d(x, weight, padding=1)
                best = max(best, operations / (perf_counter() - started) / 1e9)
    return best


def drawn(folder: Path) -> Dataset:
    """Noise in ten classes: an epoch of ``STEPS`` batches."""
    random = np.random.default_rng(0)
    count = STEPS * BATCH
    pixels = random.integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)
    labels = np.arange(count) % 10
    file = folder / "drawn.npz"
    np.savez(file, x_train=pixels, y_train=labels, x_test=pixels[:100], y_test=labels[:100])
    from striate.data import DataOptions

    return open_data(str(file), DataOptions(val=0))


def step_seconds(arch: Arch, dataset: Dataset, folder: Path) -> float:
    """Of the median step of an epoch, once warm."""
    wanted = Recipe().with_(
        {
            "batch_size": BATCH,
            "epochs": 1,
            "lr": 0.05,
            "augment.flip": True,
            "augment.translate": 2,
            "recover": False,
        }
    )
    planned = plan(wanted, train_images=len(dataset.train), val_images=0, images_per_second=None)
    frozen = freeze(wanted, planned, setting="bf16-channels-last", decoder=dataset.decoder)
    with RunFolder.create(folder) as run:
        begin_run(run, arch, dataset, frozen, data={"spec": "drawn"})
        told = list(train(build(arch, seed=0), dataset, frozen, run))
    found = [one.seconds for one in told if isinstance(one, StepRecord)]
    return median(found[WARM:])


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--rounds", type=int, default=3)
    options = asked.parse_args()
    rows: list[dict[str, Cell]] = []
    with tempfile.TemporaryDirectory(prefix="roofline-") as name:
        folder = Path(name)
        dataset = drawn(folder)
        for number in range(options.rounds):
            for arch in NETWORKS:
                before = ceiling()
                seconds = step_seconds(arch, dataset, folder / f"{number}-{len(rows)}")
                top = max(before, ceiling())
                macs = trace(lambda arch=arch: build(arch, device="meta"), arch.image).totals.macs
                speed = 6 * macs * BATCH / seconds / 1e9
                rows.append(
                    {
                        "network": arch.name,
                        "macs": macs,
                        "seconds": seconds,
                        "speed": speed,
                        "ceiling": top,
                        "share": 100 * speed / top,
                    }
                )
                print(rows[-1], flush=True)
    write(record(rows), "roofline")


def record(rows: list[dict[str, Cell]]) -> Record:
    """One row a round and network."""
    head, changed = commit()
    return Record(
        title="A training step against the convolution ceiling",
        what=" ".join((__doc__ or "").split("\n\n")[2].split())
        + f" Batches of {BATCH:,} images, all cores, weights in float32 under autocast.",
        command=command(),
        commit=head,
        changed=changed,
        date=today(),
        hardware=hardware(),
        versions=versions(),
        seeds=(0,),
        columns=(
            Column(key="network", title="network"),
            Column(key="macs", title="MACs", shown=",d"),
            Column(key="seconds", title="step", unit="s", shown=".3f"),
            Column(key="speed", title="step", unit="GFLOP/s", shown=".0f"),
            Column(key="ceiling", title="ceiling", unit="GFLOP/s", shown=".0f"),
            Column(key="share", title="of the ceiling", unit="%", shown=".0f"),
        ),
        rows=tuple(rows),
        group="network",
        intervals=("share",),
        claims=(
            Claim(
                text="a whole training step of the widest network reaches 60 % of the ceiling",
                column="share",
                by="largest",
                at_least=60.0,
            ),
        ),
    )


if __name__ == "__main__":
    main()
