"""The network of a run: named or chosen, made to fit the data, traced, built."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from torch.nn.parameter import UninitializedParameter

from striate.arch import Arch, adapt
from striate.building import build
from striate.data import Dataset
from striate.errors import StriateError, TargetError
from striate.flow.targets import Target, raised
from striate.records import Trace
from striate.runs import evaluating
from striate.tracing import trace
from striate.training.steady import steady_generators


def suited(target: Target, dataset: Dataset) -> Arch | Target:
    """The named network for this data's size and classes; a user's own module as it is."""
    if target.arch is None:
        return target
    return adapt(target.arch, image=dataset.image, classes=len(dataset.classes))


@dataclass(frozen=True, kw_only=True)
class Forward:
    """How a network is traced: in which mode, on how many images, with which optimiser."""

    train: bool = False
    batch: int = 1
    optimiser: str | None = None


def shapes_of(
    make: Callable[[], nn.Module],
    image: tuple[int, int, int],
    *,
    name: str,
    how: Forward = Forward(),
) -> Trace:
    """``trace``, whatever the user's forward does."""
    try:
        return trace(
            make, image, name=name, train=how.train, batch=how.batch, optimiser=how.optimiser
        )
    except SystemExit as error:  # anything else that a forward raises is in the Trace
        raise TargetError(f"{name}: {raised(error)}") from error


def traced(network: Arch | Target, image: tuple[int, int, int]) -> Trace:
    """The network's trace at ``image`` (C, H, W); TargetError where its forward fails."""
    if isinstance(network, Arch):
        found = trace(lambda: build(network, device="meta"), image, name=network.name)
    else:
        found = shapes_of(network.make, image, name=network.name)
    failure = found.failure
    if failure is not None:
        size = "x".join(map(str, image))
        mend = f"; {failure.hint}" if failure.hint else ""
        raise TargetError(
            f"{network.name} cannot take {size} images: {failure.path or 'forward'}: "
            f"{failure.message}{mend}"
        )
    return found


def built(network: Arch | Target, seed: int, image: tuple[int, int, int]) -> nn.Module:
    """The module with its first weights, a function of ``seed`` (for a user's own too)."""
    if isinstance(network, Arch):
        return build(network, seed=seed)
    with steady_generators(seed):
        return settled(network.make(), image, network.name)


def settled(module: nn.Module, image: tuple[int, int, int], name: str) -> nn.Module:
    """``module``, whose lazy parts, if there are any, have taken their shapes from an image."""
    if any(isinstance(p, UninitializedParameter) for p in module.parameters()):
        with users_errors(name), evaluating(module):
            module(torch.zeros(1, *image))
    return module


@contextmanager
def users_errors(name: str) -> Generator[None]:
    """TargetError for what the network ``name`` raises inside, which shapes alone did not tell.

    Only what is raised outside striate's own files, on the way through a module's call or its
    gradient, is taken for the network's; a fault of ours keeps its traceback.
    """
    try:
        yield
    except StriateError:
        raise
    # A user's forward may raise anything at all, and SystemExit would end the program in silence.
    except (Exception, SystemExit) as error:
        files = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
        if Path(files[-1]).is_relative_to(_OURS) or not any(map(_runs_networks, files)):
            raise
        raise TargetError(f"{name}: {raised(error)}") from error


_OURS = Path(__file__).parents[1]


_CALLS = ("torch/nn/modules/module.py", "torch/autograd/graph.py")


def _runs_networks(file: str) -> bool:
    return file.replace("\\", "/").endswith(_CALLS)
