"""The filters of the first convolution, and whether they show anything that was learned.

A wall of random weights looks like a wall of filters.  So two things are shown.  The weights as
they are: withheld where most of them is still the random start, or where they are arranged in
space no better than the same weights shuffled.  And what training added to them, the part that
is at right angles to the start: withheld where it has no order, or where the network hardly
notices when it is taken away.

Comes in: a Subject.  Goes out: Evidence ``filters`` and ``filters.learned``, each with ``weights``
(filters, channels, kh, kw).
"""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from striate import keyed
from striate.records import Check, Evidence
from striate.runs import evaluating
from striate.seeing.passing import submodules
from striate.seeing.subject import Subject

SHUFFLES = 999
MOST_START = 0.5
MOST_CHANCE = 0.01
LEAST_EFFECT = 0.1

Weights = NDArray[np.float64]


def filters(subject: Subject) -> list[Evidence]:
    """The first convolution's weights, and what training added to them, each with its checks."""
    path = first_convolution(subject.module)
    if path is None:
        return _none("This network has no convolution, so there are no filters to show.")
    weights, start = (_weights(net, path) for net in (subject.module, subject.start))
    if weights.shape[2:] == (1, 1):
        return _none(f"The first convolution ({path}) is 1×1: its filters have no picture.")
    added = learned(weights, start)
    share = share_of_start(weights, start)
    effect = _effect(subject, path, weights - added)
    return [
        Evidence(
            name="filters",
            title="The filters as they are",
            arrays={"weights": weights.astype(np.float32)},
            facts={"path": path},
            checks=(
                Check(
                    name="share of the start",
                    claim="Share of the filters that is still their random start "
                    "(squared cosine, mean over filters)",
                    value=share,
                    limit=MOST_START,
                    passed=share <= MOST_START,
                ),
                _order_check(weights),
            ),
        ),
        Evidence(
            name="filters.learned",
            title="What training added to them",
            arrays={"weights": added.astype(np.float32)},
            facts={"path": path},
            checks=(
                Check(
                    name="effect",
                    claim="Relative change of the logits when it is taken out of the network",
                    value=effect,
                    limit=LEAST_EFFECT,
                    passed=effect >= LEAST_EFFECT,
                ),
                _order_check(added),
            ),
        ),
    ]


def _none(why: str) -> list[Evidence]:
    return [Evidence(name="filters", title="First-layer filters", inapplicable=why)]


def _order_check(weights: Weights) -> Check:
    chance = chance_of_order(weights)
    return Check(
        name="chance of such order",
        claim=f"Share of {SHUFFLES} shuffles of its weights that are as ordered in space",
        value=chance,
        limit=MOST_CHANCE,
        passed=chance <= MOST_CHANCE,
    )


def first_convolution(module: nn.Module) -> str | None:
    """The path of the 2-d convolution that is defined first."""
    parts = submodules(module)
    return next((path for path in parts if isinstance(parts[path], nn.Conv2d)), None)


def share_of_start(weights: Weights, start: Weights) -> float:
    """Mean over filters of cos² between a filter and its start: 1 untouched, 0 nothing left.

    It is the share of a filter's energy that lies along its start.  A filter of zeros counts as
    nothing left, unless it started so.
    """
    now, then = (array.reshape(len(array), -1) for array in (weights, start))
    dots = (now * then).sum(axis=1) ** 2
    energies = (now**2).sum(axis=1) * (then**2).sum(axis=1)
    untouched = (now == then).all(axis=1)
    shares = np.divide(dots, energies, out=untouched.astype(np.float64), where=energies > 0)
    return float(shares.mean())


def learned(weights: Weights, start: Weights) -> Weights:
    """Each filter without its projection on its start: what no scaling of the start explains."""
    now, then = (array.reshape(len(array), -1) for array in (weights, start))
    energy = (then**2).sum(axis=1, keepdims=True)
    dots = (now * then).sum(axis=1, keepdims=True)
    scale = np.divide(dots, energy, out=np.zeros_like(dots), where=energy > 0)
    return (now - scale * then).reshape(weights.shape)


def _effect(subject: Subject, path: str, without: Weights) -> float:
    """‖logits without − logits‖ / ‖logits − their mean over classes‖, over the looked-at images."""
    inputs = subject.inputs(np.arange(min(subject.options.images, len(subject.said))))
    module, other = subject.module, deepcopy(subject.module)
    parameter = other.get_parameter(f"{path}.weight")
    parameter.data = torch.as_tensor(without).to(parameter)
    with evaluating(module), evaluating(other):
        plain = subject.logits(module, inputs).cpu().numpy()
        changed = subject.logits(other, inputs).cpu().numpy()
    spread = np.linalg.norm(plain - plain.mean(axis=1, keepdims=True))
    return float(np.linalg.norm(changed - plain) / spread) if spread > 0 else 0.0


def chance_of_order(weights: Weights) -> float:
    """The p-value of a two-sided permutation test on how alike neighbouring weights are.

    The statistic is the sum of products of horizontal and vertical neighbours, each filter first
    scaled to unit energy.  The null keeps every filter's weights and shuffles their places, the
    same way in all its channels.  (1 + shuffles at least as extreme) / (1 + shuffles).
    """
    energies = np.sqrt((weights**2).sum(axis=(1, 2, 3), keepdims=True))
    scaled = np.divide(weights, energies, out=np.zeros_like(weights), where=energies > 0)
    count, channels, tall, wide = scaled.shape
    flat = scaled.reshape(count, channels, tall * wide)
    rows = np.arange(count, dtype=np.int64).reshape(-1, 1)
    numbers = np.arange(tall * wide, dtype=np.int64)
    found = np.empty(SHUFFLES + 1)
    found[0] = _neighbours(scaled)
    for shuffle in range(SHUFFLES):
        draws = keyed.uniform(0, "filters.shuffle", shuffle, rows, numbers)
        places = draws.argsort(axis=1)
        mixed = np.take_along_axis(flat, places[:, None, :], axis=2)
        found[1 + shuffle] = _neighbours(mixed.reshape(scaled.shape))
    away = np.abs(found - found[1:].mean())
    return float((1 + (away[1:] >= away[0]).sum()) / (1 + SHUFFLES))


def _neighbours(array: Weights) -> float:
    """The sum of products of weights that stand beside or below each other."""
    down = (array[:, :, :-1] * array[:, :, 1:]).sum()
    across = (array[:, :, :, :-1] * array[:, :, :, 1:]).sum()
    return float(down + across)


def _weights(module: nn.Module, path: str) -> Weights:
    convolution = module.get_submodule(path)
    assert isinstance(convolution, nn.Conv2d)
    return convolution.weight.detach().double().cpu().numpy()
