"""The first writing into a run's folder, before step 1."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from striate.arch import Arch
from striate.data import Dataset
from striate.runs import Preprocessing, RunFolder, RunInfo, Target, save_weights
from striate.training.recipe import Recipe, to_toml


def begin_run(
    folder: RunFolder,
    network: Arch | Target,
    dataset: Dataset,
    recipe: Recipe,
    *,
    data: Mapping[str, Any],
    notes: Mapping[str, Any] | None = None,
    start: nn.Module | None = None,
) -> None:
    """Write network, preprocessing, frozen recipe and run.json into the fresh ``folder``.

    ``data``: plain values with which the caller opens the data set again; the data's fingerprint
    is added.  ``notes``: plain values to keep with the run (the probe's table, reasons).
    ``start``: the module, where its weights are no function of the recipe's seed, and so are kept.
    """
    if start is not None:
        save_weights(folder.paths.start, start)
    info = RunInfo(
        network=network.name if isinstance(network, Arch) else network.target,
        data={**data, "fingerprint": dataset.fingerprint},
        notes=dict(notes or {}),
    )
    folder.begin(
        network, info=info, preprocessing=Preprocessing.of(dataset), recipe=to_toml(recipe)
    )
