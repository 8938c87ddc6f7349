"""Parameters that begin as one number everywhere: a norm's ones, a bias's zeros, a layer scale.

Under the meta device there are no numbers to look at, so what a constructor writes is listened to.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import prod
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

Tensor = torch.Tensor

_FRESH = {"zeros": 0.0, "zeros_like": 0.0, "new_zeros": 0.0, "zero_": 0.0, "zero": 0.0,
          "ones": 1.0, "ones_like": 1.0, "new_ones": 1.0}  # fmt: skip
_FILLS = frozenset({"full", "full_like", "new_full", "fill_", "fill"})
_DRAWS = frozenset({"normal_", "uniform_", "random_", "log_normal_", "exponential_", "bernoulli_",
                    "geometric_", "cauchy_", "erfinv_", "clamp_"})  # fmt: skip
"""What writes into its first argument and nowhere else, whatever the other arguments are."""
_KEEPS = frozenset({"clone", "_to_copy", "copy_", "detach", "alias", "expand", "repeat"})


class Beginnings(TorchDispatchMode):
    """While open, notes which storages hold one number everywhere."""

    def __init__(self) -> None:
        super().__init__()
        self._known: dict[int, float | None] = {}

    def of(self, tensor: Tensor) -> float | None:
        """The number that ``tensor`` holds everywhere; None where none is known."""
        if tensor.is_meta:
            return self._known.get(_storage(tensor))
        return _only_number(tensor)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func._schema.name.split("::")[1]
        # On meta there is nothing to write, and most of a network's building is writing.
        idle = name in _DRAWS or name in ("zero_", "fill_")
        if idle and isinstance(args[0], Tensor) and args[0].is_meta:
            out: Any = args[0]
        else:
            out = func(*args, **(kwargs or {}))
        if isinstance(out, Tensor) and out.is_meta:
            key = _storage(out)
            writes = func._schema.is_mutable
            if writes or not any(isinstance(a, Tensor) and _storage(a) == key for a in args[:1]):
                whole = out.numel() * out.element_size() == out.untyped_storage().nbytes()
                self._known[key] = self._number(name, args) if whole else None
        return out

    def _number(self, name: str, args: Any) -> float | None:
        if name in _FRESH:
            return _FRESH[name]
        if name in _FILLS:
            value = args[1] if len(args) > 1 else None
            return float(value) if isinstance(value, (int, float)) else None
        if name in _KEEPS:
            source = args[1] if name == "copy_" else args[0]
            return self.of(source) if isinstance(source, Tensor) else None
        if name in ("mul", "mul_") and len(args) == 2:
            numbers = [self.of(a) if isinstance(a, Tensor) else a for a in args]
            if all(isinstance(number, (int, float)) for number in numbers):
                return prod(float(number) for number in numbers if number is not None)
        return None


def constants(parameters: Iterable[tuple[str, Tensor]], heard: Beginnings) -> dict[str, float]:
    """The number with which each parameter that is one number everywhere begins, by name."""
    found = ((name, heard.of(tensor)) for name, tensor in parameters)
    return {name: number for name, number in found if number is not None}


def _storage(tensor: Tensor) -> int:
    # Its identity: on meta the data pointer is 0.
    return tensor.untyped_storage()._cdata  # pyright: ignore[reportPrivateUsage]  # has no other


def _only_number(tensor: Tensor) -> float | None:
    flat = tensor.detach().flatten()
    if not flat.numel() or not flat.is_floating_point():
        return None
    first = flat[0]
    if not bool((flat[:16] == first).all()) or not bool((flat == first).all()):
        return None
    return float(first)
