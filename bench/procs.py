"""Two processes of one thread beside one process of two: the same losses, and how fast.

    python bench/procs.py [--steps 100] [--rounds 3]

A resnet20 on pictures of CIFAR-10's size (drawn: their content does not matter here), fp32, reduced
batch norms, batches of 128.  Each training is a process, or two, of its own, by turns; the first
ten steps, which make kernels, are not timed.  ``predicted`` is what ``striate cluster`` says of two
devices, from the speed of one process of one thread, and from latency and bandwidth as measured
here between two processes; what it cannot know is that they share one memory.

How far losses may be apart is not for us to say: one process of one thread and one of two do the
same sums in another order, which is rounding and nothing else, and ``rounding`` is how far apart
that drives their losses.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import torch
import torch.distributed as dist

from common import command, commit, hardware, today, versions, write
from record import Cell, Claim, Column, Record
from striate.arch import zoo
from striate.building import build
from striate.data import DataOptions, open_data
from striate.flow.cluster import work_of
from striate.flow.trace import trace_target
from striate.records import StepRecord
from striate.runs import RunFolder, read_metrics
from striate.scaling import Network, step_on
from striate.training import Processes, Recipe, begin_run, freeze, joined, load_recipe, plan, train

BATCH, WARM = 128, 10


def worker(out: Path, images: Path, steps: int, threads: int) -> None:
    """Train in this process, with the others it was started with."""
    arch = zoo("resnet20").model_copy(update={"image": (3, 32, 32), "classes": 10})
    dataset = open_data(str(images), DataOptions())
    with joined("cpu") as together:
        if together.writes:
            wanted = Recipe().with_({"batch_size": BATCH, "lr": 0.05, "threads": threads})
            sizes = {"train_images": len(dataset.train), "val_images": len(dataset.val)}
            timed = plan(wanted, **sizes, images_per_second=None)
            epochs = -(-steps // (timed.steps // timed.epochs))
            timed = replace(timed, steps=steps, epochs=epochs)
            frozen = freeze(wanted, timed, setting="fp32", decoder=dataset.decoder)
            with RunFolder.create(out) as folder:
                begin_run(folder, arch, dataset, frozen, data={"spec": "drawn"})
        if together.group is not None:
            latency, bandwidth = measured(together)
            dist.barrier()
        with (RunFolder.open if together.writes else RunFolder.follow)(out) as folder:
            recipe = load_recipe(folder.paths.recipe)
            module = build(arch, seed=recipe.seed)
            for _ in train(module, dataset, recipe, folder, together=together):
                pass
        if together.group is not None and together.writes:
            told = json.dumps({"latency": latency, "bandwidth": bandwidth})
            (out / "messages.json").write_text(told)


def measured(together: Processes) -> tuple[float, float]:
    """Seconds of a message and bytes a second between two processes: sums of few and many words,
    each by the way that it has in a training.

    Of two devices a sum takes 2·α + n/β (``striate.scaling.cluster``).
    """

    def seconds(sums: Callable[[], object], times: int) -> float:
        found: list[float] = []
        for _ in range(times):
            began = time.perf_counter()
            sums()
            found.append(time.perf_counter() - began)
        return median(found[times // 5 :])

    latency = seconds(lambda: together.any(False), 200) / 2
    many = torch.zeros(2**20)
    return latency, many.nbytes / max(1e-9, seconds(lambda: dist.all_reduce(many), 20))


def trained(folder: Path, name: str, images: Path, steps: int, procs: int, threads: int) -> Path:
    """One training in processes of its own; its run's folder."""
    out = folder / name
    started: list[subprocess.Popen[bytes]] = []
    for rank in range(procs):
        env = {
            **os.environ,
            "OMP_NUM_THREADS": str(threads),
            "RANK": str(rank),
            "LOCAL_RANK": str(rank),
            "WORLD_SIZE": str(procs),
            "LOCAL_WORLD_SIZE": str(procs),
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(29_500 + os.getpid() % 1000),
        }
        asked = [str(out), str(images), str(steps), str(threads)]
        started.append(subprocess.Popen([sys.executable, __file__, "--worker", *asked], env=env))
    codes = [process.wait() for process in started]
    if any(codes):
        raise SystemExit(f"{name}: its processes ended with {codes}")
    return out


def steps_of(run: Path) -> list[StepRecord]:
    records = read_metrics(run / "metrics.jsonl")
    return [record for record in records if isinstance(record, StepRecord)]


def speed(run: Path) -> float:
    """Images a second of the median step, once warm."""
    return median(step.images / step.seconds for step in steps_of(run)[WARM:])


