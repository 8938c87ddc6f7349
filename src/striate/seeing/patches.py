"""What each channel answers to most: the pieces of images, cut to exactly what it looks at.

Zeiler and Fergus 2014, section 4, but cut by the traced receptive field.  That the cut is right is
tried: everything outside it is replaced by the mean colour, and the activation must stay the same.
And a random network has favourites, too; so a channel most of whose favourites were its favourites
before training is left out, and counted.

Comes in: a Subject.  Goes out: one Evidence for each place, ``patches.<path>``, with ``images``
(channels, TOP, C, H, W) of whole images, in which ``boxes`` (channels, TOP, 4) say what was cut.
"""

from __future__ import annotations

import math
from copy import deepcopy

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from striate.records import Check, Evidence
from striate.runs import evaluating
from striate.seeing.control import settled_norms
from striate.seeing.passing import watch
from striate.seeing.places import Place, as_map, map_places
from striate.seeing.subject import Subject, Tick
from striate.seeing.traced import seen_by

TOP = 8
CHANNELS = 6
IMAGES = 512
MOST_SAME = 0.5
MOST_CHANGED = 1e-4


def patches(subject: Subject, tick: Tick) -> list[Evidence]:
    """A piece for each place, in order of passing."""
    places = map_places(subject)
    if not places:
        return [
            Evidence(
                name="patches",
                title="What its channels answer to",
                inapplicable="No layer of this network hands on a map with rows and columns, so "
                "no channel looks at a piece of the image.",
            )
        ]
    count = min(_affordable(subject), len(subject.said))
    indices = np.arange(count, dtype=np.int64)
    tick(0, len(places) + 2)
    after = _greatest(subject, subject.module, places, indices)
    tick(1, len(places) + 2)
    settled = settled_norms(deepcopy(subject.start), subject.inputs(subject.looked_at))
    before = [_greatest(subject, module, places, indices) for module in (settled, subject.start)]
    pieces: list[Evidence] = []
    for number, place in enumerate(places):
        tick(2 + number, len(places) + 2)
        old = [found[place.path][0] for found in before]
        pieces.append(_piece(subject, place, after[place.path], old, indices))
    return pieces


def _affordable(subject: Subject) -> int:
    """Images that are looked through: fewer where each costs much."""
    macs = subject.trace.totals.macs if subject.trace is not None else 0
    return IMAGES if macs < 2e8 else IMAGES // 4 if macs < 2e9 else IMAGES // 16


Greatest = tuple[NDArray[np.float64], NDArray[np.int64]]
"""(n, channels) each: a channel's greatest value in each image, and its place, row by row."""


def _greatest(
    subject: Subject, module: nn.Module, places: list[Place], indices: NDArray[np.int64]
) -> dict[str, Greatest]:
    values: dict[str, list[Tensor]] = {place.path: [] for place in places}
    wheres: dict[str, list[Tensor]] = {place.path: [] for place in places}
    with evaluating(module):
        for start in range(0, len(indices), 64):
            inputs = subject.inputs(indices[start : start + 64])
            _, seen = watch(
                module,
                [place.path for place in places],
                lambda inputs=inputs: subject.logits(module, inputs),
            )
            for place in places:
                flat = as_map(seen[place.path], place).flatten(2)
                most, where = flat.max(dim=2)
                values[place.path].append(most.double().cpu())
                wheres[place.path].append(where.cpu())
    return {
        path: (torch.cat(values[path]).numpy(), torch.cat(wheres[path]).numpy()) for path in values
    }


