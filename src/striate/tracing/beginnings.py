"""A network built on the meta device, and what its parameters begin as.

Under the meta device there are no numbers to look at, so what a constructor writes is listened to:
a norm's ones, a bias's zeros, a layer scale are one number everywhere.  Most of the work of
building a network is drawing and writing numbers that nobody will see; that is not done at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import prod
from typing import Any, cast

import torch
from torch import nn
from torch.utils._device import DeviceContext
from torch.utils._device import (
    _device_constructors as makers,  # pyright: ignore[reportPrivateUsage, reportUnknownVariableType]  # it has no public name
)
from torch.utils._python_dispatch import TorchDispatchMode

Tensor = torch.Tensor

_FRESH = {"zeros": 0.0, "zeros_like": 0.0, "new_zeros": 0.0, "zero_": 0.0, "zero": 0.0,
          "ones": 1.0, "ones_like": 1.0, "new_ones": 1.0}  # fmt: skip
_FILLS = frozenset({"full", "full_like", "new_full", "fill_", "fill"})
_KEEPS = frozenset({"clone", "_to_copy", "copy_", "detach", "alias", "expand", "repeat"})

_DRAWS = (Tensor.normal_, Tensor.uniform_, Tensor.random_, Tensor.log_normal_,
          Tensor.exponential_, Tensor.bernoulli_, Tensor.geometric_, Tensor.cauchy_,
          Tensor.erfinv_, Tensor.clamp_)  # fmt: skip
"""What writes into its tensor and nowhere else, whatever the other arguments are."""
_MADE: Mapping[Callable[..., Any], float | None] = {
    torch.empty: None, torch.zeros: 0.0, torch.ones: 1.0
}  # fmt: skip


_Written = Callable[[Sequence[Any], Mapping[str, Any]], Any]
"""Of a call that writes into its first argument: the number it leaves everywhere, None where none
is known, NotImplemented where PyTorch itself is to be asked."""


def _unknown(_: Sequence[Any], __: Mapping[str, Any]) -> None:
    return None


def _zero(_: Sequence[Any], __: Mapping[str, Any]) -> float:
    return 0.0


def _filled(args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    if kwargs or len(args) != 2 or not isinstance(args[1], (int, float)):
        return NotImplemented
    return float(args[1])


def _added(args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    return NotImplemented if kwargs or not isinstance(args[1], (int, float)) else None


_GAINS = frozenset({"linear", "conv2d", "sigmoid", "tanh", "relu", "leaky_relu", "selu"})


def _kaiming(_: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """For the arguments that it can take; anything else is PyTorch's to judge."""
    known = (
        kwargs["tensor"].dim() > 1
        and kwargs["mode"] in ("fan_in", "fan_out")
        and kwargs["nonlinearity"] in _GAINS
        and isinstance(kwargs["a"], (int, float))
    )
    return None if known else NotImplemented


