"""Tensors with numbers in them that a forward brings along, as tensors without."""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch

from striate.tracing.ops.call import Op, tensors_in

_FILLED = {
    "empty", "zeros", "ones", "full", "rand", "randn", "empty_strided", "empty_permuted",
}  # fmt: skip
_META = torch.device("meta")


class StandIns:
    """Replaces real tensors among the arguments of an operation that also has meta ones.

    Constants of a forward (an ``arange``, a buffer kept as a plain attribute) stay real among
    themselves, so that Python may look at them, until they meet the image.
    """

    def __init__(self) -> None:
        self._made: dict[int, tuple[weakref.ref[torch.Tensor], torch.Tensor]] = {}

    def adopt(self, real: torch.Tensor, stand_in: torch.Tensor) -> None:
        """Let a tensor that the module holds be stood in for by this one, wherever it turns up."""
        if real is not stand_in:
            self._made[id(real)] = (weakref.ref(real), stand_in)

    def for_call(
        self, name: str, op: Op | None, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> tuple[Sequence[Any], Mapping[str, Any]]:
        """Arguments that can be run without arithmetic."""
        if op is not None and op.kind == "make":
            if name in _FILLED and kwargs.get("device") != _META:
                kwargs = {**kwargs, "device": _META, "pin_memory": False}
            return args, kwargs
        meta = real = False
        for tensor in tensors_in(args):
            if tensor.is_meta:
                meta = True
            else:
                real = True
        if not meta:
            return args, kwargs
        if real:
            args = [self._without_numbers(value) for value in args]
        if op is not None and op.kind == "alias" and name in ("to", "_to_copy"):
            args = [_META if isinstance(value, torch.device) else value for value in args]
            if kwargs.get("device") is not None:
                kwargs = {**kwargs, "device": _META}
        if kwargs:
            kwargs = {key: self._without_numbers(value) for key, value in kwargs.items()}
        return args, kwargs

    def _without_numbers(self, value: Any) -> Any:
        if isinstance(value, (list, tuple)):
            return [self._without_numbers(item) for item in cast("list[Any]", value)]
        if not isinstance(value, torch.Tensor) or value.is_meta:
            return value
        known = self._made.get(id(value))
        if known is not None and known[0]() is value:
            return known[1]
        meta = torch.empty_strided(value.shape, value.stride(), dtype=value.dtype, device=_META)
        if isinstance(value, torch.nn.Parameter):
            meta = torch.nn.Parameter(meta, requires_grad=value.requires_grad)
        self._made[id(value)] = (weakref.ref(value), meta)
        return meta
