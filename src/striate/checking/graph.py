"""The trace as a graph, and the questions that several rules ask of it."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from weakref import ReferenceType, ref

from striate.records import Layer, Trace

CONVS = frozenset({"conv1d", "conv2d", "conv3d"})
POOLS = frozenset({"max_pool2d", "avg_pool2d"})
DENSE = frozenset({"linear"})
NORMS = frozenset({"batch_norm", "layer_norm", "group_norm", "instance_norm", "rms_norm"})
JOINS = frozenset({"add", "sub", "cat", "stack"})
"""Where paths meet so that each can be bypassed by another.  A product is not one: a gate scales
what passes through it."""

SAME = frozenset({"identity", "dropout", "feature_dropout", "alpha_dropout", "clone", "contiguous",
                  "detach", "alias", "to"})  # fmt: skip
"""What hands its input on, element by element, unchanged (dropout: in expectation)."""
RESHAPES = frozenset({"flatten", "view", "reshape", "squeeze", "unsqueeze"})
"""What hands its input on in another shape, in the same order."""
ACTIVATIONS = frozenset({
    "relu", "relu6", "leaky_relu", "prelu", "rrelu", "elu", "selu", "celu", "gelu", "silu", "mish",
    "sigmoid", "hardsigmoid", "hardswish", "tanh", "hardtanh", "softplus", "softsign", "clamp",
})  # fmt: skip
POINTWISE = SAME | ACTIVATIONS | NORMS
"""What looks at every pixel and leaves it where it is."""


@dataclass(frozen=True)
class _Edges:
    """What a trace's graph is made of: found once, and read by all rules."""

    layers: Mapping[int, Layer]
    sources: Mapping[int, tuple[Layer, ...]]
    users: Mapping[int, tuple[Layer, ...]]
    seen: frozenset[int]
    alive: frozenset[int] | None


_last: list[tuple[ReferenceType[Trace], _Edges]] = []
"""The graph that was asked for last: some fifty rules ask for the same one after another."""


def _edges_of(trace: Trace) -> _Edges:
    for known, edges in tuple(_last):
        if known() is trace:
            return edges
    layers = {layer.index: layer for layer in trace}
    sources: dict[int, tuple[Layer, ...]] = {}
    users: dict[int, list[Layer]] = {index: [] for index in layers}
    seen: set[int] = set()
    for layer in trace:
        given = tuple(layers[i] for i in dict.fromkeys(layer.inputs) if i in seen)
        if layer.op == "input" or given:
            seen.add(layer.index)
        sources[layer.index] = given
        for source in given:
            users[source.index].append(layer)
    edges = _Edges(
        layers=layers,
        sources=sources,
        users={index: tuple(found) for index, found in users.items()},
        seen=frozenset(seen),
        alive=_reaching(trace.returned, layers),
    )
    _last[:] = [(ref(trace), edges)]
    return edges


def _reaching(returned: Iterable[int], layers: Mapping[int, Layer]) -> frozenset[int] | None:
    alive: set[int] = set()
    waiting = [index for index in returned if index in layers]
    while waiting:
        index = waiting.pop()
        if index not in alive:
            alive.add(index)
            waiting += layers[index].inputs
    return frozenset(alive) or None


