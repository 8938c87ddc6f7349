"""The filters of the first convolution that show something that was learned.

A wall of random weights looks like a wall of filters.  So a filter of which more than half is still
its random start is left out, and counted.  Of those that are left, two things are asked: are their
weights arranged in space any better than the same weights shuffled, and does the network notice
when what training added to them is taken away?

Comes in: a Subject.  Goes out: Evidence ``filters`` with ``weights`` (drawn, channels, kh, kw).
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

TITLE = "First-layer filters"
SHUFFLES = 999
MOST_START = 0.5
MOST_CHANCE = 0.01
LEAST_EFFECT = 0.1

Weights = NDArray[np.float64]


def filters(subject: Subject) -> Evidence:
    """The first convolution's filters that have moved, with their checks.

    Facts: ``path``, ``total`` filters, ``drawn`` (their numbers), ``left_out`` and ``limit``.
    """
    path = first_convolution(subject.module)
    if path is None:
        return _none("This network has no convolution, so there are no filters to show.")
    weights, start = (_weights(net, path) for net in (subject.module, subject.start))
    if weights.shape[2:] == (1, 1):
        return _none(f"The first convolution ({path}) is 1×1: its filters have no picture.")
    shares = shares_of_start(weights, start)
    drawn = np.flatnonzero(shares <= MOST_START)
    moved = len(drawn) > 0
    share = float(shares[drawn].max() if moved else shares.min())
    checks = [
        Check(
            name="share of the start",
            claim=f"{'Greatest' if moved else 'Least'} share of any filter "
            f"{'drawn here ' if moved else ''}that is still its random start",
            value=share,
            limit=MOST_START,
            passed=moved,
        )
    ]
    if moved:
        chance = chance_of_order(weights[drawn])
        effect = _effect(subject, path, drawn, weights, start)
        checks += [
            Check(
                name="chance of such order",
                claim=f"Share of {SHUFFLES} shuffles of their weights that are as ordered in space",
                value=chance,
                limit=MOST_CHANCE,
                passed=chance <= MOST_CHANCE,
            ),
            Check(
                name="effect",
                claim="Relative change of the logits when what training added to them is taken out",
                value=effect,
                limit=LEAST_EFFECT,
                passed=effect >= LEAST_EFFECT,
            ),
        ]
    return Evidence(
        name="filters",
        title=TITLE,
        arrays={"weights": weights[drawn].astype(np.float32)},
        facts={
            "path": path,
            "total": len(weights),
            "drawn": [int(index) for index in drawn],
            "left_out": len(weights) - len(drawn),
            "limit": MOST_START,
        },
        checks=tuple(checks),
    )


def _none(why: str) -> Evidence:
    return Evidence(name="filters", title=TITLE, inapplicable=why)


def first_convolution(module: nn.Module) -> str | None:
    """The path of the 2-d convolution that is defined first."""
    parts = submodules(module)
    return next((path for path in parts if isinstance(parts[path], nn.Conv2d)), None)


def shares_of_start(weights: Weights, start: Weights) -> NDArray[np.float64]:
    """For each filter cos² of the angle to its start: 1 untouched, 0 nothing left.

    It is the share of the filter's energy that lies along its start.  A filter of zeros counts as
    nothing left, unless it started so.
    """
    now, then = (array.reshape(len(array), -1) for array in (weights, start))
    dots = (now * then).sum(axis=1) ** 2
    energies = (now**2).sum(axis=1) * (then**2).sum(axis=1)
    untouched = (now == then).all(axis=1)
    return np.divide(dots, energies, out=untouched.astype(np.float64), where=energies > 0)


def along_start(weights: Weights, start: Weights) -> Weights:
    """Each filter's projection on its start: what scaling the start explains."""
    now, then = (array.reshape(len(array), -1) for array in (weights, start))
    energy = (then**2).sum(axis=1, keepdims=True)
    dots = (now * then).sum(axis=1, keepdims=True)
    scale = np.divide(dots, energy, out=np.zeros_like(dots), where=energy > 0)
    return (scale * then).reshape(weights.shape)


def _effect(
    subject: Subject, path: str, drawn: NDArray[np.int64], weights: Weights, start: Weights
) -> float:
    """‖logits without − logits‖ / ‖logits − their mean over classes‖, over the looked-at images."""
    inputs = subject.inputs(subject.looked_at)
    without = weights.copy()
    without[drawn] = along_start(weights[drawn], start[drawn])
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
        places = keyed.bits(0, "filters.shuffle", shuffle, rows, numbers).argsort(axis=1)
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
