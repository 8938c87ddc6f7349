"""Four ways to say which parts of an image spoke for a class; none of them draws or judges.

Comes in: a module in evaluation mode, its inputs (n, C, H, W), a class for each.
Goes out: maps in the units of the class's logit, on each method's native grid.  Nothing is
rectified, rescaled or smoothed.  Modes, hooks and gradients of the module are left as they were.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from striate.errors import TargetError
from striate.seeing.passing import hooked
from striate.seeing.places import Place, as_map

Forward = Callable[[Tensor], Tensor]
"""From inputs (n, C, H, W) to logits (n, classes)."""


@dataclass(frozen=True, kw_only=True)
class Handed:
    """What a place handed on, ``maps`` (n, C, h, w), and each class's ``slopes`` there, alike."""

    maps: Tensor
    slopes: Tensor
    logits: Tensor


def handed_on(
    module: nn.Module, place: Place, forward: Forward, inputs: Tensor, classes: Tensor
) -> Handed:
    """The maps at ``place`` and the gradient of each image's class logit with respect to them.

    The network goes on with a copy, so that what it does in place later leaves the maps as they
    were.  TargetError where no gradient comes back.
    """
    kept: list[Tensor] = []

    def hook(_module: nn.Module, _inputs: object, output: Tensor) -> Tensor:
        kept.append(output.clone())
        return kept[-1].clone()

    with torch.enable_grad(), hooked(module, {place.path: hook}):
        logits = forward(inputs.detach().requires_grad_())
        (slopes,) = _gradients(_own(logits, classes), kept[-1], place.path)
    return Handed(
        maps=as_map(kept[-1].detach(), place),
        slopes=as_map(slopes, place),
        logits=logits.detach(),
    )


def hirescam(handed: Handed) -> Tensor:
    """(n, h, w): Σ over channels of activation · gradient (Draelos and Carin 2020, eq. 4).

    Where global average pooling feeds a linear head, and it alone, a map's sum is the class's
    logit but for its bias.
    """
    return (handed.maps * handed.slopes).sum(dim=1)


def gradcam(handed: Handed) -> Tensor:
    """(n, h, w): Σ over channels of activation · mean gradient (Selvaraju et al. 2017, eq. 1-2).

    Without the ReLU of their equation 2: what speaks against the class is negative.
    """
    return (handed.maps * handed.slopes.mean(dim=(2, 3), keepdim=True)).sum(dim=1)


@dataclass(frozen=True, kw_only=True)
class Integrated:
    """Integrated gradients of one image: ``parts`` (C, H, W), whose sum is to be ``difference``.

    ``error``: |sum - difference| / |difference|.  ``steps``: gradients that were taken.
    """

    parts: Tensor
    difference: float
    error: float
    steps: int


def integrated_gradients(
    forward: Forward,
    image: Tensor,
    baseline: Tensor,
    number: int,
    *,
    tolerance: float = 5e-3,
    first: int = 16,
    most: int = 512,
    batch: int = 16,
) -> Integrated:
    """Integrated gradients (Sundararajan et al. 2017, eq. 1) of class ``number``'s logit.

    ``image`` and ``baseline`` (C, H, W), between which the path is straight, cut into ``first``
    pieces.  What each piece of the path should add up to is known, being a difference of two
    logits; so the pieces whose midpoint misses it most are halved, until the sum is off by less
    than ``tolerance`` of the whole or ``most`` gradients have been taken.
    """
    away = (image - baseline).detach()
    edges = [index / first for index in range(first + 1)]
    heights = dict(zip(edges, _heights(forward, baseline, away, edges, number, batch), strict=True))
    todo = list(pairwise(edges))
    pieces: dict[tuple[float, float], tuple[Tensor, float]] = {}
    whole = heights[1.0] - heights[0.0]
    steps = 0
    while True:
        for start in range(0, len(todo), batch):
            some = todo[start : start + batch]
            middles = torch.tensor([(a + b) / 2 for a, b in some], dtype=torch.float64)
            slopes = _slopes(forward, baseline, away, middles, number)
            for (low, high), slope in zip(some, slopes, strict=True):
                part = slope * away * (high - low)
                missed = float(part.sum()) - (heights[high] - heights[low])
                pieces[low, high] = part, missed
        steps += len(todo)
        total = sum(missed for _, missed in pieces.values())
        error = abs(total) / abs(whole) if whole else float("nan")
        if error <= tolerance or not whole or steps + 2 * batch > most:
            parts = torch.stack([part for part, _ in pieces.values()]).sum(dim=0)
            return Integrated(parts=parts, difference=whole, error=error, steps=steps)
        worst = sorted(pieces, key=lambda ends: -abs(pieces[ends][1]))[:batch]
        middles = [(low + high) / 2 for low, high in worst]
        found = _heights(forward, baseline, away, middles, number, batch)
        heights.update(zip(middles, found, strict=True))
        todo: list[tuple[float, float]] = []
        for (low, high), middle in zip(worst, middles, strict=True):
            del pieces[low, high]
            todo += [(low, middle), (middle, high)]


