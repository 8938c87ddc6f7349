"""Pairs of linear operations with nothing nonlinear between, and which of them are meant so."""

from __future__ import annotations

from striate.checking.graph import DENSE, SAME, Graph, channels, groups, kernel
from striate.records import Layer

LINEAR = DENSE | {"conv2d", "conv_transpose2d"}
AFFINE = SAME | {"batch_norm"}
AVERAGES = frozenset({"avg_pool2d", "adaptive_avg_pool2d", "mean"})
FLATTENS = frozenset({"flatten", "view", "reshape", "squeeze"})


def linear_before(graph: Graph, layer: Layer) -> Layer | None:
    """The linear operation whose output reaches ``layer`` alone, and changed by nothing but it."""
    if layer.op not in LINEAR:
        return None
    through = AFFINE | AVERAGES | (FLATTENS if layer.op in DENSE else SAME)
    here = graph.source(layer)
    while here is not None and graph.only_user(here) is not None:
        if here.op in LINEAR:
            return here
        if here.op not in through or not _keeps_channels(graph, here):
            return None
        here = graph.source(here)
    return None


def _keeps_channels(graph: Graph, layer: Layer) -> bool:
    """An average over the channels themselves is another kind of map."""
    source = graph.source(layer)
    if source is None or layer.op not in AVERAGES:
        return source is not None
    return layer.shape[:2] == source.shape[:2]


def is_factorised(first: Layer, second: Layer) -> bool:
    """Whether the two are a deliberate factorisation of one larger map."""
    if groups(first) > 1 or groups(second) > 1:
        return True
    if first.gate and second.gate:
        return False  # a squeeze gate's two layers are narrow in the middle, with an activation
    (width_in, middle), width_out = channels(first), channels(second)[1]
    if middle < min(width_in, width_out) or _is_linear_bottleneck(first, second):
        return True
    tall, wide = (
        any(kernel(layer)[axis] == 1 < kernel(layer)[1 - axis] for layer in (first, second))
        for axis in (1, 0)
    )
    return tall and wide


def _is_linear_bottleneck(first: Layer, second: Layer) -> bool:
    """A projection that ends one inverted residual block, and the expansion of the next."""
    (width_in, middle), width_out = channels(first), channels(second)[1]
    pointwise = all(layer.op == "conv2d" and kernel(layer) == (1, 1) for layer in (first, second))
    return pointwise and middle <= width_in and middle < width_out
