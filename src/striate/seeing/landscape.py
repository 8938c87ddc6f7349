"""The loss around the weights that were found, along filter-normalised directions.

Li et al. 2018, "Visualizing the loss landscape of neural nets", section 4: a random direction whose
every filter has the norm of the network's own filter (their equation before 4.1), so that networks
whose weights are of other sizes can be compared.  Biases and the parameters of norms (all that has
one dimension) stay.  A batch norm's kept statistics belong to the weights at the centre and to no
others; so at every point, the centre too, they are estimated again on the images at hand.  What the
network itself, with the statistics of its training, makes of the same images stands beside it.

Comes in: a Subject.  Goes out: Evidence ``landscape``.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from striate import keyed
from striate.records import Check, Evidence
from striate.runs import evaluating
from striate.seeing.passing import norms_of
from striate.seeing.subject import Subject, Tick

TITLE = "The loss around the weights it found"
IMAGES = 64
REACH = 1.0
STEPS = 17
SIDE = 7
MOST_OFF = 1e-4

Direction = dict[str, Tensor]


def filter_normalised(module: nn.Module, number: int) -> Direction:
    """A random direction, by parameter: each filter's norm is that of the module's own filter.

    A filter is a slice of a weight along its first dimension (an output channel, a unit).
    Parameters of one dimension get none.
    """
    found: Direction = {}
    for name, weight in module.named_parameters():
        if weight.dim() < 2:
            continue
        count = weight.numel()
        drawn = _normal(number, name, np.arange(count, dtype=np.int64))
        rows = torch.as_tensor(drawn).reshape(weight.shape[0], -1).to(weight)
        own = _lengths(weight.detach().reshape(weight.shape[0], -1))
        length = _lengths(rows).clamp_min(1e-30)
        found[name] = (rows * own / length).reshape(weight.shape)
    return found


def _lengths(rows: Tensor) -> Tensor:
    return rows.square().sum(dim=1, keepdim=True).sqrt()


def _normal(number: int, name: str, places: NDArray[np.int64]) -> NDArray[np.float64]:
    """Numbers of a standard normal distribution, by (number, name, place): Box and Muller's."""
    first, second = (
        keyed.uniform(number, f"seeing.landscape {name}", part, places) for part in (0, 1)
    )
    return np.sqrt(-2 * np.log1p(-first)) * np.cos(2 * np.pi * second)


def losses_along(
    module: nn.Module,
    forward: Callable[[nn.Module, Tensor], Tensor],
    images: Tensor,
    labels: NDArray[np.int64],
    directions: tuple[Direction, ...],
    places: NDArray[np.float64],
    tick: Tick,
) -> NDArray[np.float64]:
    """(n,) mean cross-entropy in nats at ``places`` (n, directions), in units of the directions.

    ``forward``: (module, images) to logits.  The module is left as it was.
    """
    moved = deepcopy(module)
    own = {name: weight.detach().clone() for name, weight in moved.named_parameters()}
    target = torch.as_tensor(labels, device=images.device)
    found = np.empty(len(places))
    with torch.no_grad(), evaluating(moved):
        for norm in norms_of(moved):
            norm.training = True  # normalise by these images; the copy's kept statistics are no use
        for number, place in enumerate(places):
            tick(number, len(places))
            for name, weight in moved.named_parameters():
                if name in directions[0]:
                    steps = (
                        float(share) * way[name]
                        for share, way in zip(place, directions, strict=True)
                    )
                    weight.copy_(own[name] + sum(steps, torch.zeros_like(weight)))
            logits = forward(moved, images).double()
            found[number] = float(nn.functional.cross_entropy(logits, target))
    return found


def landscape(subject: Subject, tick: Tick) -> Evidence:
    """``line`` (2, steps): two directions, one each; ``plane`` (side, side): both at once.

    ``at`` (steps,), ``plane_at`` (side,): how far, where 1 moves each filter by its own norm.
    """
    places = np.arange(min(IMAGES, len(subject.said)), dtype=np.int64)
    inputs, labels = subject.inputs(places), subject.images.labels[places]
    module = subject.module
    directions = (filter_normalised(module, 1), filter_normalised(module, 2))
    if not directions[0]:
        return Evidence(
            name="landscape", title=TITLE, inapplicable="This network has no weight to move."
        )
    at = np.linspace(-REACH, REACH, STEPS)
    wide = np.linspace(-REACH, REACH, SIDE)
    line = [np.stack([at, 0 * at], axis=1), np.stack([0 * at, at], axis=1)]
    grid = np.stack(np.meshgrid(wide, wide, indexing="ij"), axis=-1).reshape(-1, 2)
    found = losses_along(
        module, subject.logits, inputs, labels, directions, np.concatenate([*line, grid]), tick
    )
    with torch.no_grad(), evaluating(module):
        own = subject.logits(module, inputs).double()
        kept = float(nn.functional.cross_entropy(own, torch.as_tensor(labels, device=own.device)))
    lines = found[: 2 * STEPS].reshape(2, STEPS)
    plane = found[2 * STEPS :].reshape(SIDE, SIDE)
    centre = float(lines[0, STEPS // 2])
    again = abs(float(lines[1, STEPS // 2]) - centre) + abs(
        float(plane[SIDE // 2, SIDE // 2]) - centre
    )
    checks = [
        Check(
            name="centre",
            claim="Greatest difference between the losses that the three sweeps give at the centre",
            value=again,
            limit=MOST_OFF,
            passed=again <= MOST_OFF,
        )
    ]
    if not norms_of(module):
        off = abs(centre - kept) / max(kept, 1e-12)
        checks.append(
            Check(
                name="its own loss",
                claim="Relative difference between the loss at the centre and the network's own",
                value=off,
                limit=MOST_OFF,
                passed=off <= MOST_OFF,
            )
        )
    return Evidence(
        name="landscape",
        title=TITLE,
        arrays={"at": at, "line": lines, "plane_at": wide, "plane": plane},
        facts={
            "images": len(labels),
            "split": subject.images.name,
            "centre": centre,
            "kept": kept,
            "norms": bool(norms_of(module)),
        },
        checks=tuple(checks),
    )
