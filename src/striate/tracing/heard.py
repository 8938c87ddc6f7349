"""An operation at the moment it failed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch

Shape = tuple[int, ...]


class Heard:
    """Its name (ATen's and the one that is shown), its arguments with tensors as their shapes.

    ``shapes``: of every tensor it was given.  ``inputs``: the layers that made them.
    """

    def __init__(
        self,
        name: str,
        shown: str,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        tensors: Sequence[torch.Tensor],
        inputs: tuple[int, ...],
    ) -> None:
        self.name, self.shown, self.inputs = name, shown, inputs
        self.shapes: tuple[Shape, ...] = tuple(tuple(tensor.shape) for tensor in tensors)
        self._args = [_plain(value) for value in args]
        self._kwargs = {key: _plain(value) for key, value in kwargs.items()}

    def get(self, position: int, name: str, default: Any = None) -> Any:
        """An argument by position or by name."""
        if position < len(self._args):
            return self._args[position]
        return self._kwargs.get(name, default)


def _plain(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return tuple(value.shape)
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in cast("list[Any]", value)]
    return value