def occlusion(
    forward: Forward, image: Tensor, baseline: Tensor, number: int, *, batch: int = 64
) -> Tensor:
    """(h, w): by how much class ``number``'s logit falls when a window is covered.

    Zeiler and Fergus 2014, section 4.2.  The window is a quarter of each side and moves by an
    eighth, over the edge of the image by half of itself; ``baseline`` (C, H, W) shows through.
    """
    _, height, width = image.shape
    tops, lefts = (_starts(side) for side in (height, width))
    window = [(max(1, round(side / 4))) for side in (height, width)]
    covered: list[Tensor] = []
    for top in tops:
        for left in lefts:
            one = image.clone()
            rows = slice(max(0, top), max(0, top + window[0]))
            columns = slice(max(0, left), max(0, left + window[1]))
            one[:, rows, columns] = baseline[:, rows, columns]
            covered.append(one)
    with torch.no_grad():
        plain = forward(image[None])[0, number]
        parts = [
            forward(torch.stack(covered[start : start + batch]))[:, number]
            for start in range(0, len(covered), batch)
        ]
    return (plain - torch.cat(parts)).reshape(len(tops), len(lefts))


def _starts(side: int) -> list[int]:
    """First pixels of the windows along one side: their centres are an eighth apart."""
    window, count = max(1, round(side / 4)), min(8, side)
    centres = [(index + 0.5) * side / count for index in range(count)]
    return [round(centre - window / 2) for centre in centres]


def _heights(
    forward: Forward, baseline: Tensor, away: Tensor, shares: list[float], number: int, batch: int
) -> list[float]:
    """The class's logit at these shares of the path."""
    found: list[float] = []
    with torch.no_grad():
        for start in range(0, len(shares), batch):
            some = torch.tensor(shares[start : start + batch]).to(away).view(-1, 1, 1, 1)
            found += forward(baseline + some * away)[:, number].double().tolist()
    return found


def _slopes(
    forward: Forward, baseline: Tensor, away: Tensor, shares: Tensor, number: int
) -> Tensor:
    """(n, C, H, W): the gradient with respect to the input at these shares of the path."""
    with torch.enable_grad():
        points = (baseline + shares.to(away).view(-1, 1, 1, 1) * away).requires_grad_()
        (slopes,) = _gradients(forward(points)[:, number], points, "the input")
    return slopes


def _own(logits: Tensor, classes: Tensor) -> Tensor:
    return logits.gather(1, classes.view(-1, 1)).squeeze(1)


def _gradients(values: Tensor, source: Tensor, where: str) -> tuple[Tensor, ...]:
    if not values.requires_grad:
        raise TargetError(
            f"no gradient comes back to {where}: the forward cuts it off (torch.no_grad, detach); "
            "leave that out of the forward to have its decisions explained"
        )
    return torch.autograd.grad(values.sum(), source)
