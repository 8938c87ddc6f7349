"""Blocks in another order: does it matter where each one stands?

Veit et al. 2016, section 4.3: the more pairs of a residual network's blocks are exchanged, the more
accuracy is lost, smoothly.  What changes places is the branch alone, with its norms as they are;
the stream, its sums and what stands behind them stay.  Only branches that are made alike, from the
same operations on the same shapes, and that read the stream alone, change places.

Comes in: a module, images, labels.  Goes out: a ``Reordering``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from striate import keyed
from striate.records import Evidence
from striate.records.stream import Reordering
from striate.seeing.frozen_batches import graphs, labelled, said
from striate.seeing.frozen_evidence import measured, none, or_why_not, recomputed
from striate.seeing.frozen_graph import Graph, Node, capture, tensors_in
from striate.seeing.frozen_run import Compute, Values, run
from striate.seeing.frozen_skips import Skip, skips_of, stream_of
from striate.seeing.subject import Subject, Tick

TITLE = "Blocks in another order"
NO_PAIR = "No two blocks of this network are alike and on a skip, so none can change places."


def reordering(
    module: nn.Module,
    images: Tensor,
    labels: Tensor | NDArray[np.int64],
    *,
    swaps: Sequence[int] = (1, 2, 4, 8),
    trials: int = 3,
    seed: int = 0,
    batch: int = 32,
) -> Reordering:
    """Accuracy on ``images`` (N, C, H, W) after exchanging random pairs of like blocks.

    For each number of ``swaps``, ``trials`` random orders, by (seed, number, trial).
    """
    right = labelled(images, labels)
    first = capture(module, images[:1])
    groups = _alike(first)
    movable = [place for group in groups for place in group]
    if not movable:
        empty = np.empty(0)
        return Reordering(
            swaps=np.empty(0, np.int64),
            tau=empty,
            accuracy=empty,
            blocks=(),
            whole=float("nan"),
            images=len(images),
            inapplicable=NO_PAIR,
        )
    asked = [(count, trial) for count in swaps for trial in range(trials)]
    orders = [_exchanged(groups, count, trial, seed) for count, trial in asked]
    rows: list[NDArray[np.bool_]] = []
    whole: list[NDArray[np.bool_]] = []
    names: tuple[str, ...] = ()
    with torch.no_grad():
        for here, graph in graphs(module, images, batch):
            skips = stream_of(graph, skips_of(graph))
            names = tuple(skips[place].name for place in sorted(movable))
            whole.append(said(graph.logits) == right[here])
            rows.append(
                np.stack([said(_reordered(graph, skips, order)) == right[here] for order in orders])
            )
    return Reordering(
        swaps=np.array([count for count, _ in asked], np.int64),
        tau=np.array([_tau([order.get(place, place) for place in movable]) for order in orders]),
        accuracy=np.concatenate(rows, axis=1).mean(axis=1),
        blocks=names,
        whole=float(np.concatenate(whole).mean()),
        images=len(images),
    )


def _alike(graph: Graph) -> list[list[int]]:
    """Numbers of the stream's skips that can change places with each other, two or more."""
    found: dict[Any, list[int]] = {}
    for place, skip in enumerate(stream_of(graph, skips_of(graph))):
        nodes = [graph.nodes[index] for index in skip.inside]
        own = {out for node in nodes for out in node.outs} | {skip.source}
        if skip.way != "identity" or not all(read in own for node in nodes for read in node.reads):
            continue
        made = tuple(
            (node.op, tuple(tuple(t.shape) for t in tensors_in(node.args))) for node in nodes
        )
        shape = tuple(graph.values[skip.source].shape)
        found.setdefault((made, shape, tuple(graph.values[skip.branch].shape)), []).append(place)
    return [group for group in found.values() if len(group) > 1]


def _exchanged(groups: list[list[int]], count: int, trial: int, seed: int) -> dict[int, int]:
    """By place the branch that stands there, after ``count`` exchanges of pairs."""
    order = {place: place for group in groups for place in group}
    sizes = np.cumsum([len(group) * (len(group) - 1) for group in groups])
    for step in range(count):
        drawn = int(keyed.integers(seed, "seeing.reorder", int(sizes[-1]), count, trial, step))
        which = int(np.searchsorted(sizes, drawn, side="right"))
        group, within = groups[which], drawn - (int(sizes[which - 1]) if which else 0)
        first, second = divmod(within, len(group) - 1)
        second += second >= first
        one, two = group[first], group[second]
        order[one], order[two] = order[two], order[one]
    return order


def _reordered(graph: Graph, skips: tuple[Skip, ...], order: dict[int, int]) -> Tensor:
    """The logits with each place's branch read from the stream as it then is."""
    rules: dict[int, Compute] = {
        skips[place].node: _from(graph, skips[place], skips[taken])
        for place, taken in order.items()
        if place != taken
    }
    return run(graph, {}, rules=rules)[graph.output]


def _from(graph: Graph, here: Skip, taken: Skip) -> Compute:
    """Meet the stream with another branch's outcome."""

    def compute(
        _node: Node, _args: tuple[Any, ...], kwargs: dict[str, Any], values: Values
    ) -> tuple[Tensor, ...]:
        stood = values.get(here.stream, graph.values[here.stream])
        added = run(graph, {taken.source: stood}, wanted=[taken.branch])[taken.branch]
        return (stood + added * kwargs.get("alpha", 1),)

    return compute


def _tau(order: list[int]) -> float:
    """Kendall's rank correlation between an order and the order of its numbers when sorted."""
    places = np.array(order)
    expected = np.sort(places)
    ranks = np.searchsorted(expected, places)
    first, second = np.triu_indices(len(ranks), 1)
    return float(np.sign(ranks[second] - ranks[first]).mean())


def reordered(subject: Subject, tick: Tick) -> Evidence:
    """Evidence ``stream.order``: ``swaps``, ``tau``, ``accuracy`` (orders,).

    Facts: ``blocks`` that can change places, ``whole``.
    """
    tick(0, 1)
    return or_why_not("stream.order", TITLE, lambda: _evidence(subject))


def _evidence(subject: Subject) -> Evidence:
    inputs, labels = measured(subject)
    found = reordering(subject.module, inputs, labels)
    if found.inapplicable is not None:
        return none("stream.order", TITLE, found.inapplicable)
    return Evidence(
        name="stream.order",
        title=TITLE,
        arrays={"swaps": found.swaps, "tau": found.tau, "accuracy": found.accuracy},
        facts={
            "blocks": list(found.blocks),
            "whole": found.whole,
            "images": found.images,
            "split": subject.images.name,
        },
        checks=(recomputed(subject, inputs),),
    )
