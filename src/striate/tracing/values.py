"""What is known of each live tensor, without holding it."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Mapping
from dataclasses import is_dataclass
from typing import Any, cast

import torch

from striate.tracing.fields.reach import Reach
from striate.tracing.memory import Block, Storages
from striate.tracing.overlaps import after_write

Tensor = torch.Tensor


class Value:
    """What is known of a live tensor.

    ``layer``: the layer that made it (−1: none).  ``reach``: what it sees (None: no pixel).
    ``owners``: parameters whose bytes it is.  ``grad``: whether training would give it a gradient.
    """

    __slots__ = ("block", "grad", "layer", "owners", "reach", "watch")

    def __init__(
        self, layer: int, reach: Reach | None, owners: tuple[int, ...], *, grad: bool
    ) -> None:
        self.layer, self.reach, self.owners, self.grad = layer, reach, owners, grad
        self.block: Block | None = None
        self.watch: weakref.ref[Tensor] | None = None

    @property
    def tensor(self) -> Tensor | None:
        """The tensor itself, while it lives."""
        return None if self.watch is None else self.watch()


NOTHING = Value(-1, None, (), grad=False)


class Values:
    """Values by tensor.  A tensor that the program lets go of is let go, and its bytes counted."""

    def __init__(self) -> None:
        self.storages = Storages()
        self._by_id: dict[int, Value] = {}

    def of(self, tensor: Tensor) -> Value:
        return self._by_id.get(id(tensor), NOTHING)

    def reach_of(self, tensor: Any) -> Reach | None:
        value = self._by_id.get(id(tensor))
        return None if value is None else value.reach

    def note(self, tensor: Tensor, value: Value, *, fixed: bool = False) -> None:
        """Say what is known of a tensor.  ``fixed``: the module holds it, it is no activation."""
        key = id(tensor)
        values = self._by_id
        old = values.get(key)
        if old is not None and old.watch is not None and old.watch() is tensor:
            value.watch, value.block = old.watch, old.block
            values[key] = value
            return
        value.block, release = self.storages.hold(tensor, fixed=fixed)

        def gone(_: weakref.ref[Tensor]) -> None:
            values.pop(key, None)
            release()

        value.watch = weakref.ref(tensor, gone)
        values[key] = value

    def spread(self, written: Tensor) -> None:
        """What was written into a storage is seen by every other tensor that shares it."""
        value = self.of(written)
        if value.block is None or len(value.block.holders) == 1:
            return
        for holder in value.block.holders:
            old = self._by_id.get(holder)
            other = old.watch() if old is not None and old.watch is not None else None
            if old is None or other is None or other is written:
                continue
            reach = after_write(written, value.reach, other, old.reach)
            new = Value(value.layer, reach, old.owners, grad=old.grad or value.grad)
            new.block, new.watch = old.block, old.watch
            self._by_id[holder] = new

    def keep(self, tensor: Tensor) -> int:
        """Bytes that keeping this tensor for backward adds to what is kept already."""
        block = self.storages.block_of(tensor)
        if block is None or block.fixed or block.saved:
            return 0
        block.saved = True
        return block.size

    def reaches_in(self, result: Any) -> Iterator[Reach | None]:
        """What each tensor in what a forward returned sees, containers opened in order."""
        if isinstance(result, Tensor):
            yield self.reach_of(result)
        elif isinstance(result, Mapping):
            for item in cast("Mapping[Any, Any]", result).values():
                yield from self.reaches_in(item)
        elif isinstance(result, (list, tuple)):
            for item in cast("list[Any]", result):
                yield from self.reaches_in(item)
        elif is_dataclass(result):
            yield from self.reaches_in(vars(result))