def _constant(_: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    value = kwargs["val"]
    return float(value) if isinstance(value, (int, float)) else NotImplemented


_INITS: Mapping[object, _Written] = {
    nn.init.uniform_: _unknown,
    nn.init.normal_: _unknown,
    nn.init.constant_: _constant,
    nn.init.kaiming_uniform_: _kaiming,
    nn.init.kaiming_normal_: _kaiming,
}
"""As PyTorch hands them over: with all their arguments named."""


class Beginnings(DeviceContext):
    """While open, tensors are made on the meta device, and those of one number are noted."""

    def __init__(self) -> None:
        super().__init__("meta")
        self._known: dict[int, float | None] = {}
        self._below = _Below(self)
        self._makers = cast("Callable[[], set[object]]", makers)()
        self._writes: dict[object, _Written] = {
            **dict.fromkeys(_DRAWS, _unknown),
            **_INITS,
            Tensor.zero_: _zero,
            Tensor.fill_: _filled,
            Tensor.mul_: self._multiplied,
            Tensor.add_: _added,
        }

    def __enter__(self) -> None:
        super().__enter__()
        self._below.__enter__()

    def __exit__(self, *error: Any) -> None:
        self._below.__exit__(*error)
        super().__exit__(*error)

    def of(self, tensor: Tensor) -> float | None:
        """The number that ``tensor`` holds everywhere; None where none is known."""
        if tensor.is_meta:
            return self._known.get(_storage(tensor))
        return _only_number(tensor)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        named: dict[str, Any] = kwargs or {}
        written = self._writes.get(func)
        if written is not None:
            target: Any = args[0] if args else named.get("tensor")
            # a leaf that learns may not be written over: that is left to PyTorch to say
            free = func in _INITS or not _guarded(target)
            if free and isinstance(target, Tensor) and target.is_meta:
                number = written(args, named)
                if number is not NotImplemented:
                    self.note(target, number)
                    return target
        elif func is torch.tensor and _one_number(args, named):
            return self._fresh(float(args[0]), (), {"dtype": named["dtype"]})
        elif func in _MADE and _plain(named):
            return self._fresh(_MADE[func], args, named)
        if func in self._makers and named.get("device") is None:
            named = {**named, "device": self.device}
        return func(*args, **named)

    def _fresh(self, number: float | None, args: Any, named: Mapping[str, Any]) -> Tensor:
        size = args if args or "size" in named else ((),)
        with torch._C._DisableTorchDispatch():  # pyright: ignore[reportPrivateUsage]  # or it is heard
            made = torch.empty(*size, **{**named, "device": self.device})
        self._known[_storage(made)] = number
        return made

    def note(self, tensor: Tensor, number: float | None) -> None:
        """``tensor`` was written over with ``number``, or with what is not known."""
        whole = tensor.numel() * tensor.element_size() == tensor.untyped_storage().nbytes()
        self._known[_storage(tensor)] = number if whole else None

    def _multiplied(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        if kwargs or len(args) != 2 or not isinstance(args[1], (int, float)):
            return NotImplemented
        before = self.of(args[0])
        return None if before is None else before * float(args[1])


class _Below(TorchDispatchMode):
    """Hears the writing that is not seen from above: by views, by copies, inside compositions."""

    def __init__(self, heard: Beginnings) -> None:
        super().__init__()
        self._heard = heard

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """No, as of the recorder."""
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if isinstance(out, Tensor) and out.is_meta:
            key = _storage(out)
            writes = func._schema.is_mutable
            if writes or not any(isinstance(a, Tensor) and _storage(a) == key for a in args[:1]):
                self._heard.note(out, self._number(func._schema.name.split("::")[1], args))
        return out

    def _number(self, name: str, args: Any) -> float | None:
        of = self._heard.of
        if name in _FRESH:
            return _FRESH[name]
        if name in _FILLS:
            value = args[1] if len(args) > 1 else None
            return float(value) if isinstance(value, (int, float)) else None
        if name in _KEEPS:
            source = args[1] if name == "copy_" else args[0]
            return of(source) if isinstance(source, Tensor) else None
        if name in ("mul", "mul_") and len(args) == 2:
            numbers = [of(a) if isinstance(a, Tensor) else a for a in args]
            if all(isinstance(number, (int, float)) for number in numbers):
                return prod(float(number) for number in numbers if number is not None)
        return None


def _one_number(args: Sequence[Any], named: Mapping[str, Any]) -> bool:
    """Whether a tensor of one number and of a given type is asked for."""
    return (
        len(args) == 1
        and isinstance(args[0], (int, float))
        and named.keys() <= {"dtype", "device"}
        and named.get("dtype") is not None
        and (named.get("device") is None or torch.device(named["device"]).type == "meta")
    )


def _guarded(tensor: Tensor) -> bool:
    return tensor.requires_grad and torch.is_grad_enabled()


def _plain(named: Mapping[str, Any]) -> bool:
    """Whether only a size, a type and the meta device are asked for."""
    for name, value in named.items():
        if name == "device":
            if value is not None and torch.device(value).type != "meta":
                return False
        elif name not in ("dtype", "size", "requires_grad"):
            return False
    return True


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
