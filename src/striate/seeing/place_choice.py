"""At which layer the maps of a decision are taken: by measurement, on images that are not shown.

Each place's HiResCAM is asked to order the cells of other images, and held to insertion minus
deletion.  The last place within one standard error of the best is taken (the rule of Breiman et al.
1984, section 3.4.3, for trees): where two serve alike, the later is nearer to the decision, and
behind the last one that is read by global average pooling and a linear head HiResCAM sums to the
logit less its bias (Draelos and Carin 2020).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from striate.errors import InputError, choices
from striate.seeing.faithful import blurred, curves, shuffled
from striate.seeing.gentle import compared
from striate.seeing.places import Place, map_places
from striate.seeing.saliency import handed_on, hirescam
from striate.seeing.subject import Subject, Tick

STEPS = 8
ORDERS = 2


@dataclass(frozen=True, kw_only=True)
class Choice:
    """``place`` or None where there are no maps; ``rule``: why, a sentence.

    ``tried``: (path, grid, mean margin, its standard error) of each place.  ``sample``: the images
    it was measured on.
    """

    place: Place | None
    rule: str
    tried: tuple[tuple[str, tuple[int, int], float, float], ...]
    sample: NDArray[np.int64]


def choose_place(subject: Subject, tick: Tick) -> Choice:
    """The place that was asked for, or the one that the rule finds."""
    places = map_places(subject)
    sample = _sample(subject)
    asked = subject.options.layer
    if asked is not None:
        return _asked(places, asked, sample)
    if not places:
        return Choice(
            place=None,
            rule="no layer of this network hands on a map with rows and columns.",
            tried=(),
            sample=sample,
        )
    found = [
        (place, *_margin(subject, place, sample, lambda done, i=i: tick(i * 8 + done, 80)))
        for i, place in enumerate(places)
    ]
    best = max(found, key=lambda one: one[1])
    taken = next(one for one in reversed(found) if one[1] >= best[1] - best[2])
    rule = (
        f"{taken[0].path} is the last layer whose HiResCAM orders the cells of {len(sample)} "
        "other images as well as that of the best layer does, within one standard error."
    )
    return Choice(
        place=taken[0],
        rule=rule,
        tried=tuple((one.path, one.size, margin, error) for one, margin, error in found),
        sample=sample,
    )


def _asked(places: list[Place], path: str, sample: NDArray[np.int64]) -> Choice:
    for place in places:
        if place.path == path:
            return Choice(place=place, rule=f"{path} was asked for.", tried=(), sample=sample)
    raise InputError(
        f"--layer {path}: hands on no map that evidence can be shown on: "
        f"{choices(path, [place.path for place in places])}"
    )


def _sample(subject: Subject) -> NDArray[np.int64]:
    """Evenly spaced images of the split; fewer where the network is large (stated with it)."""
    macs = subject.trace.totals.macs if subject.trace is not None else 0
    _, height, width = subject.preprocessing.image
    cost = max(macs, 5_000 * height * width)  # a step costs more than its MACs: the image is mixed
    wanted = 16 if cost < 2e8 else 8 if cost < 2e9 else 4
    count = len(subject.said)
    return np.unique(np.linspace(0, count - 1, min(wanted, count)).round().astype(np.int64))


def _margin(
    subject: Subject, place: Place, sample: NDArray[np.int64], done: Callable[[int], None]
) -> tuple[float, float]:
    """Mean over the sample of the margin above that of shuffled cells, and its standard error."""
    forward = partial(subject.logits, subject.module)
    inputs = subject.inputs(sample)
    with torch.no_grad():
        said = forward(inputs).argmax(dim=1)
    maps = hirescam(handed_on(subject.module, place, forward, inputs, said))
    cells = compared(maps, (int(inputs.shape[2]), int(inputs.shape[3])))
    margins: list[float] = []
    for number, image in enumerate(inputs):
        orders = torch.cat([cells[number : number + 1], shuffled(cells[number], ORDERS, number)])
        told = curves(forward, image, blurred(image), orders, int(said[number]), steps=STEPS)
        margins.append(float(told.margins[0] - told.margins[1:].mean()))
        done(number * 8 // len(inputs))
    spread = float(np.std(margins, ddof=1)) if len(margins) > 1 else 0.0
    return float(np.mean(margins)), spread / math.sqrt(len(margins))
