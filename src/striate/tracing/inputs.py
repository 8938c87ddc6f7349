"""What a forward is called with: one image, or the inputs that somebody gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import nn

from striate.errors import TraceError

Size = tuple[int, int, int]
_META = torch.device("meta")


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """Arguments of a forward.  ``size``: (C, H, W) of the first image among them."""

    size: Size
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any]

    def fresh(self) -> Fresh:
        """The same once more, every tensor a new one without numbers."""
        tensors: list[torch.Tensor] = []
        args = tuple(_anew(value, tensors) for value in self.args)
        kwargs = {name: _anew(value, tensors) for name, value in self.kwargs.items()}
        image = next(tensor for tensor in tensors if _is_image(tensor))
        return Fresh(args, kwargs, image, [tensor for tensor in tensors if tensor is not image])


class Fresh:
    """Arguments to call with, and the tensors in them."""

    def __init__(
        self,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        image: torch.Tensor,
        others: list[torch.Tensor],
    ) -> None:
        self.args, self.kwargs, self.image, self.others = args, kwargs, image, others

    def let_go(self) -> None:
        """Hold none of it any longer."""
        self.args, self.kwargs = (), {}
        del self.image
        self.others.clear()


def one_image(module: nn.Module, size: Size, batch: int) -> Inputs:
    """Images alone, of the type of the weights, which they must share."""
    first = next((p for p in module.parameters() if p.is_floating_point()), None)
    dtype = torch.float32 if first is None else first.dtype
    pixels = torch.empty(batch, *size, device=_META, dtype=dtype)
    return Inputs(size=size, args=(pixels,), kwargs={})


def given(inputs: object) -> Inputs:
    """What somebody gave: a tensor, several in a tuple or list, or a mapping of keyword arguments.

    TraceError where no image, (N, C, H, W) of floating point, is among them.
    """
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = {}
    if isinstance(inputs, Mapping):
        kwargs = cast("Mapping[str, Any]", inputs)
    elif isinstance(inputs, (tuple, list)):
        args = tuple(cast("Sequence[Any]", inputs))
    else:
        args = (inputs,)
    found: list[torch.Tensor] = []
    for value in (*args, *kwargs.values()):
        _anew(value, found)
    image = next((tensor for tensor in found if _is_image(tensor)), None)
    if image is None:
        shapes = ", ".join(str(tuple(tensor.shape)) for tensor in found) or "no tensors"
        raise TraceError(
            f"inputs hold no image ({shapes}); give a tensor of shape (N, C, H, W), such as "
            'torch.empty(1, 3, 224, 224, device="meta")'
        )
    channels, height, width = image.shape[1:]
    return Inputs(size=(channels, height, width), args=args, kwargs=kwargs)


def _is_image(tensor: torch.Tensor) -> bool:
    return tensor.dim() == 4 and tensor.is_floating_point() and tensor.numel() > 0


def _anew(value: Any, made: list[torch.Tensor]) -> Any:
    if isinstance(value, torch.Tensor):
        fresh = torch.empty_strided(value.shape, value.stride(), dtype=value.dtype, device=_META)
        made.append(fresh)
        return fresh
    if type(value) in (list, tuple):
        return type(value)(_anew(item, made) for item in cast("list[Any]", value))
    if type(value) is dict:
        items = cast("dict[Any, Any]", value).items()
        return {key: _anew(item, made) for key, item in items}
    return value
