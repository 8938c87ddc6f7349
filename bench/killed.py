"""One training killed by SIGKILL at random moments, again and again: are its weights the same?

    python bench/killed.py [--kills 20] [--minutes 0.5] [--recipe NAME|FILE] [--data DATA]

A training with dropout, planned by minutes, is left alone once.  Then its frozen recipe is trained
with 0, 1 and 2 loader processes, each run killed ``--kills`` times from outside and resumed by
``striate fit --resume``: at moments drawn at random over its length, wherever the process is then
(a step, a checkpoint, the start of Python).  The sha256 of ``weights.safetensors`` is compared.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from common import command, commit, hardware, today, versions, write
from record import Cell, Claim, Column, Record

ARCH = """\
name = "small"
image = [1, 8, 8]
classes = 10

[stem]
width = 16

[[stages]]
block = "basic"
depth = 1
width = 32
stride = 2

[head]
dropout = 0.3
"""

RECIPE = """\
label_smoothing = 0.1
ema = 0.9
clip = 1.0

[augment]
flip = true
translate = 1
cutout = 2

[mix]
mixup = 0.4
cutmix = 1.0
"""

SEED = 0


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """``again``: steps that were taken more than once.  ``outside``: kills outside training."""

    kills: int
    again: int
    outside: int
    sha256: str


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--minutes", type=float, default=0.5)
    parser.add_argument("--recipe", default=None)
    parser.add_argument("--data", default="digits")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        whole = folder / "whole"
        left_alone(folder, whole, asked)
        steps = len(step_lines(whole / "metrics.jsonl"))
        first = digest(whole)
        rows: list[dict[str, Cell]] = [
            row("left alone", 0, Outcome(kills=0, again=0, outside=0, sha256=first), first)
        ]
        for workers in (0, 1, 2):
            found = killed(whole, folder / f"killed-{workers}", workers, asked.kills)
            rows.append(row("killed", workers, found, first))
            print(rows[-1], flush=True)
        recipe = (whole / "recipe.toml").read_text(encoding="utf-8")
    head, changed = commit()
    print(recipe)
    write(
        Record(
            title=f"A training killed {asked.kills} times ends with the same weights",
            what=f"One training of {steps:,} steps on {asked.data}, planned by {asked.minutes:g} "
            f"minutes, by {asked.recipe or 'a recipe with every keyed draw'}, with dropout: left "
            f"alone, and killed by SIGKILL from outside at {asked.kills} random moments with 0, 1 "
            "and 2 loader processes.",
            command=command(),
            commit=head,
            changed=changed,
            date=today(),
            hardware=hardware(),
            versions=versions(),
            seeds=(SEED,),
            columns=(
                Column(key="run", title="run"),
                Column(key="workers", title="loader processes", shown="d"),
                Column(key="kills", title="SIGKILLs", shown="d"),
                Column(key="outside", title="of them before or after the steps", shown="d"),
                Column(key="again", title="steps taken again", shown=",d"),
                Column(key="sha256", title="weights' sha256"),
                Column(key="same", title="same weights"),
            ),
            rows=tuple(rows),
            claims=(
                Claim(
                    text="Every run ends with the weights of the one that was left alone",
                    column="same",
                    at_least=1,
                ),
            ),
        ),
        "killed",
    )


def row(run: str, workers: int, found: Outcome, first: str) -> dict[str, Cell]:
    return {
        "run": run,
        "workers": workers,
        "kills": found.kills,
        "outside": found.outside,
        "again": found.again,
        "sha256": found.sha256[:16],
        "same": found.sha256 == first,
    }


def left_alone(folder: Path, out: Path, asked: argparse.Namespace) -> None:
    """The training that nobody disturbs; its plan is by minutes."""
    (folder / "small.toml").write_text(ARCH)
    (folder / "recipe.toml").write_text(RECIPE)
    line = [
        *("fit", asked.data, "--arch", folder / "small.toml", "--threads", "1", "--quiet"),
        *("--recipe", asked.recipe or folder / "recipe.toml", "--minutes", str(asked.minutes)),
        *("--seed", str(SEED), "--out", out),
    ]
    subprocess.run(striate(*line), check=True, env=environment())


def killed(whole: Path, run: Path, workers: int, kills: int) -> Outcome:
    """Begin ``whole`` anew with other loaders, kill it ``kills`` times, let it end."""
    begin_again(whole, run, workers)
    rng = random.Random(workers)
    length = (whole / "metrics.jsonl").stat().st_size
    taken = outside = 0
    for at in sorted(rng.uniform(0, 0.98) for _ in range(kills)):
        inside, steps = kill_once(run, round(at * length), rng.uniform(0, 0.3))
        outside += not inside
        taken += steps
    before = checkpointed(run)
    subprocess.run(striate("fit", "--quiet", "--resume", run), check=True, env=environment())
    steps = len(step_lines(run / "metrics.jsonl"))
    return Outcome(
        kills=kills, again=taken + (steps - before) - steps, outside=outside, sha256=digest(run)
    )


def kill_once(run: Path, length: int, wait: float) -> tuple[bool, int]:
    """Resume, and kill it ``wait`` seconds after the metrics have come to ``length`` bytes; whether
    it was taking steps then, and how many it had taken.
    """
    metrics, before = run / "metrics.jsonl", checkpointed(run)
    found = len(step_lines(metrics))
    process = subprocess.Popen(
        striate("fit", "--quiet", "--resume", run), env=environment(), start_new_session=True
    )
    while not metrics.exists() or metrics.stat().st_size < length:
        if process.poll() is not None:
            raise SystemExit(f"{run}: ended by itself with {process.returncode}")
        time.sleep(0.001)
    time.sleep(wait)
    process.kill()
    if process.wait() != -signal.SIGKILL:
        raise SystemExit(f"{run}: ended by itself with {process.returncode}")
    after = len(step_lines(metrics))
    inside = after != found or checkpointed(run) != before
    return inside, max(0, after - before) if inside else 0


def begin_again(whole: Path, run: Path, workers: int) -> None:
    """A copy of ``whole`` as it was before step 1, but for the loader processes."""
    run.mkdir()
    for name in ("arch.toml", "preprocessing.json"):
        shutil.copy(whole / name, run / name)
    recipe = (whole / "recipe.toml").read_text(encoding="utf-8")
    (run / "recipe.toml").write_text(recipe.replace("workers = 0", f"workers = {workers}"))
    info = json.loads((whole / "run.json").read_text(encoding="utf-8"))
    (run / "run.json").write_text(json.dumps({**info, "state": "training", "result": None}))


def checkpointed(run: Path) -> int:
    """The step of the newest checkpoint; 0 where there is none."""
    names = sorted(path.stem for path in (run / "checkpoint").glob("step-*.safetensors"))
    return int(names[-1].removeprefix("step-")) if names else 0


def step_lines(metrics: Path) -> list[str]:
    if not metrics.exists():
        return []
    lines = metrics.read_text(encoding="utf-8").split("\n")[:-1]
    return [line for line in lines if line.startswith('{"kind": "step"')]


def digest(run: Path) -> str:
    return hashlib.sha256((run / "weights.safetensors").read_bytes()).hexdigest()


def striate(*words: str | Path) -> list[str]:
    return [sys.executable, "-m", "striate", *map(str, words)]


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}


if __name__ == "__main__":
    main()
