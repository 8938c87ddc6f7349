"""What breaks when a block is taken out.

Veit et al. 2016, section 4.1: a residual network loses little when one block adds nothing, a plain
one everything when one layer is passed by.  Taking a block out also changes what the batch norms
behind it are given, which is another injury than the loss of the block; so it is done twice, with
the norms as they are and with their statistics estimated again.

Comes in: a module, images, labels.  Goes out: ``Lesions``.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from striate.records import Evidence
from striate.records.stream import Lesions
from striate.seeing.frozen_batches import (
    Statistics,
    estimated,
    fitting,
    graphs,
    has_batch_norms,
    labelled,
    said,
    settled,
)
from striate.seeing.frozen_evidence import measured, none, or_why_not, recomputed
from striate.seeing.frozen_graph import Graph, capture
from striate.seeing.frozen_points import points_of
from striate.seeing.frozen_run import run
from striate.seeing.frozen_skips import skips_of, stream_of
from striate.seeing.subject import Subject, Tick

TITLE = "What breaks without each block"
SKIPS, LAYERS = "a branch adds nothing", "a layer is passed by"
NOTHING = (
    "This network has no skip and no two layers that hand on the same shape, so nothing can be "
    "taken out of it."
)


def block_lesions(
    module: nn.Module,
    images: Tensor,
    labels: Tensor | NDArray[np.int64],
    *,
    settling: Tensor | None = None,
    batch: int = 32,
) -> Lesions:
    """Accuracy on ``images`` (N, C, H, W) with each block taken out, one at a time.

    In a network without skips a block is a layer that hands on the shape it is given.
    ``settling``: images, as training knows them, on which batch norms are estimated again; by
    default the first ``batch`` of ``images``; of both as many as fit into memory.
    """
    right = labelled(images, labels)
    known_by = images[:batch] if settling is None else settling
    known_by = known_by[: fitting(module, known_by)]
    first = capture(module, known_by)
    names, unit = tuple(_cuts(first)), SKIPS if stream_of(first, skips_of(first)) else LAYERS
    settle = has_batch_norms(first)
    with torch.no_grad():
        known: list[Statistics] = []
        if settle:
            known.append(estimated(first, {0: first.image}))
            known += [estimated(first, given) for given in _cuts(first).values()]
        rows: list[NDArray[np.float64]] = []
        for here, graph in graphs(module, images, batch):
            cuts = [{0: graph.image}, *_cuts(graph).values()]
            correct = [
                [
                    said(run(graph, cut)[graph.output]) == right[here],
                    said(run(graph, cut, compute=settled(known[i]))[graph.output]) == right[here]
                    if settle
                    else np.full(len(right[here]), np.nan),
                ]
                for i, cut in enumerate(cuts)
            ]
            rows.append(np.array(correct, np.float64))
    found = np.concatenate(rows, axis=2).mean(axis=2)
    return Lesions(
        names=names,
        accuracy=found[1:, 0],
        settled=found[1:, 1],
        whole=float(found[0, 0]),
        whole_settled=float(found[0, 1]),
        unit=unit,
        images=len(images),
        settled_on=len(known_by),
        inapplicable=None if names else NOTHING,
    )


def _cuts(graph: Graph) -> dict[str, dict[int, Tensor]]:
    """By name, what to put in place of what to take a block out."""
    skips = stream_of(graph, skips_of(graph))
    if skips:
        return {s.name: {s.branch: torch.zeros_like(graph.values[s.branch])} for s in skips}
    points = points_of(graph)
    return {
        after.name: {after.value: graph.values[before.value]}
        for before, after in pairwise(points)
        if graph.values[before.value].shape == graph.values[after.value].shape
        and after.value != graph.output
    }


def lesioned(subject: Subject, tick: Tick) -> Evidence:
    """Evidence ``stream.lesions``: ``accuracy`` and, where norms can be, ``settled`` (blocks,).

    Norms are estimated again on the looked-at images.  Facts: ``whole``, ``whole_settled``.
    """
    tick(0, 1)
    return or_why_not("stream.lesions", TITLE, lambda: _lesioned(subject))


def _lesioned(subject: Subject) -> Evidence:
    inputs, labels = measured(subject)
    settling = subject.inputs(subject.looked_at)
    found = block_lesions(subject.module, inputs, labels, settling=settling)
    if found.inapplicable is not None:
        return none("stream.lesions", TITLE, found.inapplicable)
    settled_too = not np.isnan(found.whole_settled)
    return Evidence(
        name="stream.lesions",
        title=TITLE,
        arrays={"accuracy": found.accuracy, **({"settled": found.settled} if settled_too else {})},
        facts={
            "names": list(found.names),
            "whole": found.whole,
            "whole_settled": found.whole_settled if settled_too else None,
            "unit": found.unit,
            "images": found.images,
            "settled_on": found.settled_on,
            "split": subject.images.name,
        },
        checks=(recomputed(subject, inputs),),
    )