def _piece(
    subject: Subject,
    place: Place,
    after: Greatest,
    before: list[NDArray[np.float64]],
    indices: NDArray[np.int64],
) -> Evidence:
    most, where = after
    top = min(TOP, len(indices))
    favourites = np.argsort(-most, axis=0, kind="stable")[:top]
    same = np.max([_shared(favourites, values) for values in before], axis=0)
    alive = most.max(axis=0) > most.min(axis=0)
    purity, classes = _purity(subject, favourites)
    kept = np.flatnonzero((same <= MOST_SAME) & alive)
    # Those whose favourites are most of one kind, by the class the network itself gives them.
    drawn = kept[np.lexsort((kept, -most.max(axis=0)[kept], -purity[kept]))][:CHANNELS]
    moved = len(drawn) > 0
    share = float(same[drawn].max() if moved else same.min())
    checks = [
        Check(
            name="share of the start",
            claim=f"{'Greatest' if moved else 'Least'} share of any channel's {top} favourite "
            "images that were its favourites before training",
            value=share,
            limit=MOST_SAME,
            passed=moved,
        )
    ]
    seen = seen_by(subject.trace, place, subject.preprocessing.image[1:])
    boxes = np.zeros((len(drawn), top, 4), np.int64)
    for row, channel in enumerate(drawn):
        for column, image in enumerate(favourites[:, channel]):
            boxes[row, column] = seen.box(int(where[image, channel]))
    picked = favourites[:, drawn].T
    if moved and seen.exact:
        changed = _changed(subject, place, most, where, drawn, picked, boxes, indices)
        checks.append(
            Check(
                name="outside",
                claim="Greatest relative change of an activation when everything outside its "
                "patch is replaced by the mean colour",
                value=changed,
                limit=MOST_CHANGED,
                passed=changed <= MOST_CHANGED,
            )
        )
    images = subject.images.pixels(indices[picked.ravel()])
    return Evidence(
        name=f"patches.{place.path}",
        title=f"What channels of {place.path} answer to",
        arrays={
            "images": images.reshape(len(drawn), top, *images.shape[1:]),
            "boxes": boxes,
            "values": np.take_along_axis(most[:, drawn].T, picked, axis=1),
            "indices": indices[picked],
        }
        if moved
        else {},
        facts={
            "path": place.path,
            "channels": place.channels,
            "drawn": [int(channel) for channel in drawn],
            "purity": [float(purity[channel]) for channel in drawn],
            "classes": [subject.preprocessing.classes[int(classes[c])] for c in drawn],
            "left_out": int((same > MOST_SAME).sum()),
            "idle": int((~alive).sum()),
            "images": len(indices),
            "split": subject.images.name,
            "field": list(seen.size),
            "status": seen.status,
        },
        checks=tuple(checks),
    )


def _shared(favourites: NDArray[np.int64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """For each channel the share of its ``favourites`` that are among the greatest ``values``."""
    top = len(favourites)
    other = np.argsort(-values, axis=0, kind="stable")[:top]
    columns = range(values.shape[1])
    return np.array([len(np.intersect1d(favourites[:, c], other[:, c])) / top for c in columns])


def _purity(
    subject: Subject, favourites: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """For each channel the share of its favourites that the network puts in one class; which."""
    said = subject.said[favourites]
    shares: list[float] = []
    classes: list[int] = []
    for column in said.T:
        numbers, counts = np.unique(column, return_counts=True)
        shares.append(float(counts.max() / len(column)))
        classes.append(int(numbers[counts.argmax()]))
    return np.array(shares), np.array(classes, np.int64)


def _changed(
    subject: Subject,
    place: Place,
    most: NDArray[np.float64],
    where: NDArray[np.int64],
    drawn: NDArray[np.int64],
    picked: NDArray[np.int64],
    boxes: NDArray[np.int64],
    indices: NDArray[np.int64],
) -> float:
    """Greatest |activation with the patch alone - activation| / the channel's greatest one."""
    worst = 0.0
    module = subject.module
    with evaluating(module):
        for row, channel in enumerate(drawn):
            inputs = subject.inputs(indices[picked[row]])
            alone = torch.zeros_like(inputs)
            for image, (top, left, bottom, right) in enumerate(boxes[row].tolist()):
                alone[image, :, top:bottom, left:right] = inputs[image, :, top:bottom, left:right]
            _, seen = watch(module, [place.path], lambda alone=alone: subject.logits(module, alone))
            flat = as_map(seen[place.path], place).flatten(2)[:, int(channel)].double().cpu()
            found = flat.numpy()[np.arange(len(inputs)), where[picked[row], channel]]
            expected = most[picked[row], channel]
            scale = max(float(np.abs(most[:, channel]).max()), 1e-30)
            gap = float(np.abs(found - expected).max()) / scale
            worst = max(worst, gap if math.isfinite(gap) else math.inf)
    return worst
