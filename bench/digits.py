"""``striate fit`` on the built-in digits, with everything at its default, for three seeds.

    python bench/digits.py

Each seed is a process of its own, as a user would start it; its accuracy is on the held-out test
images, which no choice (checkpoint, setting, stop) has looked at.  The seed decides weights, order
and augmentation; the split is the same for all.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

from common import command, commit, hardware, today, versions, write
from record import Cell, Claim, Column, Record
from striate.data import open_data

SEEDS = (0, 1, 2)


def fit(seed: int, folder: Path) -> dict[str, Any]:
    """One run, in a process of its own: the document that ``striate fit --json`` prints."""
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("striate")), "fit", "digits",
            "--seed", str(seed), "--out", str(folder / f"seed{seed}"), "--reprobe", "--json",
        ],
        check=True, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    return json.loads(done.stdout)


def main() -> None:
    head, changed = commit()
    rows: list[dict[str, Cell]] = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in SEEDS:
            run = fit(seed, Path(folder))
            recipe = tomllib.loads((Path(run["run"]) / "recipe.toml").read_text("utf-8"))
            test = open_data("digits").test
            rows.append(
                {
                    "seed": seed,
                    "accuracy": run["accuracy"],
                    "loss": run["loss"],
                    "ece": run["ece"],
                    "images": len(test),
                    "arch": run["arch"],
                    "epochs": run["epochs"],
                    "seconds": round(run["seconds"], 2),
                    "rate": round(run["images_per_second"]),
                    "setting": run["setting"],
                    "threads": recipe["threads"],
                }
            )
            print(f"seed {seed}: {run['accuracy']:.2%} in {run['seconds']:.1f} s", file=sys.stderr)
    write(
        Record(
            title="The built-in digits, from nothing",
            what=(
                "Top-1 accuracy of `striate fit` with everything at its default on the held-out "
                "images of scikit-learn's 1,797 scanned digits (8×8 pixels, ten classes)."
            ),
            command=command(),
            commit=head,
            changed=changed,
            date=today(),
            hardware=hardware(),
            versions=versions(("torch", "numpy", "scikit-learn")),
            seeds=SEEDS,
            columns=(
                Column(key="seed", title="seed", shown="d"),
                Column(key="accuracy", title="accuracy", shown=".2%"),
                Column(key="loss", title="loss", unit="nats", shown=".4f"),
                Column(key="ece", title="ECE", shown=".4f"),
                Column(key="images", title="test images", shown="d"),
                Column(key="arch", title="network"),
                Column(key="epochs", title="epochs", shown="d"),
                Column(key="seconds", title="training", unit="s", shown=".1f"),
                Column(key="rate", title="rate", unit="images/s", shown=",d"),
                Column(key="setting", title="setting"),
                Column(key="threads", title="threads", shown="d"),
            ),
            rows=tuple(rows),
            averaged=("accuracy", "ece", "seconds"),
            claims=(
                Claim(text="at least 98.5 % of the test images", column="accuracy", at_least=0.985),
                Claim(text="trained in under a minute on two cores", column="seconds", at_most=60),
            ),
        ),
        "digits",
    )


if __name__ == "__main__":
    main()
