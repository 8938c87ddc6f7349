"""How many of its directions each layer uses.

Richter et al. 2021, "Feature space saturation during training": the share of a layer's dimensions
whose eigendirections hold 99 % of its variance, of the covariance between channels over all images
and positions.  Where it falls and stays low, the layers behind work little on what they are given.

Comes in: a module, images.  Goes out: ``Saturation``.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from striate.errors import InputError
from striate.records import Check, Evidence
from striate.records.stream import Saturation
from striate.seeing.frozen_batches import graphs, held
from striate.seeing.frozen_evidence import measured, or_why_not
from striate.seeing.frozen_points import Point, points_of
from striate.seeing.subject import Subject, Tick

TITLE = "How many of its directions each layer uses"


def layer_saturation(
    module: nn.Module, images: Tensor, *, level: float = 0.99, batch: int = 32
) -> Saturation:
    """The share of directions that hold ``level`` of the variance, at every point.

    ``images``: (N, C, H, W), as the network takes them.  InputError for a level not in (0, 1].
    """
    if not 0 < level <= 1:
        raise InputError(f"level {level}: give a share of the variance above 0 and up to 1")
    points: tuple[Point, ...] = ()
    counts: list[int] = []
    sums: list[Tensor] = []
    squares: list[Tensor] = []
    for _, graph in graphs(module, images, batch):
        points = points_of(graph)
        for place, point in enumerate(points):
            rows = held(graph, point.value, point.name).flatten(0, 1).double().cpu()
            if place == len(counts):
                counts.append(0)
                sums.append(torch.zeros(rows.shape[1], dtype=torch.float64))
                squares.append(torch.zeros((rows.shape[1],) * 2, dtype=torch.float64))
            counts[place] += len(rows)
            sums[place] += rows.sum(dim=0)
            squares[place] += rows.T @ rows
    used: list[int] = []
    for count, total, square in zip(counts, sums, squares, strict=True):
        middle = total.numpy() / count
        used.append(_directions(square.numpy() / count - np.outer(middle, middle), level))
    directions = np.array(used, np.int64)
    channels = np.array([len(total) for total in sums], np.int64)
    return Saturation(
        names=tuple(point.name for point in points),
        depths=np.array([point.depth for point in points], np.int64),
        share=directions / channels,
        directions=directions,
        channels=channels,
        samples=np.array(counts, np.int64),
        level=level,
        images=len(images),
    )


def _directions(covariance: NDArray[np.float64], level: float) -> int:
    """How many of the largest eigenvalues sum to ``level`` of all; 0 where nothing varies."""
    values: NDArray[np.float64] = np.linalg.eigvalsh(covariance)[::-1].clip(min=0)
    total = float(values.sum())
    if total <= 0:
        return 0
    held_by: NDArray[np.float64] = values.cumsum()
    return 1 + int((held_by < level * total * (1 - 1e-12)).sum())


def saturated(subject: Subject, tick: Tick) -> Evidence:
    """Evidence ``depth.saturation``: ``share``, ``directions``, ``channels`` (points,).

    Withheld where a layer has fewer samples than channels: its share is then held down.
    """
    tick(0, 1)
    return or_why_not("depth.saturation", TITLE, lambda: _saturated(subject))


def _saturated(subject: Subject) -> Evidence:
    inputs, _ = measured(subject)
    found = layer_saturation(subject.module, inputs)
    fewest = float((found.samples / found.channels).min())
    return Evidence(
        name="depth.saturation",
        title=TITLE,
        arrays={
            "share": found.share,
            "directions": found.directions,
            "channels": found.channels,
            "depths": found.depths,
        },
        facts={
            "names": list(found.names),
            "level": found.level,
            "images": found.images,
            "split": subject.images.name,
        },
        checks=(
            Check(
                name="samples",
                claim="Least number of samples for each channel that a covariance is over",
                value=fewest,
                limit=1.0,
                passed=fewest >= 1.0,
            ),
        ),
    )