def furthest(one: Path, other: Path) -> float:
    """The greatest relative difference of two runs' losses."""
    pairs = zip(steps_of(one), steps_of(other), strict=True)
    return max(abs(a.loss - b.loss) / a.loss for a, b in pairs)


def drawn(path: Path, steps: int) -> None:
    """Noise in ten classes, of CIFAR-10's size: an epoch of ``steps`` batches."""
    import numpy as np

    random = np.random.default_rng(0)
    count = min(steps, 40) * BATCH
    pixels = random.integers(0, 256, (count + 200, 32, 32, 3), dtype=np.uint8)
    labels = np.arange(count + 200) % 10
    pixels[..., 0] //= 1 + labels[:, None, None].astype(np.uint8)  # something to learn
    np.savez(path, images=pixels, labels=labels)


def one_round(folder: Path, number: int, images: Path, steps: int) -> dict[str, Cell]:
    one = trained(folder, f"{number}-one", images, steps, 1, 2)
    two = trained(folder, f"{number}-two", images, steps, 2, 1)
    single = trained(folder, f"{number}-single", images, steps, 1, 1)
    apart, rounding = furthest(one, two), furthest(one, single)
    found: dict[str, Any] = json.loads((two / "messages.json").read_text())
    trace = trace_target("resnet20", "3x32x32")
    # Each process does half of a batch at one thread's speed.
    work = work_of(trace, batch=BATCH / 2, images_per_second=speed(single), reduced=True)
    network = Network(latency=found["latency"], bandwidth=found["bandwidth"])
    predicted = step_on(2, work, network).images_per_second
    return {
        "round": number,
        "one": speed(one),
        "two": speed(two),
        "ratio": speed(two) / speed(one),
        "single": speed(single),
        "predicted": predicted,
        "off": speed(two) / predicted,
        "latency": found["latency"] * 1e6,
        "bandwidth": found["bandwidth"] / 1e9,
        "apart": apart,
        "rounding": rounding,
        "times": apart / rounding,
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--worker", nargs=4)
    given = parser.parse_args()
    if given.worker:
        out, images, steps, threads = given.worker
        worker(Path(out), Path(images), int(steps), int(threads))
        return
    head, changed = commit()
    with tempfile.TemporaryDirectory() as folder:
        images = Path(folder) / "drawn.npz"
        drawn(images, given.steps)
        rows: list[dict[str, Cell]] = []
        for number in range(1, given.rounds + 1):
            rows.append(one_round(Path(folder), number, images, given.steps))
            print(rows[-1], file=sys.stderr)
    write(
        Record(
            title="Two processes beside one",
            what=(
                f"A resnet20 on drawn pictures of 3×32×32, fp32, batches of {BATCH}, "
                f"{given.steps} steps: two processes of one thread, batch norms reduced, against "
                "one process of two threads; and what striate cluster predicts of the two."
            ),
            command=command(),
            commit=head,
            changed=changed,
            date=today(),
            hardware=hardware(),
            versions=versions(),
            seeds=(0,),
            columns=(
                Column(key="round", title="round", shown="d"),
                Column(key="one", title="one process", unit="images/s", shown=",.0f"),
                Column(key="two", title="two processes", unit="images/s", shown=",.0f"),
                Column(key="ratio", title="two / one", shown=".2f"),
                Column(key="single", title="one thread", unit="images/s", shown=",.0f"),
                Column(key="predicted", title="predicted", unit="images/s", shown=",.0f"),
                Column(key="off", title="measured / predicted", shown=".2f"),
                Column(key="latency", title="latency", unit="µs", shown=",.0f"),
                Column(key="bandwidth", title="bandwidth", unit="GB/s", shown=".2f"),
                Column(key="apart", title="losses apart by", shown=".1e"),
                Column(key="rounding", title="by rounding alone", shown=".1e"),
                Column(key="times", title="apart / rounding", shown=".1f"),
            ),
            rows=tuple(rows),
            averaged=("ratio", "off"),
            claims=(
                Claim(
                    text="Two processes reach 0.85 of the speed of one with as many threads",
                    column="ratio",
                    at_least=0.85,
                ),
                Claim(
                    text="No loss of the two is further from that of the one than 1e-3 of it",
                    column="apart",
                    by="largest",
                    at_most=1e-3,
                    missed="Rounding alone drives them as far: see the next.",
                ),
                Claim(
                    text="Nor three times as far as that of one process of one thread",
                    column="times",
                    by="largest",
                    at_most=3,
                ),
            ),
            notes=("By rounding alone: one process of one thread from the one of two threads.",),
        ),
        "procs",
    )


if __name__ == "__main__":
    main()
