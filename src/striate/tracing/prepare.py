"""A module that can be run on shapes alone, and nothing of it changed afterwards."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from striate.errors import TraceError
from striate.tracing.places import noting_makers

Factory = Callable[[], nn.Module]


def made(target: nn.Module | Factory) -> tuple[nn.Module, dict[int, str]]:
    """The module, and for each of its modules the line that made it where that was seen.

    A factory is called under the meta device, so that no weight is allocated; one that cannot be
    is called as it is.  The random state is left as it was.
    """
    if isinstance(target, nn.Module):
        return target, {}
    if not callable(target):
        raise TraceError(
            f"cannot trace {type(target).__name__}; give a torch.nn.Module or a function "
            "that makes one"
        )
    cuda = list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []
    with torch.random.fork_rng(devices=cuda), noting_makers() as makers:
        try:
            with torch.device("meta"):
                module = target()
        except Exception:  # the user's code, which may need real numbers to build
            makers.clear()
            module = target()
    if not isinstance(module, nn.Module):
        raise TraceError(
            f"{_name_of(target)} returned {type(module).__name__}; it must return a torch.nn.Module"
        )
    return module, makers


def _name_of(target: object) -> str:
    return getattr(target, "__qualname__", type(target).__name__)


@contextmanager
def on_meta(module: nn.Module, *, train: bool) -> Iterator[dict[int, tuple[torch.Tensor, int]]]:
    """While open, parameters and buffers are meta tensors and the mode is as asked.

    Yields, by the id of each original parameter, its stand-in and its number of elements.
    Afterwards every module's attributes are the very objects they were.
    """
    parts = list(module.modules())
    before = [(part, _attributes(part)) for part in parts]
    stand_ins: dict[int, torch.Tensor] = {}
    found: dict[int, tuple[torch.Tensor, int]] = {}
    try:
        for part in parts:
            for name, parameter in part._parameters.items():
                if parameter is not None:
                    part._parameters[name] = _meta(parameter, stand_ins)  # type: ignore[assignment]  # a Parameter of the same kind
                    found[id(parameter)] = (stand_ins[id(parameter)], parameter.numel())
            for name, buffer in part._buffers.items():
                if buffer is not None:
                    part._buffers[name] = _meta(buffer, stand_ins)
            part.training = train
        yield found
    finally:
        for part, attributes in before:
            _restore(part, attributes)


def _meta(tensor: torch.Tensor, stand_ins: dict[int, torch.Tensor]) -> torch.Tensor:
    known = stand_ins.get(id(tensor))
    if known is None:
        meta = torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device="meta")
        if isinstance(tensor, nn.Parameter):
            meta = nn.Parameter(meta, requires_grad=tensor.requires_grad)
        known = stand_ins[id(tensor)] = meta
    return known


_CONTAINERS = (dict, OrderedDict, list, set)
_EMPTY: tuple[()] = ()


def _attributes(part: nn.Module) -> list[tuple[str, Any, Any]]:
    """Each attribute, and a copy of what is in it where it is a plain container."""
    found: list[tuple[str, Any, Any]] = []
    for name, value in part.__dict__.items():
        if type(value) in _CONTAINERS:
            found.append((name, value, value.copy() if value else _EMPTY))
        else:
            found.append((name, value, None))
    return found


def _restore(part: nn.Module, attributes: list[tuple[str, Any, Any]]) -> None:
    own = part.__dict__
    if len(own) != len(attributes):
        known = {name for name, _, _ in attributes}
        for name in [name for name in own if name not in known]:
            del own[name]
    for name, value, copy in attributes:
        own[name] = value
        if copy is None or (copy is _EMPTY and not value):
            continue
        value.clear()
        if isinstance(value, list):
            value.extend(copy)
        else:
            value.update(copy)
