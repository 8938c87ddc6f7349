"""Train 301 digits with compiled steps in child processes, one of which is killed; print digests.

The parent imports the compiler and forks a child for each training, before anything is compiled:
each child compiles for itself, the first into an empty cache.  Prints one JSON object.
Run by ``test_compiling.py``: ``python compiling_driver.py FOLDER``.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import torch._inductor.compile_fx  # in the parent, once for all children
from safetensors.torch import load_file
from torch import nn
from torch._dynamo.utils import counters

from striate.building.blocks.dropout import Dropout
from striate.data import open_data
from striate.records import StepRecord
from striate.runs import RunFolder, Target
from striate.training import Recipe, begin_run, freeze, load_recipe, plan, train

DIGITS = open_data("digits")
# An epoch: one batch of 61, which is rare and not compiled, and four of 60, which are.
FEW = replace(DIGITS.train, ids=DIGITS.train.ids[:301], labels=DIGITS.train.labels[:301])
DATA = replace(DIGITS, train=FEW)
WANTED = Recipe().with_(
    {
        "epochs": 3, "batch_size": 64, "lr": 0.05, "ema": 0.5, "threads": 1,
        "augment.translate": 1, "mix.mixup": 0.2,
    }
)  # fmt: skip


def frozen(compiled: Any, workers: int) -> Recipe:
    sizes = {"train_images": len(DATA.train), "val_images": len(DATA.val)}
    timed = plan(WANTED, **sizes, images_per_second=None)
    wanted = WANTED.with_({"workers": workers})
    return freeze(wanted, timed, setting="fp32", decoder=DATA.decoder, compiled=compiled)


def child(run: Callable[[], None]) -> int:
    """Run in a forked process; its wait status as an exit code, negative for a signal."""
    number = os.fork()
    if number == 0:
        code = 1
        try:
            run()
            code = 0
        except BaseException:  # noqa: BLE001 # the test shows it
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(number, 0)[1])


def network() -> nn.Module:
    """As few layers as hold what matters, since each takes seconds to compile."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), Dropout(0.2, purpose="driver"),
            nn.Flatten(), nn.Linear(144, 10),
        )  # fmt: skip


def follow(folder: RunFolder, recipe: Recipe, *, resume: bool, die_after: int = 0) -> None:
    module = network()
    names = list(module.state_dict())
    for record in train(module, DATA, recipe, folder, resume=resume):
        if isinstance(record, StepRecord) and record.step == die_after:
            os.kill(os.getpid(), signal.SIGKILL)
    assert set(load_file(folder.paths.weights)) == set(names)
    assert list(module.state_dict()) == names
    graphs = int(counters["stats"]["unique_graphs"])
    (folder.path / "graphs").write_text(str(graphs))


def start(out: Path, compiled: str, workers: int, die_after: int = 0) -> None:
    recipe = frozen(compiled, workers)
    with RunFolder.create(out) as folder:
        begin_run(folder, Target.of("driver", network()), DATA, recipe, data={"spec": "digits"})
        follow(folder, recipe, resume=False, die_after=die_after)


def resume(out: Path, workers: int) -> None:
    with RunFolder.open(out) as folder:
        recipe = load_recipe(folder.paths.recipe).with_({"workers": workers})
        follow(folder, recipe, resume=True)


def told(out: Path) -> dict[str, Any]:
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    plain = [{k: v for k, v in line.items() if "second" not in k} for line in lines]
    return {
        "weights": hashlib.sha256((out / "weights.safetensors").read_bytes()).hexdigest(),
        "metrics": hashlib.sha256(json.dumps(plain).encode()).hexdigest(),
        "losses": [line["loss"] for line in lines if line["kind"] == "step"],
        "graphs": int((out / "graphs").read_text()),
        "compile": load_recipe(out / "recipe.toml").compile,
    }


def main(root: Path) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for name, compiled, workers in (("off", "off", 0), ("cold", "on", 0), ("warm", "on", 2)):
        assert child(lambda: start(root / name, compiled, workers)) == 0  # noqa: B023 # run at once
        found[name] = told(root / name)
    # In the second epoch; a checkpoint stands at the end of the first.
    assert child(lambda: start(root / "killed", "on", 0, die_after=9)) == -signal.SIGKILL
    assert child(lambda: resume(root / "killed", 1)) == 0
    found["killed"] = told(root / "killed")
    return found


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(Path(sys.argv[1]))))
