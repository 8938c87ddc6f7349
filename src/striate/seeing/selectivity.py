"""The feature hierarchy, measured: edges early, classes late, and what a scrambled image changes.

For each place, over its channels:

- orientation: 1 - circular variance of the answers to gratings over their directions, at the
  frequency that a channel answers to most (Ringach, Shapley and Hawken 2002), and that frequency;
- class: (greatest class mean - mean of the others) / their sum, of the mean activation over space
  (Morcos et al. 2018, eq. 1), by the class the network gives each image, beside what shuffled
  classes give;
- texture: the correlation, over images, of a channel's mean activation with that on the same
  images cut into tiles that are shuffled: 1 where local texture is all it goes by.

Comes in: a Subject.  Goes out: Evidence ``selectivity``: a row of facts for each place.
"""

from __future__ import annotations

import math
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from striate import keyed
from striate.records import Check, Evidence
from striate.runs import evaluating
from striate.seeing.control import settled_norms
from striate.seeing.passing import watch
from striate.seeing.places import Place, as_map, map_places
from striate.seeing.subject import Subject, Tick

TITLE = "What its channels are selective for"
DIRECTIONS = 12
PHASES = 4
TILES = 4
IMAGES = 256
SHUFFLES = 20
Floats = NDArray[np.float64]


def selectivity(subject: Subject, tick: Tick) -> list[Evidence]:
    """One piece; facts ``layers``, a row for each place, before and after training."""
    places = map_places(subject)
    if not places:
        return [
            Evidence(
                name="selectivity",
                title=TITLE,
                inapplicable="No layer of this network hands on a map with rows and columns, so "
                "there are no channels to be selective.",
            )
        ]
    start = settled_norms(deepcopy(subject.start), subject.inputs(subject.looked_at))
    count = min(IMAGES, len(subject.said))
    said = subject.said[:count]
    found: dict[str, list[dict[str, float]]] = {}
    for turn, (when, module) in enumerate((("before", start), ("after", subject.module))):
        tick(turn, 2)
        found[when] = _measure(subject, module, places, said)
    rows: list[dict[str, Any]] = [
        {"path": place.path, "before": before, "after": after}
        for place, before, after in zip(places, found["before"], found["after"], strict=True)
    ]
    last = rows[-1]["after"]
    lead = last["class"] - last["class_null"]
    return [
        Evidence(
            name="selectivity",
            title=TITLE,
            facts={
                "layers": rows,
                "images": count,
                "split": subject.images.name,
                "frequencies": [float(one) for one in _frequencies(subject)],
            },
            checks=(
                Check(
                    name="above chance",
                    claim="Mean class selectivity of the last layer's channels, above the greatest "
                    f"of {SHUFFLES} shuffles of the classes",
                    value=lead,
                    limit=0.0,
                    passed=lead > 0,
                ),
            ),
        )
    ]


def _measure(
    subject: Subject, module: nn.Module, places: list[Place], said: NDArray[np.int64]
) -> list[dict[str, float]]:
    with evaluating(module):
        waves, frequencies = _gratings(subject)
        answers = _means(subject, module, places, waves)
        plain = _images(subject, module, places, len(said), scrambled=False)
        cut = _images(subject, module, places, len(said), scrambled=True)
    rows: list[dict[str, float]] = []
    for place in places:
        orientation, frequency = oriented(answers[place.path], frequencies)
        activity = plain[place.path]
        own = class_selectivity(activity, said)
        nulls = [
            _mean(class_selectivity(activity, said[_shuffle(turn, len(said))]))
            for turn in range(SHUFFLES)
        ]
        rows.append(
            {
                "orientation": _mean(orientation),
                "frequency": _mean(frequency),
                "class": _mean(own),
                "class_null": float(np.max(nulls)),
                "texture": _mean(_correlations(activity, cut[place.path])),
            }
        )
    return rows


