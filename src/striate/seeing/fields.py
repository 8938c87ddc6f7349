"""How far a layer really looks: the field measured by the gradient, beside the traced one.

The traced field says which pixels can matter; the effective one says how much they do (Luo et al.
2016, "Understanding the effective receptive field", section 2).  It is the root of the mean squared
gradient of the middle element of a layer's map, over images and over its channels (by random signs,
whose mean square is the sum over channels).

Comes in: a Subject.  Goes out: Evidence ``fields``, with one map of the input for each place,
``after.<n>`` and ``before.<n>`` training, (H, W).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from copy import deepcopy
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from striate import keyed
from striate.records import Check, Evidence
from striate.runs import evaluating
from striate.seeing.control import settled_norms
from striate.seeing.passing import hooked
from striate.seeing.places import Place, as_map, block_places, map_places
from striate.seeing.saliency import Forward
from striate.seeing.subject import Subject, Tick
from striate.seeing.traced import seen_by

TITLE = "How far each layer really looks"
IMAGES = 16
EDGE = 1 - 0.9545  # a Gaussian's share beyond two deviations: where Luo et al. draw the line
MOST_OUTSIDE = 1e-9
MOST_APART = 0.25


def fields(subject: Subject, tick: Tick) -> list[Evidence]:
    """One piece: facts ``layers``, a row for each place, and ``blocks``, in order of passing."""
    places = map_places(subject)
    if not places:
        return [
            Evidence(
                name="fields",
                title=TITLE,
                inapplicable="No layer of this network hands on a map with rows and columns, so "
                "there is no middle whose field could be measured.",
            )
        ]
    inputs = subject.inputs(subject.looked_at[:IMAGES])
    start = settled_norms(deepcopy(subject.start), subject.inputs(subject.looked_at))
    arrays: dict[str, NDArray[Any]] = {}
    rows: list[dict[str, Any]] = []
    outside: list[float] = []
    apart: list[float] = []
    for number, place in enumerate(places):
        tick(number, len(places))
        found = {
            when: _squares(subject, module, place, inputs)
            for when, module in (("before", start), ("after", subject.module))
        }
        seen = seen_by(subject.trace, place, (int(inputs.shape[2]), int(inputs.shape[3])))
        middle = place.size[0] // 2 * place.size[1] + place.size[1] // 2
        row: dict[str, Any] = {
            "path": place.path,
            "grid": list(place.size),
            "status": seen.status,
            "size": list(seen.size),
            "box": list(seen.box(middle)),
        }
        for when, squares in found.items():
            amplitude = np.sqrt(squares.mean(axis=0))
            arrays[f"{when}.{number}"] = amplitude.astype(np.float32)
            row[when] = measured(amplitude, row["box"])
        halves = [width_of(np.sqrt(half.mean(axis=0))) for half in _halves(found["after"])]
        apart.append(abs(math.hypot(*halves[0]) / math.hypot(*halves[1]) - 1))
        if seen.exact:
            outside.append(_outside(found["after"].mean(axis=0), row["box"]))
        rows.append(row)
    checks = [
        Check(
            name="two halves",
            claim=f"Greatest relative difference of a width between two halves of {len(inputs)} "
            "images",
            value=max(apart),
            limit=MOST_APART,
            passed=max(apart) <= MOST_APART,
        )
    ]
    if outside:
        checks.append(
            Check(
                name="outside",
                claim="Greatest share of the squared gradient that lies outside the traced field",
                value=max(outside),
                limit=MOST_OUTSIDE,
                passed=max(outside) <= MOST_OUTSIDE,
            )
        )
    return [
        Evidence(
            name="fields",
            title=TITLE,
            arrays=arrays,
            facts={
                "layers": rows,
                "blocks": _of_blocks(subject, start, inputs),
                "images": len(inputs),
                "split": subject.images.name,
            },
            checks=tuple(checks),
        )
    ]


def _of_blocks(subject: Subject, start: nn.Module, inputs: Tensor) -> list[dict[str, Any]]:
    """The widths alone, of every block, for what is drawn along the depth."""
    return [
        {
            "path": place.path,
            **{
                when: {"width": _width(_squares(subject, module, place, inputs))}
                for when, module in (("before", start), ("after", subject.module))
            },
        }
        for place in block_places(subject)
    ]


def _width(squares: NDArray[np.float64]) -> float:
    return float(np.mean(width_of(np.sqrt(squares.mean(axis=0)))))


def width_of_ones(kernels: Iterable[tuple[int, int, int]]) -> float:
    """Luo's law for layers whose weights are all alike: the deviation in pixels, per axis.

    ``kernels``: (size, dilation, pixels between its neighbouring inputs) of each convolution.  Each
    spreads the gradient evenly over its window, and variances add (Luo et al. 2016, section 2.1):
    σ² = Σ (dilation · pixels)² (size² - 1) / 12.

    >>> round(width_of_ones([(3, 1, 1)] * 6), 3)
    2.0
    """
    return math.sqrt(
        sum((spread * jump) ** 2 * (size**2 - 1) / 12 for size, spread, jump in kernels)
    )


def width_of(amplitude: NDArray[np.float64]) -> tuple[float, float]:
    """(rows, columns): the deviation of a map of weights about its centre, in pixels."""
    total = float(amplitude.sum())
    if total <= 0:
        return 0.0, 0.0
    found: list[float] = []
    for axis in (0, 1):
        weights = amplitude.sum(axis=1 - axis) / total
        places = np.arange(len(weights), dtype=np.float64)
        centre = float((weights * places).sum())
        found.append(math.sqrt(float((weights * (places - centre) ** 2).sum())))
    return found[0], found[1]


def measured(amplitude: NDArray[np.float64], box: list[int]) -> dict[str, float]:
    """``width``: mean deviation in pixels.  ``area``: pixels above ``EDGE`` of the greatest.

    ``side``: its root.  ``share``: ``area`` in that of the ``box`` (top, left, bottom, right).
    """
    area = int((amplitude > EDGE * amplitude.max(initial=0.0)).sum())
    whole = (box[2] - box[0]) * (box[3] - box[1])
    return {
        "width": float(np.mean(width_of(amplitude))),
        "area": area,
        "side": math.sqrt(area),
        "share": area / whole if whole else float("nan"),
    }


def squared_gradients(
    module: nn.Module, place: Place, forward: Forward, inputs: Tensor
) -> NDArray[np.float64]:
    """(n, H, W): squared gradients of the middle of the map, summed over the input's channels.

    The channels of the map carry random signs, other ones for each image.
    """
    kept: list[Tensor] = []

    def hook(_module: nn.Module, _inputs: object, output: Tensor) -> Tensor:
        kept.append(output.clone())
        return kept[-1].clone()

    points = inputs.detach().clone().requires_grad_()
    with torch.enable_grad(), hooked(module, {place.path: hook}):
        forward(points)
        planes = as_map(kept[-1], place)
        middle = planes[:, :, place.size[0] // 2, place.size[1] // 2]
        images = np.arange(len(inputs), dtype=np.int64)[:, None]
        channels = np.arange(middle.shape[1], dtype=np.int64)
        drawn = keyed.bits(0, "seeing.signs", images, channels) >> np.uint64(63)
        signs = torch.as_tensor(drawn.astype(np.int64) * 2 - 1).to(middle)
        (slopes,) = torch.autograd.grad((middle * signs).sum(), points)
    return slopes.double().square().sum(dim=1).cpu().numpy()


def _squares(
    subject: Subject, module: nn.Module, place: Place, inputs: Tensor
) -> NDArray[np.float64]:
    with evaluating(module):
        return squared_gradients(module, place, partial(subject.logits, module), inputs)


def _halves(squares: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return squares[::2], squares[1::2] if len(squares) > 1 else squares


def _outside(squares: NDArray[np.float64], box: list[int]) -> float:
    total = float(squares.sum())
    inside = float(squares[box[0] : box[2], box[1] : box[3]].sum())
    return max(0.0, total - inside) / total if total > 0 else 0.0
