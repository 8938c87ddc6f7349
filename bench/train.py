"""Accuracy against wall time on CIFAR-10: striate's recipe quick beside airbench and other tools.

    python bench/train.py ../shared/data/cifar10 [--seeds N] [--minutes N] [--peers PYTHON]

Each row is a process of its own (``bench/train_*.py``), one after the other, seed by seed, so that
ours and airbench's stand next to each other on the same machine.  timm, fastai and Keras need their
own environment (``bench/requirements-train.txt``), whose Python ``--peers`` names; without it they
are left out, and the record says so.

Every finished row is one line of ``runs/train.jsonl`` and never trained again; kill it anywhere and
start it again.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from common import ROOT, commit, hardware, today, versions, write
from record import Cell, Claim, Column, Picture, Record, Table

KEPT = ROOT / "runs" / "train.jsonl"
OURS, PORT = "train_ours.py", "train_airbench.py"
PEERS = ("train_timm.py", "train_fastai.py", "train_keras.py")
LIMIT = 5 * 60.0
"""Seconds after which all are compared."""


@dataclass(frozen=True, kw_only=True)
class Told:
    """One evaluation.  ``seconds`` of training before it; accuracies in 0…1."""

    row: str
    seconds: float
    accuracy: float
    views: float | None = None
    final: bool = False


@dataclass(frozen=True, kw_only=True)
class Done:
    """One finished row: its key, and everything it told, in order."""

    script: str
    seed: int
    minutes: float
    told: tuple[Told, ...]
    settings: str = ""

    @property
    def last(self) -> Told:
        """What it ended with."""
        return self.told[-1]

    def after(self, seconds: float) -> float:
        """The last accuracy that was seen within ``seconds`` of training; 0 before the first."""
        seen = [one.accuracy for one in self.told if one.seconds <= seconds * 1.02]
        return seen[-1] if seen else 0.0


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("data", help="CIFAR-10 as striate opens it")
    asked.add_argument("--seeds", type=int, default=3)
    asked.add_argument("--minutes", type=float, default=6.0, help="of our rows")
    asked.add_argument("--peers", type=Path, help="the Python that has timm, fastai and Keras")
    asked.add_argument("--note", help="what else is to be known of rows that were kept")
    options = asked.parse_args()
    if options.seeds < 2:
        asked.error(f"--seeds {options.seeds}: a standard error needs at least 2")
    jobs = [(script, seed) for seed in range(options.seeds) for script in (OURS, PORT)]
    if options.peers is not None:
        jobs[2:2] = [(script, 0) for script in PEERS]
    done = [_done(script, seed, options) for script, seed in jobs]
    write(record(done, options), "train")


def _done(script: str, seed: int, options: argparse.Namespace) -> Done:
    """The row, trained unless a line of ``KEPT`` holds it."""
    minutes = options.minutes if script == OURS else LIMIT / 60
    for one in _kept():
        if (one.script, one.seed, one.minutes) == (script, seed, minutes):
            return one
    python = options.peers if script in PEERS else Path(sys.executable)
    asked = [str(python), str(ROOT / "bench" / script), options.data]
    asked += ["--seed", str(seed), "--minutes", str(minutes)]
    print(f"{script} seed {seed} …", file=sys.stderr, flush=True)
    ran = subprocess.run(asked, stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT)
    lines: list[dict[str, Any]] = [
        json.loads(line) for line in ran.stdout.splitlines() if line.startswith("{")
    ]
    keys = ("row", "seconds", "accuracy", "views", "final")
    told = tuple(Told(**{key: line[key] for key in keys if key in line}) for line in lines)
    if not told or not told[-1].final:
        raise SystemExit(f"{script} seed {seed}: ended without a last evaluation")
    found = Done(
        script=script,
        seed=seed,
        minutes=minutes,
        told=told,
        settings=str(lines[-1].get("settings", "")),
    )
    KEPT.parent.mkdir(exist_ok=True)
    with KEPT.open("a", encoding="utf-8") as kept:
        kept.write(json.dumps(asdict(found)) + "\n")
    last = found.last
    print(f"  {last.row}: {last.accuracy:.2%} after {last.seconds:.0f} s", file=sys.stderr)
    return found


def _kept() -> list[Done]:
    if not KEPT.exists():
        return []
    found: list[Done] = []
    for line in KEPT.read_text(encoding="utf-8").splitlines():
        plain = json.loads(line)
        told = tuple(Told(**one) for one in plain.pop("told"))
        found.append(Done(**plain, told=told))
    return found


def record(done: Sequence[Done], options: argparse.Namespace) -> Record:
    """A row for every evaluation; ratios stand in the rows of our last ones."""
    head, changed = commit()
    port = [one for one in done if one.script == PORT]
    peers = [one for one in done if one.script in PEERS]
    rows: list[dict[str, Cell]] = []
    fastest = min((one.last.seconds for one in port), default=None)
    for one in done:
        best = max((peer.after(LIMIT) for peer in peers), default=None)
        for told in one.told:
            mine = one.script == OURS and told.final
            rows.append({
                "row": told.row,
                "seed": one.seed,
                "seconds": told.seconds,
                "accuracy": 100 * told.accuracy,
                "views": None if told.views is None else 100 * told.views,
                "ratio": told.seconds / fastest if mine and fastest else None,
                "gain": 100 * (told.accuracy - fmean(p.last.accuracy for p in port))
                if mine and port else None,
                "views_gain": 100 * ((told.views or 0) - fmean(p.last.views or 0 for p in port))
                if mine and port else None,
                "ahead": 100 * (one.after(LIMIT) - best) if mine and best is not None else None,
            })  # fmt: skip
    claims = [
        Claim(text="time against the airbench port's fastest run", column="ratio", at_most=0.7),
        Claim(
            text="points above the port's mean accuracy",
            column="gain",
            at_least=0.0,
            missed="Short by 0.05 points, where the mean of three seeds of ours has a standard "
            "error of 0.20 and the port's one of 0.05: neither worse nor better is shown.",
        ),
        Claim(
            text="the same with six views",
            column="views_gain",
            at_least=0.0,
            missed="Short by 0.12 points, with standard errors of 0.21 and 0.09.",
        ),
    ]
    if peers:
        claims.append(
            Claim(
                text="points above the best of timm, fastai and Keras after 5 minutes",
                column="ahead",
                by="smallest",
                at_least=5.0,
            )
        )
    notes = [f"{one.last.row}: {one.settings}" for one in peers if one.settings]
    if options.note:
        notes.append(options.note)
    if not peers:
        notes.append("timm, fastai and Keras were not run.")
    return Record(
        title="Accuracy against wall time on CIFAR-10",
        what=(
            "CIFAR-10 (re-compressed to JPEG, which is harder than the original), all 50,000 "
            "training images, all 10,000 test images. The clock of each row starts when the images "
            "are read and stands while accuracy is measured; ours holds the choice of the network, "
            f"the probe and the checkpoints. Ours: striate fit --recipe quick --minutes "
            f"{options.minutes:g} --val 0. airbench94_muon: eight epochs, written afresh from its "
            "description, in bfloat16 and channels-last; its fastest run is what ours is held "
            "against, since whatever else a machine does only lengthens a run. Views: Jordan's six "
            "test-time views, for both. The others are their libraries' defaults, planned to five "
            "minutes."
        ),
        command=f"python bench/train.py {options.data} --seeds {options.seeds} "
        f"--minutes {options.minutes:g}" + (" --peers PYTHON" if peers else ""),
        commit=head,
        changed=changed,
        date=today(),
        hardware=hardware(),
        versions=versions(),
        seeds=tuple(range(options.seeds)),
        columns=(
            Column(key="row", title="row"),
            Column(key="seed", title="seed"),
            Column(key="seconds", title="time", unit="s", shown=".0f"),
            Column(key="accuracy", title="accuracy", unit="%", shown=".2f"),
            Column(key="views", title="with six views", unit="%", shown=".2f"),
            Column(key="ratio", title="of the port's least time", shown=".2f"),
            Column(key="gain", title="above the port", unit="points", shown=".2f"),
            Column(key="views_gain", title="with views", unit="points", shown=".2f"),
            Column(
                key="ahead", title="above the best other after 5 min", unit="points", shown=".1f"
            ),
        ),
        rows=tuple(rows),
        claims=tuple(claims),
        notes=tuple(notes),
        tables=(
            Table(
                title="Every evaluation",
                columns=(
                    *("row", "seed", "seconds", "accuracy", "views"),
                    *("ratio", "gain", "views_gain", "ahead"),
                ),
            ),
        ),
        picture=Picture(
            title="Accuracy against wall time",
            x="seconds",
            y="accuracy",
            series="row",
            curve="seed",
        ),
    )


if __name__ == "__main__":
    main()
