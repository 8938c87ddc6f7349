"""The network of a run: named or chosen, made to fit the data, traced, built."""

from __future__ import annotations

import torch
from torch import nn

from striate.arch import Arch, adapt
from striate.building import build
from striate.data import Dataset
from striate.errors import TargetError
from striate.flow.targets import Target
from striate.records import Trace
from striate.tracing import trace


def suited(target: Target, dataset: Dataset) -> Arch | Target:
    """The named network for this data's size and classes; a user's own module as it is."""
    if target.arch is None:
        return target
    return adapt(target.arch, image=dataset.image, classes=len(dataset.classes))


def traced(network: Arch | Target, image: tuple[int, int, int]) -> Trace:
    """The network's trace at ``image`` (C, H, W); TargetError where its forward fails."""
    if isinstance(network, Arch):
        found = trace(lambda: build(network, device="meta"), image, name=network.name)
    else:
        found = trace(network.make, image, name=network.name)
    failure = found.failure
    if failure is not None:
        size = "x".join(map(str, image))
        mend = f"; {failure.hint}" if failure.hint else ""
        raise TargetError(
            f"{network.name} cannot take {size} images: {failure.path or 'forward'}: "
            f"{failure.message}{mend}"
        )
    return found


def built(network: Arch | Target, seed: int) -> nn.Module:
    """The module with its first weights, a function of ``seed`` (for a user's own too)."""
    if isinstance(network, Arch):
        return build(network, seed=seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return network.make()
