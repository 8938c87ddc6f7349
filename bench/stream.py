"""A million images streamed from shards: does memory stay, and are the images the plan's?

    python bench/stream.py [--images 1000000] [--minutes 10] [--workers 1]

Images of 3x8x8 are written as shards into a temporary folder.  A small network is trained on them
for ``--minutes`` in a process of its own, whose resident memory (and its loaders') is read from
outside every second.  Beside it one epoch is trained that is killed twice by SIGKILL, each time
resumed with another number of loader processes: the ids that were seen are compared with the plan.

Linux alone: memory is read from ``/proc``.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from common import command, commit, hardware, today, versions, write
from record import Cell, Claim, Column, Record
from striate.data import batches, epoch_plan, open_data
from striate.data.form import Form
from striate.data.shards.index import Index, Shard
from striate.data.shards.writing import write_chunks
from striate.data.strings import Strings
from striate.keyed import bits

SHAPE = (3, 8, 8)
CLASSES = 10
BATCH = 256
SEED = 0
CHUNK_BYTES = 4 << 20
_AT_ONCE = 4096


def make(folder: Path, images: int, chunk_bytes: int = CHUNK_BYTES) -> None:
    """Shards of ``images`` keyed noise images, as ``striate data --shards`` writes them."""
    ids = np.sort(bits(SEED, "stream.ids", np.arange(images)))
    labels = (bits(SEED, "stream.labels", ids) % np.uint64(CLASSES)).astype(np.int64)
    places = np.empty(images, dtype=np.int64)
    sequence = np.argsort(bits(SEED, "stream.places", ids), kind="stable")
    places[sequence] = np.arange(images)
    folder.mkdir(parents=True)
    counts = np.zeros((SHAPE[0], 256), dtype=np.int64)
    counts[:, 64:192] = 1  # about the noise's mean and deviation
    chunks = write_chunks(folder / "train", _noise(ids[sequence]), chunk_bytes)
    Index(
        name="noise",
        classes=tuple(str(number) for number in range(CLASSES)),
        form=Form(image=SHAPE, deep=False, fit="crop", decoder="pillow"),
        holds="pixels",
        notes=(),
        sizes=np.array([SHAPE[1:]] * 3),
        counts=counts,
        splits={
            "train": Shard(
                ids=ids,
                labels=labels,
                places=places,
                names=Strings(
                    data=np.zeros(0, dtype=np.uint8), ends=np.zeros(images, dtype=np.int64)
                ),
                chunks=chunks,
            )
        },
    ).write(folder)


def _noise(ids: NDArray[np.uint64]) -> Iterator[bytes]:
    size = int(np.prod(SHAPE))
    words = np.arange(size // 8)
    for start in range(0, len(ids), _AT_ONCE):
        some = ids[start : start + _AT_ONCE, None]
        yield from (row.tobytes() for row in bits(SEED, "stream.pixels", some, words))


def learn(folder: Path, log: Path, *, workers: int, epochs: int | None) -> None:
    """Train on the plan of epochs 1, 2 … and append the ids of each step to ``log``.

    What is in ``log`` already was seen before: it goes on behind it.  ``epochs``: None for ever,
    and then the ids of the first step alone are kept.
    """
    torch.set_num_threads(1)
    split = open_data(str(folder)).train
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, CLASSES)
    )
    optimiser = torch.optim.SGD(net.parameters(), lr=0.01)
    done = log.stat().st_size // 8 if log.exists() else 0
    begun = False
    with log.open("ab", buffering=0) as file:
        file.truncate(8 * done)
        for epoch in count(1) if epochs is None else range(1, epochs + 1):
            plan = epoch_plan(split, seed=SEED, epoch=epoch, batch_size=BATCH)
            ends = np.cumsum([len(one) for one in plan]) + (epoch - 1) * len(split)
            start = int(np.searchsorted(ends, done, side="right"))
            for batch in batches(
                split, plan, augment=None, seed=SEED, epoch=epoch, workers=workers, start=start
            ):
                images = torch.as_tensor(batch.pixels).float() / 255 - 0.5
                loss = nn.functional.cross_entropy(net(images), torch.as_tensor(batch.labels))
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                if epochs is not None or not begun:
                    os.write(file.fileno(), batch.ids.astype("<u8").tobytes())
                    begun = True


def started(folder: Path, log: Path, workers: int, epochs: int | None) -> subprocess.Popen[bytes]:
    """``learn`` in a process of its own."""
    line = [sys.executable, __file__, "--learn", str(folder), "--log", str(log)]
    line += ["--workers", str(workers), "--epochs", str(epochs or 0)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(line, env=environment, stdout=subprocess.DEVNULL)


def seen_after_kills(
    folder: Path, log: Path, images: int, workers: tuple[int, ...]
) -> NDArray[np.uint64]:
    """The ids of one epoch, killed whenever another part of it was seen, each time gone on with by
    the next number of ``workers``.
    """
    for number, count_ in enumerate(workers, 1):
        process = started(folder, log, count_, 1)
        wanted = 8 * images * number // len(workers)
        while number < len(workers) and process.poll() is None:
            if log.exists() and log.stat().st_size >= wanted:
                process.send_signal(signal.SIGKILL)
            time.sleep(0.005)
        if process.wait() != (0 if number == len(workers) else -signal.SIGKILL):
            raise SystemExit(f"the training ended by itself with {process.returncode}")
    return np.fromfile(log, dtype="<u8")


def planned(folder: Path) -> NDArray[np.uint64]:
    """The ids of the first epoch, in their order, from the plan alone."""
    split = open_data(str(folder)).train
    return split.ids[np.concatenate(epoch_plan(split, seed=SEED, epoch=1, batch_size=BATCH))]


def resident(pid: int) -> tuple[int, int]:
    """Bytes of a process's own resident memory, and of its children's, from ``/proc``."""
    own = _rss(pid)
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return own, sum(_rss(int(child)) for child in children)


def _rss(pid: int) -> int:
    try:
        fields = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()
    except OSError:
        return 0
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")


def watched(folder: Path, log: Path, minutes: float, workers: int) -> list[dict[str, Cell]]:
    """Train for ``minutes`` from the first step on; a row for each of them, with the median of its
    last ten seconds.
    """
    process = started(folder, log, workers, None)
    while process.poll() is None and not (log.exists() and log.stat().st_size):
        time.sleep(0.05)
    begun = time.monotonic()
    rows: list[dict[str, Cell]] = []
    first = 0.0
    try:
        for minute in range(1, int(minutes) + 1):
            time.sleep(max(0.0, begun + 60 * minute - 10 - time.monotonic()))
            samples: list[tuple[int, int]] = []
            while time.monotonic() < begun + 60 * minute:
                if process.poll() is not None:
                    raise SystemExit(f"the training ended by itself with {process.returncode}")
                samples.append(resident(process.pid))
                time.sleep(1)
            own, loaders = np.median(np.array(samples), axis=0) / 2**20
            first = first or float(own)
            rows.append(
                {
                    "minute": minute,
                    "own": float(own),
                    "loaders": float(loaders) if workers else None,
                    "ratio": float(own) / first,
                }
            )
            print(rows[-1], flush=True)
    finally:
        process.kill()
        process.wait()
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--images", type=int, default=1_000_000)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--learn", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--log", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--epochs", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.learn is not None:
        learn(asked.learn, asked.log, workers=asked.workers, epochs=asked.epochs or None)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "shards"
        make(folder, asked.images)
        size = sum(path.stat().st_size for path in folder.rglob("*.bin"))
        print(f"{asked.images:,} images, {size / 2**20:.0f} MiB", flush=True)
        with ThreadPoolExecutor(1) as beside:
            ids = beside.submit(
                seen_after_kills, folder, Path(name) / "ids", asked.images, (0, 2, 1)
            )
            rows = watched(folder, Path(name) / "unused", asked.minutes, asked.workers)
            seen = ids.result()
        wanted = planned(folder)
        wrong = int((seen != wanted).sum()) if len(seen) == len(wanted) else len(wanted)
    write(_record(asked, rows, wrong, size), "stream")


def _record(
    asked: argparse.Namespace, rows: list[dict[str, Cell]], wrong: int, size: int
) -> Record:
    head, changed = commit()
    last: dict[str, Any] = {"wrong": wrong}
    return Record(
        title="A million images, streamed",
        what=f"{asked.images:,} images of {'x'.join(map(str, SHAPE))} in {size / 2**20:,.0f} MiB "
        f"of shards train a small network by striate's plan, with {asked.workers} loader process"
        f"{'' if asked.workers == 1 else 'es'}, epoch after epoch: resident memory at the end of "
        "each minute (median of ten seconds). Beside it one epoch is killed by SIGKILL after a "
        "third and after two thirds, and gone on with by 0, 2 and 1 loader processes.",
        command=command(),
        commit=head,
        changed=changed,
        date=today(),
        hardware=hardware(),
        versions=versions(("torch", "numpy", "litdata")),
        seeds=(SEED,),
        columns=(
            Column(key="minute", title="minute", shown="d"),
            Column(key="own", title="the training's resident memory", unit="MiB", shown=",.1f"),
            Column(key="loaders", title="its loaders'", unit="MiB", shown=",.1f"),
            Column(key="ratio", title="against the first minute", shown=".3f"),
            Column(key="wrong", title="ids that are not the plan's", shown=",d"),
        ),
        rows=tuple({**row, "wrong": last["wrong"] if row is rows[-1] else None} for row in rows),
        claims=(
            Claim(
                text="Resident memory grows by at most 5 % after the first minute",
                column="ratio",
                by="largest",
                at_most=1.05,
            ),
            Claim(
                text="The ids that were seen, in their order, are exactly the plan's",
                column="wrong",
                by="sum",
                at_most=0,
            ),
        ),
    )


if __name__ == "__main__":
    main()