class Graph:
    """Layers by index, with the edges that carry something computed from the image.

    An edge that carries parameters alone (a standardised weight, a position embedding) is not one.
    """

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self._edges = _edges_of(trace)
        self._layers = self._edges.layers
        self._sources, self._users = self._edges.sources, self._edges.users
        self._seen, self._alive = self._edges.seen, self._edges.alive

    def __getitem__(self, index: int) -> Layer:
        return self._layers[index]

    def __contains__(self, index: int) -> bool:
        return index in self._layers

    def sources(self, layer: Layer) -> tuple[Layer, ...]:
        """The layers whose outputs it took, each once; none for the image."""
        return self._sources[layer.index]

    def users(self, layer: Layer) -> tuple[Layer, ...]:
        """The layers that took its output."""
        return self._users[layer.index]

    def source(self, layer: Layer) -> Layer | None:
        """What it works on (its first input from the image), or None."""
        return next(iter(self.sources(layer)), None)

    def only_user(self, layer: Layer) -> Layer | None:
        """The one layer that takes its output, or None where none or several do.

        A layer whose own output reaches nothing that is returned does not count.
        """
        users = [user for user in self._users[layer.index] if self.is_alive(user)]
        return users[0] if len(users) == 1 else None

    def is_alive(self, layer: Layer) -> bool:
        """Whether something that is returned depends on it (so far as it is known what is)."""
        return self._alive is None or layer.index in self._alive

    def sees_image(self, layer: Layer) -> bool:
        """Whether its output was computed from the image (weights are computed too, sometimes)."""
        return layer.index in self._seen

    def back(self, layer: Layer, through: Container[str]) -> Layer:
        """``layer``, or the first one before it that is not a single-input op of ``through``."""
        while layer.op in through and len(self.sources(layer)) == 1:
            layer = self.sources(layer)[0]
        return layer

    def readers(self, layer: Layer, through: Container[str]) -> Iterator[Layer]:
        """What takes its output, looked for behind the ops of ``through``; each once."""
        found: set[int] = set()
        waiting = [layer]
        while waiting:
            for user in self.users(waiting.pop()):
                if user.index in found:
                    continue
                found.add(user.index)
                if user.op in through:
                    waiting.append(user)
                else:
                    yield user

    def ancestors(self, layer: Layer) -> set[int]:
        """Indices of every layer it depends on, itself included."""
        found = {layer.index}
        waiting = [layer]
        while waiting:
            for source in self.sources(waiting.pop()):
                if source.index not in found:
                    found.add(source.index)
                    waiting.append(source)
        return found

    def sinks(self, layer: Layer) -> list[Layer]:
        """The ends of the network that its output reaches."""
        found: dict[int, Layer] = {}
        waiting = [layer]
        while waiting:
            here = waiting.pop()
            if here.index not in found:
                found[here.index] = here
                waiting.extend(self.users(here))
        return [layer for layer in found.values() if not self._users[layer.index]]


def is_map(layer: Layer) -> bool:
    """Whether its output is a stack of maps, (N, C, H, W)."""
    return len(layer.shape) == 4


def map_size(layer: Layer) -> tuple[int, int]:
    """(H, W) of its output, which must be a map."""
    return layer.shape[2], layer.shape[3]


def pair(layer: Layer, name: str, default: int) -> tuple[int, int]:
    """An attribute of a convolution or pool, as (height, width)."""
    value = layer.attrs.get(name)
    if value is None:
        return default, default
    if isinstance(value, int):
        return value, value
    *_, height, width = (1, *value)  # a 1-d kernel is one row
    return int(height), int(width)


def kernel(layer: Layer) -> tuple[int, int]:
    """The kernel's (height, width)."""
    return pair(layer, "kernel", 1)


def is_spatial_conv(layer: Layer) -> bool:
    """Whether it is a 2-d convolution that looks beyond one pixel."""
    return layer.op == "conv2d" and kernel(layer) != (1, 1)


def groups(layer: Layer) -> int:
    """Groups of a convolution; 1 for everything else."""
    return int(layer.attrs.get("groups", 1))


def is_depthwise(layer: Layer) -> bool:
    """Whether it is a convolution that keeps every channel to itself."""
    return groups(layer) > 1 and groups(layer) == channels(layer)[0]


def channels(layer: Layer) -> tuple[int, int]:
    """(in, out) channels of a convolution or features of a dense layer."""
    noun = "features" if layer.op in DENSE else "channels"
    return int(layer.attrs[f"in_{noun}"]), int(layer.attrs[f"out_{noun}"])


def is_weighted(layer: Layer) -> bool:
    """Whether it is a weight layer in the sense of He et al. 2015: convolution or dense."""
    return layer.op in CONVS or layer.op in DENSE
