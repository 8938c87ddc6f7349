"""A module that can be run on shapes alone, and nothing of it changed afterwards."""

from __future__ import annotations

import gc
import inspect
from collections import OrderedDict
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from striate.errors import TraceError
from striate.tracing.beginnings import Beginnings
from striate.tracing.places import noting_makers

Factory = Callable[[], nn.Module]


def made(
    target: nn.Module | Factory | object, begun: Beginnings | None = None
) -> tuple[nn.Module, dict[int, str]]:
    """The module, and for each of its modules the line that made it where that was seen.

    ``begun`` listens to what the constructors write into parameters.  A factory is called under
    the meta device, so that no weight is allocated; one that cannot be is called as it is.  The
    random state is left as it was.
    """
    if isinstance(target, nn.Module):
        return target, {}
    if not callable(target):
        raise TraceError(
            f"cannot trace {type(target).__name__}; give a torch.nn.Module or a function "
            "that makes one"
        )
    cuda = list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []
    with torch.random.fork_rng(devices=cuda), noting_makers(inspect.currentframe()) as makers:
        try:
            with begun or torch.device("meta"), uncollected():
                module: object = target()
        except Exception:  # noqa: BLE001  # the user's code, which may need real numbers
            makers.clear()
            module = target()
    if not isinstance(module, nn.Module):
        name = getattr(target, "__qualname__", type(target).__name__)
        raise TraceError(
            f"{name} returned {type(module).__name__}; it must return a torch.nn.Module"
        )
    return module, makers


@contextmanager
def uncollected() -> Generator[None]:
    """While open, no cycles are looked for: a good part of the time would go into it."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


class StoodIn:
    """A parameter or buffer of the module, and the tensor without numbers in its place.

    ``name``: the first under which the module holds it.  ``elements``: 0 for a buffer, which is
    not counted.
    """

    def __init__(self, name: str, original: torch.Tensor, elements: int) -> None:
        self.name, self.original, self.elements = name, original, elements
        self.tensor = original
        if not original.is_meta:
            meta = torch.empty_strided(
                original.shape, original.stride(), dtype=original.dtype, device="meta"
            )
            if isinstance(original, nn.Parameter):
                meta = nn.Parameter(meta, requires_grad=original.requires_grad)
            self.tensor = meta

    @property
    def nbytes(self) -> int:
        """What it takes up where it really is."""
        return self.original.numel() * self.original.element_size()


@contextmanager
def on_meta(places: Sequence[tuple[str, nn.Module]], *, train: bool) -> Generator[list[StoodIn]]:
    """While open, parameters and buffers of ``places`` are meta tensors and the mode is as asked.

    Yields each of them once.  Afterwards every module's attributes are the very objects they
    were.  A scripted module keeps its own parameters, which are stood in for where they are used.
    """
    parts = [part for _, part in places]
    before = [_Attributes(part) for part in parts if not isinstance(part, torch.jit.ScriptModule)]
    modes = [(part, part.training) for part in parts if isinstance(part, torch.jit.ScriptModule)]
    found: dict[int, StoodIn] = {}

    def stand_in(name: str, tensor: torch.Tensor, elements: int) -> torch.Tensor:
        if is_lazy(tensor):  # behind the place where the forward fails
            return tensor
        known = found.get(id(tensor))
        if known is None:
            known = found[id(tensor)] = StoodIn(name, tensor, elements)
        return known.tensor

    try:
        for path, part in places:
            below = f"{path}." if path else ""
            scripted = isinstance(part, torch.jit.ScriptModule)
            for name, parameter in part.named_parameters(recurse=False, remove_duplicate=False):
                elements = 0 if is_lazy(parameter) else parameter.numel()
                new = stand_in(below + name, parameter, elements)
                if not scripted:
                    vars(part)["_parameters"][name] = new
            for name, buffer in part.named_buffers(recurse=False, remove_duplicate=False):
                new = stand_in(below + name, buffer, 0)
                if not scripted:
                    vars(part)["_buffers"][name] = new
            part.training = train
        yield list(found.values())
    finally:
        for attributes in before:
            attributes.restore()
        for part, mode in modes:
            part.training = mode


_CONTAINERS = frozenset((dict, OrderedDict, list, set))


class _Attributes:
    """A module's attributes, and what was in those that are plain containers."""

    __slots__ = ("_empty", "_full", "_own", "_values")

    def __init__(self, part: nn.Module) -> None:
        self._own = vars(part)
        self._values = self._own.copy()
        held = [value for value in self._values.values() if type(value) in _CONTAINERS]
        self._full = [(value, value.copy()) for value in held if value]
        self._empty = [value for value in held if not value]

    def restore(self) -> None:
        """Make them the very objects they were, holding what they held."""
        self._own.clear()
        self._own.update(self._values)
        for value in self._empty:
            if value:
                value.clear()
        for value, before in self._full:
            value.clear()
            if isinstance(value, list):
                value.extend(before)
            else:
                value.update(before)
