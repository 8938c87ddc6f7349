"""The ends of a network: which operation has the last say over its class scores."""

from __future__ import annotations

from collections.abc import Iterator

from striate.checking.graph import RESHAPES, SAME, Graph, is_weighted
from striate.records import Edit, Layer, Trace

LEAVES = frozenset({
    "AlphaDropout", "BatchNorm1d", "BatchNorm2d", "CELU", "Dropout", "Dropout1d", "Dropout2d",
    "ELU", "FeatureAlphaDropout", "GELU", "GroupNorm", "Hardsigmoid", "Hardswish", "Hardtanh",
    "InstanceNorm1d", "InstanceNorm2d", "LayerNorm", "LeakyReLU", "LogSoftmax", "Mish", "PReLU",
    "ReLU", "ReLU6", "RMSNorm", "RReLU", "SELU", "SiLU", "Sigmoid", "Softmax", "Softmax2d",
    "Softplus", "Softsign", "Tanh",
})  # fmt: skip
"""Modules of torch that are one operation and no more, and hand on the shape they were given."""


def outputs(graph: Graph) -> Iterator[Layer]:
    """What the network returns of what was computed from the image.

    Where that is not known, what is read by nothing is taken for it.
    """
    returned = {index for index in graph.trace.returned if index in graph}
    for layer in graph.trace:
        if layer.op == "input" or not graph.sees_image(layer):
            continue
        if layer.index in returned or not (returned or graph.users(layer)):
            yield layer


def last_layer(trace: Trace) -> Layer:
    """The operation that the last output comes from; the trace has a layer at least."""
    graph = Graph(trace)
    found = [last_say(graph, out) for out in outputs(graph)]
    return found[-1] if found else trace.layers[-1]


def last_say(graph: Graph, out: Layer) -> Layer:
    """The operation behind an output, without what only reshapes it or does nothing."""
    return graph.back(out, (RESHAPES | SAME) - DROPOUTS)


DROPOUTS = frozenset({"dropout", "feature_dropout", "alpha_dropout", "feature_alpha_dropout"})


def scores(out: Layer) -> int:
    """How many numbers an output gives for each image, if it gives a row of them; else 0."""
    ones = out.shape[2:]
    return out.shape[1] if len(out.shape) >= 2 and all(side == 1 for side in ones) else 0


def behind(graph: Graph, layer: Layer, through: frozenset[str] = frozenset()) -> Layer | None:
    """The convolution or dense layer whose output ``layer`` works on, or None."""
    source = graph.source(layer)
    if source is None:
        return None
    source = graph.back(source, SAME | RESHAPES | through)
    return source if is_weighted(source) else None


def removal(layer: Layer) -> tuple[Edit, ...]:
    """The edit that takes the layer's module away, where the module is this operation alone."""
    return (Edit(path=layer.path, argument=None),) if layer.module in LEAVES else ()