def _mean(values: Floats) -> float:
    """Over the channels that have a value; NaN where none has (a layer that is dead)."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")


def oriented(answers: Floats, frequencies: Floats) -> tuple[Floats, Floats]:
    """(channels,) each: selectivity for direction at the best frequency, and that frequency.

    ``answers`` (frequencies, DIRECTIONS, PHASES, channels): mean activations.  Their deviation over
    phases and directions from the channel's least answer is what counts, so an offset is none.
    """
    lifted = answers - answers.min(axis=(0, 1, 2))
    strength = lifted.mean(axis=2)  # over phases
    best = strength.mean(axis=1).argmax(axis=0)
    rows = strength[best, :, np.arange(answers.shape[-1])]  # (channels, DIRECTIONS)
    angles = np.arange(DIRECTIONS) * np.pi / DIRECTIONS
    total = rows.sum(axis=1)
    turned: Floats = np.abs((rows * np.exp(2j * angles)).sum(axis=1))
    empty: Floats = np.full(len(total), np.nan)
    selective: Floats = np.divide(turned, total, out=empty, where=total > 0)
    return selective, np.where(total > 0, frequencies[best], np.nan)


def class_selectivity(activity: Floats, classes: NDArray[np.int64]) -> Floats:
    """(channels,): (μ_max - μ_rest) / (μ_max + μ_rest) of (n, channels) activities.

    Activities are lifted so that a channel's least is 0, since the index is made for rectified ones
    (Morcos et al. 2018, eq. 1).  NaN where a channel never changes.
    """
    lifted = activity - activity.min(axis=0)
    numbers = np.unique(classes)
    means = np.stack([lifted[classes == number].mean(axis=0) for number in numbers])
    empty: Floats = np.full(len(activity[0]), np.nan, np.float64)
    if len(numbers) < 2:
        return empty
    most: Floats = means.max(axis=0)
    rest: Floats = (means.sum(axis=0) - most) / (len(numbers) - 1)
    total = most + rest
    found: Floats = np.divide(most - rest, total, out=empty, where=total > 0)
    return found


def _frequencies(subject: Subject) -> Floats:
    """Cycles per pixel: from one over half the image to the finest that a pixel grid shows well."""
    side = min(subject.preprocessing.image[1:])
    return np.geomspace(2 / side, 0.35, 5)


def _gratings(subject: Subject) -> tuple[Tensor, Floats]:
    """Inputs (frequencies · DIRECTIONS · PHASES, C, H, W): a grating of one deviation."""
    channels, height, width = subject.preprocessing.image
    frequencies = _frequencies(subject)
    rows = np.arange(height, dtype=np.float64)[:, None]
    columns = np.arange(width, dtype=np.float64)[None, :]
    made: list[Floats] = []
    for frequency in frequencies:
        for turn in range(DIRECTIONS):
            angle = math.pi * turn / DIRECTIONS
            along = columns * math.cos(angle) + rows * math.sin(angle)
            for phase in range(PHASES):
                wave = np.sin(2 * math.pi * (frequency * along + phase / PHASES))
                made.append(np.broadcast_to(wave, (channels, height, width)))
    like = subject.inputs(subject.looked_at[:1])
    return torch.as_tensor(np.stack(made)).to(like), frequencies


def _means(
    subject: Subject, module: nn.Module, places: list[Place], inputs: Tensor
) -> dict[str, Floats]:
    """(frequencies, DIRECTIONS, PHASES, channels): mean activation over space."""
    found = _over(
        subject, module, places, [inputs[at : at + 64] for at in range(0, len(inputs), 64)]
    )
    return {
        path: values.reshape(-1, DIRECTIONS, PHASES, values.shape[-1])
        for path, values in found.items()
    }


def _images(
    subject: Subject, module: nn.Module, places: list[Place], count: int, *, scrambled: bool
) -> dict[str, Floats]:
    """(n, channels): mean activation over space, of the images or of their shuffled tiles."""
    batches: list[Tensor] = []
    for start in range(0, count, 64):
        inputs = subject.inputs(np.arange(start, min(start + 64, count), dtype=np.int64))
        batches.append(_scrambled(inputs, start) if scrambled else inputs)
    return _over(subject, module, places, batches)


def _over(
    subject: Subject, module: nn.Module, places: list[Place], batches: list[Tensor]
) -> dict[str, Floats]:
    parts: dict[str, list[Tensor]] = {place.path: [] for place in places}
    for inputs in batches:
        _, seen = watch(
            module,
            [place.path for place in places],
            lambda inputs=inputs: subject.logits(module, inputs),
        )
        for place in places:
            parts[place.path].append(as_map(seen[place.path], place).mean(dim=(2, 3)).double())
    return {path: torch.cat(values).cpu().numpy() for path, values in parts.items()}


def _scrambled(inputs: Tensor, first: int) -> Tensor:
    """Each image with its TILES × TILES tiles in another order, by its number; rests stay."""
    height, width = inputs.shape[2] // TILES, inputs.shape[3] // TILES
    if height == 0 or width == 0:
        return inputs
    mixed = inputs.clone()
    spots = [(row, column) for row in range(TILES) for column in range(TILES)]
    for number in range(len(inputs)):
        order = _shuffle(1000 + first + number, len(spots))
        for spot, source in zip(spots, order, strict=True):
            row, column = spots[int(source)]
            mixed[
                number,
                :,
                spot[0] * height : (spot[0] + 1) * height,
                spot[1] * width : (spot[1] + 1) * width,
            ] = inputs[
                number,
                :,
                row * height : (row + 1) * height,
                column * width : (column + 1) * width,
            ]
    return mixed


def _shuffle(number: int, count: int) -> NDArray[np.int64]:
    cells = np.arange(count, dtype=np.int64)
    return keyed.bits(number, "seeing.shuffle", cells).argsort(kind="stable")


def _correlations(one: Floats, other: Floats) -> Floats:
    """(channels,): Pearson's, over images."""
    first, second = (values - values.mean(axis=0) for values in (one, other))
    energy = np.sqrt((first**2).sum(axis=0) * (second**2).sum(axis=0))
    dots = (first * second).sum(axis=0)
    return np.divide(dots, energy, out=np.full(len(dots), np.nan), where=energy > 0)
