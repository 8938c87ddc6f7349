"""Train digits in one process and in two, killed and stopped ones too; compare norms; print JSON.

One process imports torch once and forks the others, before any thread exists.  What is printed:
``norms``: case → greatest differences between reduced norms of two processes and ``nn.BatchNorm2d``
over the joined batch; ``ways``: scenario → how messages went; ``runs``: scenario → losses by step,
digests of the weights and of what each step saw.  Run by
``test_processes.py``: ``python processes_driver.py FOLDER``.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch._dynamo  # optimisers import it: a second in each child otherwise
import torch.distributed as dist
from torch import Tensor, nn

import striate.training.loop as loop
from striate.arch import Arch, Head, Stage, Stem
from striate.building import build
from striate.data import Batch, batches, open_data
from striate.errors import Interrupted, ProcessLost
from striate.flow.slurm import torch_names
from striate.records import StepRecord
from striate.runs import RunFolder, read_metrics
from striate.training import (
    Recipe,
    begin_run,
    freeze,
    joined,
    load_recipe,
    lost_processes,
    plan,
    train,
)
from striate.training.messages import Messages
from striate.training.norms import ReducedNorms

ARCH = Arch(
    name="small",
    image=(1, 8, 8),
    classes=10,
    stem=Stem(width=8),
    stages=(Stage(block="basic", depth=1, width=16, stride=2),),
    head=Head(dropout=0.3),
)
DATASET = open_data("digits")
WANTED = Recipe().with_(
    {
        "seed": 3,
        "epochs": 2,
        "batch_size": 64,  # 20 batches of 62 or 63: slices of 31 and 32
        "lr": 0.05,
        "label_smoothing": 0.1,
        "clip": 1.0,
        "ema": 0.9,
        "augment.flip": True,
        "augment.translate": 1,
        "augment.cutout": 2,
    }
)


def recipe(threads: int, **changes: Any) -> Recipe:
    """The recipe, frozen."""
    sizes = {"train_images": len(DATASET.train), "val_images": len(DATASET.val)}
    timed = plan(WANTED, **sizes, images_per_second=None)
    wanted = WANTED.with_({"threads": threads, **changes})
    return freeze(wanted, timed, setting="fp32", decoder=DATASET.decoder)


def port() -> int:
    """One that is free."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def by_hand(rank: int, count: int) -> dict[str, str]:
    """A process's place, as torch reads it."""
    return {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "LOCAL_WORLD_SIZE": str(count),
        "WORLD_SIZE": str(count),
        "MASTER_ADDR": "127.0.0.1",
    }


