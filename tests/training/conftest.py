"""A tiny data set and network, so that a training takes a second."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from torch import nn

from striate.arch import Arch, Head, Stage, Stem
from striate.building import build
from striate.data import Dataset, open_data
from striate.runs import RunFolder
from striate.training import Recipe, begin_run, freeze, plan

ARCH = Arch(
    name="tiny",
    image=(1, 8, 8),
    classes=10,
    stem=Stem(width=4),
    stages=(Stage(block="basic", depth=1, width=8, stride=2),),
    head=Head(dropout=0.1),
)


@pytest.fixture(scope="session")
def digits() -> Dataset:
    """300 of the digits to train on: five steps an epoch of the ``wanted`` recipe."""
    whole = open_data("digits")
    few = replace(whole.train, ids=whole.train.ids[:300], labels=whole.train.labels[:300])
    return replace(whole, train=few)


@pytest.fixture
def wanted() -> Recipe:
    """A recipe of three epochs, not frozen."""
    changes = {"epochs": 3, "batch_size": 64, "lr": 0.05, "ema": 0.5, "threads": 1}
    return Recipe().with_({**changes, "augment.translate": 1})


@pytest.fixture
def net() -> nn.Module:
    """A small residual network with batch norm and dropout."""
    return build(ARCH, seed=0)


@pytest.fixture
def begun(tmp_path: Path, digits: Dataset, wanted: Recipe) -> Callable[..., tuple[Any, Any]]:
    """``begun(dataset=…, changes…)`` → (frozen recipe, locked folder that has been begun)."""

    def begin(dataset: Dataset = digits, **changes: Any) -> tuple[Recipe, RunFolder]:
        recipe = wanted.with_(changes)
        sizes = {"train_images": len(dataset.train), "val_images": len(dataset.val)}
        timed = plan(recipe, **sizes, images_per_second=1000.0)
        frozen = freeze(recipe, timed, setting="fp32", decoder=dataset.decoder)
        folder = RunFolder.create(tmp_path / f"run{len(list(tmp_path.iterdir()))}")
        begin_run(folder, ARCH, dataset, frozen, data={"spec": "digits"})
        return frozen, folder

    return begin
