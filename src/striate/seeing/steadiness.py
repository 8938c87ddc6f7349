"""Whether a network's decisions are about more than the very pixels at hand.  No label is asked.

Comes in: a Subject, images of its split.  Goes out: Checks.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from striate.records import Check
from striate.seeing.gentle import CHANGES, SENTENCE
from striate.seeing.saliency import Forward
from striate.seeing.subject import Subject

LEAST_STAYS = 0.75
LEAST_HOLDS = 0.7
PAIRS = 64
MIXED = 0.3


def steadiness(subject: Subject, forward: Forward, sample: NDArray[np.int64]) -> tuple[Check, ...]:
    """How the network's decisions bear gentle changes, and another image of the class mixed in.

    The second is left out where no two images are given one class: then there is nothing to mix.
    """
    stay = stays(forward, subject.inputs(sample))
    found = [
        Check(
            name="decisions stay",
            claim=f"Share of gentle changes (an image {SENTENCE}) of {len(sample)} other images "
            "after which the network gives the same class",
            value=stay,
            limit=LEAST_STAYS,
            passed=stay >= LEAST_STAYS,
        )
    ]
    hold, pairs = holds(subject, forward)
    if pairs:
        found.append(
            Check(
                name="classes hold",
                claim=f"Share of {pairs} images that keep their class when {MIXED:.0%} of another "
                "image that the network gives the same class is mixed in",
                value=hold,
                limit=LEAST_HOLDS,
                passed=hold >= LEAST_HOLDS,
            )
        )
    return tuple(found)


def stays(forward: Forward, inputs: Tensor) -> float:
    """Share of the gentle changes of these images after which they are given the same class."""
    said = forward(inputs).argmax(dim=1)
    same = [forward(change.inputs(inputs)).argmax(dim=1) == said for change in CHANGES]
    return float(torch.stack(same).double().mean())


def holds(subject: Subject, forward: Forward) -> tuple[float, int]:
    """Share of images that keep their class with ``MIXED`` of another one of that class mixed in.

    A class that was learned is a region: what lies between two of its images is in it too.  One
    that was learned by heart is scattered, and what lies between two images the network has not
    seen may be of any.  Both images are of the class the network gives them; labels are not asked.
    Returns the share and the number of pairs.
    """
    own: list[int] = []
    partners: list[int] = []
    for number in np.unique(subject.said):
        members = np.flatnonzero(subject.said == number)
        if len(members) > 1:
            own += members.tolist()
            partners += np.roll(members, 1).tolist()
    if not own:
        return float("nan"), 0
    wanted = min(PAIRS, len(own))
    picked = np.unique(np.linspace(0, len(own) - 1, wanted).round().astype(np.int64))
    first, second = (np.array(one, np.int64)[picked] for one in (own, partners))
    plain = subject.inputs(first)
    said = forward(plain).argmax(dim=1)
    mixed = (1 - MIXED) * plain + MIXED * subject.inputs(second)
    return float((forward(mixed).argmax(dim=1) == said).double().mean()), len(picked)
