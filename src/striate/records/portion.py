"""Layers that belong together, with what they cost together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby

from striate.errors import InputError
from striate.records.layer import Field, Layer, intensity


@dataclass(frozen=True, kw_only=True)
class Portion:
    """Consecutive layers of a trace: one operation, one module, or a block of several.

    ``path``: the module they ran in.  ``module``: its class, empty where that is not known.
    ``times``: how often such a portion follows upon itself; all its numbers are of one.
    """

    path: str
    layers: tuple[Layer, ...]
    module: str = ""
    times: int = 1

    def __iter__(self) -> Iterator[Layer]:
        return iter(self.layers)

    def __len__(self) -> int:
        return len(self.layers)

    def __repr__(self) -> str:
        return (
            f"Portion({self.path!r}, {len(self)} layers, {self.params:,} params, "
            f"{self.macs:,} MACs)"
        )

    @property
    def shape(self) -> tuple[int, ...]:
        """What comes out of its last layer, batch included."""
        return self.layers[-1].shape

    @property
    def field(self) -> Field | None:
        """What an element of its last layer's output sees."""
        return self.layers[-1].field

    @property
    def params(self) -> int:
        """Elements of parameters that it is the first to use."""
        return sum(layer.params for layer in self.layers)

    @property
    def macs(self) -> int:
        """Multiply-accumulates; of the layers that are understood (see ``known``)."""
        return sum(layer.macs or 0 for layer in self.layers)

    @property
    def known(self) -> bool:
        """Whether the cost of every layer in it is understood."""
        return all(layer.macs is not None for layer in self.layers)

    @property
    def activations(self) -> int:
        """Elements of the outputs of its convolutions, linear layers and attention products."""
        return sum(layer.activations for layer in self.layers)

    @property
    def backward_macs(self) -> int:
        """Multiply-accumulates of its gradients in training, of the layers that are understood."""
        return sum(layer.backward_macs or 0 for layer in self.layers)

    @property
    def read_bytes(self) -> int:
        """Bytes that its layers read, each for itself."""
        return sum(layer.read_bytes for layer in self.layers)

    @property
    def written_bytes(self) -> int:
        """Bytes that its layers write, in place or not."""
        return sum(layer.written_bytes for layer in self.layers)

    @property
    def intensity(self) -> float | None:
        """Multiply-accumulates for each byte moved; None where not all of them are understood."""
        return intensity(self.macs if self.known else None, self.read_bytes + self.written_bytes)

    @property
    def shares(self) -> tuple[str, ...]:
        """Names of the parameters that its layers share with layers before them."""
        return tuple(dict.fromkeys(name for layer in self.layers for name in layer.shares))

    @property
    def out_bytes(self) -> int:
        """Bytes it writes."""
        return sum(layer.out_bytes for layer in self.layers)

    @property
    def saved_bytes(self) -> int:
        """Bytes that training keeps of it for backward."""
        return sum(layer.saved_bytes for layer in self.layers)


def portion_at(layers: tuple[Layer, ...], path: str) -> Portion | None:
    """Every layer in the module at ``path`` and below it, however often it was entered.

    None where there is none.
    """
    inside = tuple(
        layer
        for layer in layers
        if not path or layer.path == path or layer.path.startswith(path + ".")
    )
    if not inside:
        return None
    return Portion(path=path, layers=inside, module=class_of(path, inside))


def portions(
    layers: tuple[Layer, ...], depth: int, modules: Mapping[str, str]
) -> tuple[Portion, ...]:
    """Layers grouped by the module ``depth`` deep in the tree in which they ran, in order.

    ``modules``: the class of every module, by path, where it is known.  InputError for a depth
    below 1.
    """
    if depth < 1:
        raise InputError(f"depth {depth}: modules are counted from 1")
    found: list[Portion] = []
    for path, group in groupby(layers, key=lambda layer: _cut(layer.path, depth)):
        members = tuple(group)
        known = modules.get(path) or class_of(path, members)
        found.append(Portion(path=path, layers=members, module=known))
    return tuple(found)


def prefixes(path: str) -> Iterator[str]:
    """The paths of the modules around a layer, its own last.

    >>> list(prefixes("stages.0.conv"))
    ['stages', 'stages.0', 'stages.0.conv']
    """
    parts = path.split(".") if path else []
    for end in range(1, len(parts) + 1):
        yield ".".join(parts[:end])


def _cut(path: str, depth: int) -> str:
    return ".".join(path.split(".")[:depth])


def class_of(path: str, layers: tuple[Layer, ...]) -> str:
    """The class of the module at ``path``, from a layer that it ran itself; else empty."""
    return next((layer.module for layer in layers if layer.path == path), "")
