"""Two traces side by side: what was added, taken away or changed, layer by layer and in total."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from striate.records.layer import Layer
from striate.records.trace import Trace

Kind = Literal["same", "changed", "added", "removed"]
_CALLED_WITH = ("kernel", "stride", "padding", "dilation", "groups")


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A layer of each trace that take each other's place; one is None where there is no such."""

    before: Layer | None
    after: Layer | None

    @property
    def layer(self) -> Layer:
        """The layer after the change, or before it where it was taken away."""
        layer = self.after if self.after is not None else self.before
        assert layer is not None
        return layer

    @property
    def kind(self) -> Kind:
        """What happened to the layer."""
        if self.before is None:
            return "added"
        if self.after is None:
            return "removed"
        return "changed" if self.changes() else "same"

    def changes(self) -> dict[str, tuple[Any, Any]]:
        """What differs, by name, before and after; empty where one of them is missing.

        Compared: how it was called (``kernel``, ``stride``, …), ``shape``, ``params``, ``macs``
        and the ``field`` (its status, and its size where it has one).
        """
        if self.before is None or self.after is None:
            return {}
        old, new = _facts(self.before), _facts(self.after)
        names = list(dict.fromkeys([*old, *new]))
        return {
            name: (old.get(name), new.get(name)) for name in names if old.get(name) != new.get(name)
        }


def _facts(layer: Layer) -> dict[str, Any]:
    seen = layer.field
    # What an adaptive pool is called with follows from the map it is given.
    called = {
        name: layer.attrs[name]
        for name in _CALLED_WITH
        if name in layer.attrs and not layer.op.startswith("adaptive")
    }
    located = seen is not None and seen.status in ("exact", "bound")
    return {
        "op": layer.op,
        **called,
        "shape": layer.shape,
        "params": layer.params,
        "macs": layer.macs,
        "field": None if seen is None else (seen.status, *(seen.size if located else ())),
    }


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What became of ``before`` in ``after``: every layer of both, in order, once."""

    before: Trace
    after: Trace
    pairs: tuple[Pair, ...]

    def __iter__(self) -> Iterator[Pair]:
        return iter(self.pairs)

    def count(self, kind: Kind) -> int:
        """How many layers are the same, changed, added or removed."""
        return sum(pair.kind == kind for pair in self.pairs)

    def totals(self) -> Mapping[str, tuple[int, int]]:
        """Each total before and after, by its name in the ``trace`` document."""
        names = ("params", "macs", "activations", "infer_bytes", "train_bytes")
        return {
            name: (getattr(self.before.totals, name), getattr(self.after.totals, name))
            for name in names
        }

    def as_json(self) -> dict[str, Any]:
        """The ``against`` document: totals, and every layer that is not the same."""
        return {
            "striate": 1,
            "target": self.before.name,
            "image": list(self.before.image),
            "against": {
                "target": self.after.name,
                "image": list(self.after.image),
                "totals": {
                    name: {"before": old, "after": new}
                    for name, (old, new) in self.totals().items()
                },
                "same": self.count("same"),
                "layers": [_pair_json(pair) for pair in self.pairs if pair.kind != "same"],
            },
        }


def _pair_json(pair: Pair) -> dict[str, Any]:
    return {
        "change": pair.kind,
        "before": None if pair.before is None else pair.before.index,
        "after": None if pair.after is None else pair.after.index,
        "path": pair.layer.path,
        "was": pair.before.path
        if pair.before is not None and pair.before.path != pair.layer.path
        else None,
        "op": pair.layer.op,
        "params": [0 if layer is None else layer.params for layer in (pair.before, pair.after)],
        "macs": [0 if layer is None else layer.macs for layer in (pair.before, pair.after)],
        "changes": {
            name: {"before": _plain(old), "after": _plain(new)}
            for name, (old, new) in pair.changes().items()
        },
    }


def _plain(value: Any) -> Any:
    return list(cast("tuple[object, ...]", value)) if isinstance(value, tuple) else value