def on_two_machines(rank: int, count: int) -> dict[str, str]:
    """The same, as if each process had a machine of its own."""
    return by_hand(rank, count) | {"LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "1"}


def by_slurm(rank: int, count: int) -> dict[str, str]:
    """The same place, from what srun tells a task of a step on this machine alone."""
    step = {
        "SLURM_JOB_ID": str(os.getppid()),
        "SLURM_STEP_ID": "0",
        "SLURM_NTASKS": str(count),
        "SLURM_STEP_NUM_TASKS": str(count),
        "SLURM_STEP_TASKS_PER_NODE": str(count),
        "SLURM_STEP_NODELIST": "localhost",
        "SLURM_NODEID": "0",
        "SLURM_PROCID": str(rank),
        "SLURM_LOCALID": str(rank),
    }
    return torch_names(step)


def forked(
    run: Callable[[int], None], count: int, place: Callable[[int, int], dict[str, str]] = by_hand
) -> list[int]:
    """Run in ``count`` forked processes that find each other; how each ended, as an exit code."""
    free = str(port())
    numbers: list[int] = []
    for rank in range(count):
        number = os.fork()
        if number == 0:
            code = 1
            try:
                os.environ.update(place(rank, count), MASTER_PORT=free)
                run(rank)
                code = 0
            except (Interrupted, ProcessLost) as error:
                code = error.exit_code
            except BaseException:  # noqa: BLE001 # the child ends here, whatever it was
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(code)
        numbers.append(number)
    return [os.waitstatus_to_exitcode(os.waitpid(number, 0)[1]) for number in numbers]


def targets(batch: Batch) -> list[bytes]:
    """Of each sample, what it is to be: its label and, where it is mixed, its partner's too."""
    own = [label.to_bytes(8) for label in batch.labels.tolist()]
    if batch.mixed is None:
        return own
    rows = zip(own, batch.mixed.labels, batch.mixed.share, strict=True)
    return [
        label if share == 1 else label + other.tobytes() + share.tobytes()
        for label, other, share in rows
    ]


def watching(file: Path) -> None:
    """From now on every batch that is trained on is written to ``file``, sample by sample."""

    def watched(*arguments: Any, start: int = 0, **options: Any) -> Iterator[Batch]:
        epoch = options["epoch"]
        for number, batch in enumerate(batches(*arguments, start=start, **options), start):
            seen = [
                [f"{word:016x}", hashlib.sha256(pixels.tobytes() + target).hexdigest()[:16]]
                for word, pixels, target in zip(
                    batch.ids.tolist(), batch.pixels, targets(batch), strict=True
                )
            ]
            with file.open("a") as out:
                out.write(json.dumps([epoch, number, seen]) + "\n")
            yield batch

    loop.batches = watched


def followed(
    out: Path,
    wanted: Recipe | None,
    *,
    rank: int,
    die_after: int = 0,
    term_after: int = 0,
    every: float | None = None,
) -> None:
    """Train in this process; begin with ``wanted``, or go on with what lies in ``out``."""
    watching(out.with_suffix(f".{rank}.jsonl"))
    with joined() as together, lost_processes(together):
        if wanted is not None and together.writes:
            with RunFolder.create(out) as begun:
                begin_run(begun, ARCH, DATASET, wanted, data={"spec": "digits"})
        if together.group is not None:
            dist.barrier()
        with (RunFolder.open if together.writes else RunFolder.follow)(out) as folder:
            stored = load_recipe(folder.paths.recipe)
            records = train(
                build(ARCH, seed=stored.seed),
                DATASET,
                stored,
                folder,
                resume=wanted is None,
                together=together,
                checkpoint_every=every,
            )
            for record in records:
                if isinstance(record, StepRecord):
                    if record.step == die_after:
                        os.kill(os.getpid(), signal.SIGKILL)
                    if record.step == term_after:
                        os.kill(os.getpid(), signal.SIGTERM)


def told(out: Path) -> dict[str, Any]:
    """Losses by step, and digests of the weights and of the samples of each step."""
    seen: dict[tuple[int, int], list[list[str]]] = {}
    parts: dict[tuple[int, int, int], list[list[str]]] = {}
    for rank in (0, 1):
        file = out.with_suffix(f".{rank}.jsonl")
        for line in file.read_text().splitlines() if file.exists() else []:
            epoch, number, samples = json.loads(line)
            # A step that was taken again, after a kill, saw what it saw before.
            assert parts.setdefault((epoch, number, rank), samples) == samples
    for (epoch, number, _), samples in parts.items():
        seen.setdefault((epoch, number), []).extend(samples)
    records = read_metrics(out / "metrics.jsonl")
    steps = [record for record in records if isinstance(record, StepRecord)]
    weights = (out / "weights.safetensors").read_bytes()
    return {
        "losses": [record.loss for record in steps],
        "images": [record.images for record in steps],
        "right": [round(record.accuracy * record.images) for record in steps],
        "weights": hashlib.sha256(weights).hexdigest(),
        "seen": {f"{epoch}.{number}": sorted(found) for (epoch, number), found in seen.items()},
        "checkpoints": sorted(path.name for path in (out / "checkpoint").iterdir()),
    }


def runs(root: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}

    def two(name: str, wanted: Recipe | None, **options: Any) -> list[int]:
        return forked(lambda rank: followed(root / name, wanted, rank=rank, **options), 2)

    assert forked(lambda rank: followed(root / "one", recipe(2), rank=rank), 1) == [0]
    assert two("two", recipe(1)) == [0, 0]
    far = partial(followed, root / "two, far", recipe(1))
    assert forked(lambda rank: far(rank=rank), 2, on_two_machines) == [0, 0]
    assert two("local", recipe(1, norms="local")) == [0, 0]
    mixing = {"mix.mixup": 0.4, "mix.cutmix": 1.0, "mix.share": 0.8}
    in_one = partial(followed, root / "one, mixed", recipe(2, **mixing))
    assert forked(lambda rank: in_one(rank=rank), 1) == [0]
    assert two("two, mixed", recipe(1, **mixing)) == [0, 0]
    as_task = partial(followed, root / "slurm", recipe(1))
    assert forked(lambda rank: as_task(rank=rank), 2, by_slurm) == [0, 0]

    def dying(rank: int) -> None:
        after = 27 if rank == 1 else 0
        followed(root / "killed", recipe(1), rank=rank, die_after=after, every=0.0)

    assert forked(dying, 2) == [ProcessLost.exit_code, -signal.SIGKILL]
    written = list(read_metrics(root / "killed" / "metrics.jsonl"))
    found["step of the killed"] = sum(isinstance(record, StepRecord) for record in written)
    assert two("killed", None) == [0, 0]

    def stopping(rank: int) -> None:
        after = 13 if rank == 1 else 0
        followed(root / "stopped", recipe(1), rank=rank, term_after=after)

    assert forked(stopping, 2) == [130, 130]
    assert forked(lambda rank: followed(root / "stopped", None, rank=rank), 1) == [0]
    for out in root.iterdir():
        if out.is_dir():
            found[out.name] = told(out)
    return found


CASES = [
    (dtype, order, affine)
    for dtype in (torch.float32, torch.float64, torch.bfloat16)
    for order in (torch.contiguous_format, torch.channels_last)
    for affine in (True, False)
]


def one_norm(
    rank: int, messages: Messages, dtype: torch.dtype, order: torch.memory_format, affine: bool
) -> list[float]:
    """Greatest differences of output, gradients and running statistics, relative to the oracle's
    greatest: ``nn.BatchNorm2d`` in double precision over the joined batch.
    """
    generator = torch.Generator().manual_seed(1)
    # Channels whose means lie up to 40 deviations from nought, where a sum of squares is lost.
    far = 40 * torch.arange(6).view(1, 6, 1, 1)
    x = (torch.randn(10, 6, 5, 5, generator=generator) + far).to(dtype)
    g = torch.randn(10, 6, 5, 5, generator=generator).to(dtype)
    oracle, ours = nn.BatchNorm2d(6, affine=affine), nn.BatchNorm2d(6, affine=affine)
    if affine:
        nn.init.uniform_(oracle.weight, 0.5, 1.5, generator=generator)
        nn.init.uniform_(oracle.bias, generator=generator)
        ours.load_state_dict(oracle.state_dict())
    oracle.double()
    ours.to(torch.promote_types(dtype, torch.float32))
    own = slice(0, 3) if rank == 0 else slice(3, 10)
    whole = x.double().clone().requires_grad_()
    expected = oracle(whole)
    expected.backward(g.double())
    part = x[own].contiguous(memory_format=order).clone().requires_grad_()
    with ReducedNorms(messages):
        got = ours(part)
        got.backward(g[own].contiguous(memory_format=order))
    assert got.dtype == dtype
    assert got.is_contiguous(memory_format=order)
    assert whole.grad is not None
    assert part.grad is not None
    pairs: list[tuple[Tensor, Tensor]] = [
        (got, expected[own]),
        (part.grad, whole.grad[own]),
        (ours.running_mean, oracle.running_mean),
        (ours.running_var, oracle.running_var),
        (ours.num_batches_tracked, oracle.num_batches_tracked),
    ]
    for mine, right in zip(ours.parameters(), oracle.parameters(), strict=True):
        assert mine.grad is not None
        dist.all_reduce(mine.grad)
        pairs.append((mine.grad, right.grad))
    return [
        ((mine.double() - right).abs().max() / right.abs().max()).item() for mine, right in pairs
    ]


def norms(root: Path) -> dict[str, list[float]]:
    def compared(rank: int) -> None:
        with joined() as together:
            assert together.messages is not None
            found = {str(case): one_norm(rank, together.messages, *case) for case in CASES}
        (root / f"norms.{rank}").write_text(json.dumps(found))

    assert forked(compared, 2) == [0, 0]
    first, second = (json.loads((root / f"norms.{rank}").read_text()) for rank in (0, 1))
    return {case: list(map(max, first[case], second[case])) for case in first}


def ways(root: Path) -> dict[str, list[str]]:
    """Scenario → by what the messages of each process went, and what one of them was."""

    def spoken(rank: int, name: str, folders: list[Path]) -> None:
        tempfile.tempdir = str(folders[rank])
        with joined() as together:
            assert together.messages is not None
            rows = together.messages.gather(torch.tensor([rank, 7.0], dtype=torch.float64))
            told = f"{type(together.messages).__name__} {rows.tolist()}"
        assert not list(folders[rank].iterdir())
        (root / f"{name}.{rank}").write_text(told)

    near, far = root / "near", root / ("far" * 40)
    scenarios = {
        "here": ([near, near, near], by_hand),
        "one path is too long for a socket": ([near, near, far], by_hand),
        "on machines apart": ([near, near, near], on_two_machines),
    }
    for folder in (near, far):
        folder.mkdir()
    found: dict[str, list[str]] = {}
    for name, (folders, place) in scenarios.items():
        assert forked(partial(spoken, name=name, folders=folders), 3, place) == [0, 0, 0]
        found[name] = [(root / f"{name}.{rank}").read_text() for rank in range(3)]
    return found


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    (folder / "runs").mkdir()
    told_by_all = {"norms": norms(folder), "ways": ways(folder), "runs": runs(folder / "runs")}
    sys.stdout.write(json.dumps(told_by_all))
