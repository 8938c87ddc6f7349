"""Lazy modules, whose parameters take their shapes from the first image they see."""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import suppress
from typing import Any, cast

import torch
from torch import nn
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter, is_lazy

from striate.errors import TraceError
from striate.tracing.inputs import Inputs
from striate.tracing.places import modules_of

_META = torch.device("meta")


def settled(
    module: nn.Module, makers: dict[int, str], inputs: Inputs
) -> tuple[nn.Module, dict[int, str]]:
    """A copy without numbers whose lazy parts have met ``inputs``; the module itself without such.

    The module stays lazy.  What the copy's forward raises is not raised here: its parts before
    the failure have their shapes, and the trace that follows fails at the same place.  Lines of
    ``makers`` hold for the copies too.
    """
    if not any(map(_is_lazy, module.modules())):
        return module, makers
    memo: dict[int, Any] = {
        id(tensor): _without_numbers(tensor) for tensor in (*module.parameters(), *module.buffers())
    }
    try:
        twin = copy.deepcopy(module, memo)
    except Exception as error:  # the user's module, which may hold what cannot be copied
        raise TraceError(
            f"{type(module).__name__} is lazy and cannot be copied ({type(error).__name__}: "
            f"{error}); run it once on an image, or write its channels out"
        ) from error
    twin.eval()
    # What the user's forward raises here, it raises again in the trace, which tells of it.
    with torch.no_grad(), torch.random.fork_rng(devices=[]), suppress(Exception):
        fresh = inputs.fresh()
        twin(*fresh.args, **fresh.kwargs)
    lines = {
        id(part): makers[id(old)]
        for (_, old), (_, part) in zip(modules_of(module), modules_of(twin), strict=True)
        if id(old) in makers
    }
    return twin, lines


def _is_lazy(part: nn.Module) -> bool:
    own = vars(part)
    held = (*own.get("_parameters", {}).values(), *own.get("_buffers", {}).values())
    return any(map(is_lazy, held))


def _without_numbers(tensor: torch.Tensor) -> torch.Tensor:
    if isinstance(tensor, (UninitializedParameter, UninitializedBuffer)):
        kind = cast("Callable[..., torch.Tensor]", type(tensor))
        return kind(tensor.requires_grad, device=_META, dtype=tensor.dtype)
    empty = torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device=_META)
    if isinstance(tensor, nn.Parameter):
        return nn.Parameter(empty, requires_grad=tensor.requires_grad)
    return empty
