"""What ways of looking along the depth share: images to measure on, and the check behind all.

Comes in: a Subject.  Goes out: inputs, labels, ``Check`` records.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from striate.errors import InputError
from striate.records import Check, Evidence
from striate.runs import evaluating
from striate.seeing.frozen_graph import capture
from striate.seeing.frozen_run import run
from striate.seeing.subject import Subject

MEASURED = 256  # images: an accuracy is then known to about 3 %
RECOMPUTED = 8
MOST_APART = 1e-3


def measured(subject: Subject) -> tuple[Tensor, NDArray[np.int64]]:
    """The first images of the split, as the network takes them, and their labels."""
    places = np.arange(min(MEASURED, len(subject.said)), dtype=np.int64)
    return subject.inputs(places), subject.images.labels[places]


def recomputed(subject: Subject, inputs: Tensor) -> Check:
    """Whether the graph that is measured in is the network: it gives other images' logits, too.

    The graph is captured with some images and computed with others.
    """
    known, others = inputs[:RECOMPUTED], inputs[-RECOMPUTED:]
    with evaluating(subject.module):
        own = subject.logits(subject.module, others)
    graph = capture(subject.module, known[: len(others)])
    with torch.no_grad():
        again = run(graph, {0: others})[graph.output]
    if graph.notes:  # it ends in a softmax, and so does what it says of itself
        again = again.softmax(dim=1)
    logits = own.cpu().numpy()
    spread = float(np.linalg.norm(logits - logits.mean(axis=1, keepdims=True)))
    apart = float(np.linalg.norm(logits - again.cpu().numpy()))
    value = apart / spread if spread > 0 else apart
    return Check(
        name="recomputed",
        claim="Relative difference between the network's logits and those of the operations that "
        "were heard, for images they were not heard with",
        value=value,
        limit=MOST_APART,
        passed=value <= MOST_APART,
    )


def none(name: str, title: str, why: str) -> Evidence:
    """A way of looking that does not apply, and why."""
    return Evidence(name=name, title=title, inapplicable=why)


def or_why_not(name: str, title: str, look: Callable[[], Evidence]) -> Evidence:
    """What ``look`` gives; for a network that cannot be heard by operations, what it failed at."""
    try:
        return look()
    except InputError as error:
        return none(name, title, f"This network cannot be looked at so: {error}.")
