"""Train digits in child processes that are killed at stated places, resume them, print digests.

One process imports torch once and forks a child for each training, before any thread exists.
Prints one JSON object: scenario → {digest of the weights, of the metrics, of every file's name}.
Run by ``test_resume.py``: ``python resume_driver.py FOLDER SETTING THREADS brief|all``.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import torch._dynamo  # noqa: F401 # optimisers import it: a second in each child otherwise

from striate.arch import Arch, Head, Stage, Stem
from striate.building import build
from striate.data import DataOptions, open_data
from striate.errors import Interrupted
from striate.records import StepRecord
from striate.runs import RunFolder, known_setting
from striate.training import Recipe, begin_run, freeze, load_recipe, plan, train

ARCH = Arch(
    name="small",
    image=(1, 8, 8),
    classes=10,
    stem=Stem(width=8),
    stages=(Stage(block="basic", depth=1, width=16, stride=2),),
    head=Head(dropout=0.3),
)
DATASET = open_data("digits", DataOptions())
WANTED = Recipe().with_(
    {
        "seed": 3,
        "minutes": 0.1,
        "batch_size": 64,
        "lr": 0.05,
        "label_smoothing": 0.1,
        "clip": 1.0,
        "ema": 0.9,
        "augment.flip": True,
        "augment.translate": 1,
        "augment.cutout": 2,
    }
)
SPEED = 560.0  # images/s, as a probe would tell: 47 steps, so that the third epoch is cut short


def recipe(setting: str, threads: int, workers: int) -> Recipe:
    """The timed recipe, frozen."""
    timed = plan(
        WANTED,
        train_images=len(DATASET.train),
        val_images=len(DATASET.val),
        images_per_second=SPEED,
    )
    wanted = WANTED.with_({"workers": workers, "threads": threads})
    return freeze(wanted, timed, setting=known_setting(setting), decoder=DATASET.decoder)


def kill() -> None:
    """The hardest end: no handler runs, nothing is flushed."""
    os.kill(os.getpid(), signal.SIGKILL)


def killing_sync(at: int) -> None:
    """From now on the process dies in its ``at``-th fsync: while a file is being written."""
    calls = 0
    sync = os.fsync

    def dying(handle: int) -> None:
        nonlocal calls
        calls += 1
        if calls == at:
            kill()
        sync(handle)

    os.fsync = dying


def child(run: Callable[[], None]) -> int:
    """Run in a forked process; its wait status as an exit code, negative for a signal."""
    number = os.fork()
    if number == 0:
        code = 1
        try:
            run()
            code = 0
        except Interrupted:
            code = Interrupted.exit_code
        finally:
            sys.stderr.flush()
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(number, 0)[1])


def start(out: Path, wanted: Recipe, *, die_after: int = 0, term_after: int = 0) -> None:
    """Begin a run; die, or ask for the end, after the given step."""
    with RunFolder.create(out) as folder:
        begin_run(folder, ARCH, DATASET, wanted, data={"spec": "digits"})
        follow(out, folder, wanted, resume=False, die_after=die_after, term_after=term_after)


def resume(out: Path, *, workers: int | None = None, die_after: int = 0) -> None:
    """Go on from what is in the folder alone."""
    with RunFolder.open(out) as folder:
        stored = load_recipe(folder.paths.recipe)
        if workers is not None:
            stored = stored.with_({"workers": workers})
        follow(out, folder, stored, resume=True, die_after=die_after)


def follow(
    out: Path,
    folder: RunFolder,
    wanted: Recipe,
    *,
    resume: bool,
    die_after: int = 0,
    term_after: int = 0,
) -> None:
    module = build(ARCH, seed=wanted.seed)
    for record in train(module, DATASET, wanted, folder, resume=resume):
        if isinstance(record, StepRecord):
            if record.step == die_after:
                kill()
            if record.step == term_after:
                os.kill(os.getpid(), signal.SIGTERM)


def digests(out: Path) -> dict[str, str]:
    """What must be the same: weights to the bit, metrics but for timings, the files' names."""
    lines: list[dict[str, object]] = []
    for line in (out / "metrics.jsonl").read_text().splitlines():
        fields = json.loads(line)
        lines.append({k: v for k, v in fields.items() if "second" not in k})
    names = sorted(str(path.relative_to(out)) for path in out.rglob("*"))
    return {
        "weights": hashlib.sha256((out / "weights.safetensors").read_bytes()).hexdigest(),
        "metrics": hashlib.sha256(json.dumps(lines).encode()).hexdigest(),
        "files": " ".join(names),
        "steps": str(sum(line["kind"] == "step" for line in lines)),
    }


def main(root: Path, setting: str, threads: int, *, brief: bool) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}

    def whole(name: str, workers: int) -> None:
        assert child(lambda: start(root / name, recipe(setting, threads, workers))) == 0
        found[name] = digests(root / name)

    def killed(name: str, workers: int, points: tuple[int, ...], after: int | None = None) -> None:
        out = root / name
        first = child(lambda: start(out, recipe(setting, threads, workers), die_after=points[0]))
        assert first == -signal.SIGKILL
        for point in points[1:]:
            died = child(lambda point=point: resume(out, workers=after, die_after=point))
            assert died == -signal.SIGKILL
        assert child(lambda: resume(out, workers=after)) == 0
        found[name] = digests(out)

    whole("whole, 0 workers", 0)
    whole("whole, 2 workers", 2)
    killed("killed four times, workers changed", 2, (3, 15, 27, 44), after=0)
    if brief:
        return found
    for point in (1, 7, 20, 33, 47):
        killed(f"killed after step {point}, 0 workers", 0, (point,))
    for point in (7, 20, 41):
        killed(f"killed after step {point}, 2 workers", 2, (point,))

    for sync in (5, 9, 11, 12, 14):  # in begin_run, metrics, checkpoints and their folders
        name = f"killed in fsync {sync}"
        out = root / name

        def dying(out: Path = out, sync: int = sync) -> None:
            killing_sync(sync)
            start(out, recipe(setting, threads, 0))

        assert child(dying) == -signal.SIGKILL
        if not (out / "run.json").exists():
            found[name] = {"begun": "no"}
            continue
        assert child(lambda out=out: resume(out)) == 0
        found[name] = digests(out)

    name = "stopped by SIGTERM"
    stopped = child(lambda: start(root / name, recipe(setting, threads, 2), term_after=13))
    assert stopped == Interrupted.exit_code
    assert child(lambda: resume(root / name)) == 0
    found[name] = digests(root / name)
    return found


if __name__ == "__main__":
    found = main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), brief=sys.argv[4] == "brief")
    sys.stdout.write(json.dumps(found))
