"""Trained weights for a network that differs: other channels, classes or image size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from striate.building.network import Network
from striate.errors import ArchError

_INPUT = ("stem.conv.weight", "stages.0.blocks.0.conv.weight")
_POSITIONS = ".enter.positions"


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """The tensors to load, and one sentence for each thing that was changed or left fresh."""

    state: dict[str, Tensor]
    said: tuple[str, ...]


def fit_weights(network: Network, state: Mapping[str, Tensor]) -> Fitted:
    """``state``, under our names, made to fit ``network``; nothing is changed that is not said.

    Another number of input channels: one channel takes the sum over the three, more take them in
    turn, scaled by 3 / channels, so that a gray image gives what it gave.  Other classes: the last
    layer keeps its fresh weights.  Another image size: a transformer's positions are interpolated
    (bicubic; Dosovitskiy et al. 2020, section 3.2).  ArchError for any other difference.
    """
    ours = network.state_dict()
    made: dict[str, Tensor] = {}
    said: list[str] = []
    first = next((name for name in _INPUT if name in ours), None)
    last = ours["head.linear.weight"].shape[0]
    for name, fresh in ours.items():
        given = state[name]
        if given.shape == fresh.shape:
            made[name] = given
        elif name == first and given.shape[2:] == fresh.shape[2:]:
            made[name] = _channels(given, fresh.shape[1])
            said.append(
                f"the first convolution's {given.shape[1]} input channels became {fresh.shape[1]}"
            )
        elif name.startswith("head.linear.") and given.shape[1:] == fresh.shape[1:]:
            made[name] = fresh
            if name.endswith("weight"):
                said.append(
                    f"the last layer is fresh: the weights are of {given.shape[0]} classes, "
                    f"and there are {last}"
                )
        elif name.endswith(_POSITIONS):
            made[name] = _positions(given, fresh, extra=_extra(ours, name))
            said.append(f"{given.shape[1]} positions were interpolated to {fresh.shape[1]}")
        else:
            raise ArchError(
                f"{network.arch.name}: {name} has shape {_by(fresh.shape)} here and "
                f"{_by(given.shape)} in the weights; only the image, its channels and the classes "
                "may differ"
            )
    return Fitted(state=made, said=tuple(said))


def _channels(weight: Tensor, channels: int) -> Tensor:
    """(out, 3, h, w) → (out, channels, h, w)."""
    had = weight.shape[1]
    if channels == 1:
        return weight.sum(dim=1, keepdim=True)
    turns = torch.arange(channels, device=weight.device) % had
    return weight[:, turns] * (had / channels)


def _extra(ours: Mapping[str, Tensor], name: str) -> int:
    return int(name.replace("positions", "class_token") in ours)


def _positions(given: Tensor, fresh: Tensor, *, extra: int) -> Tensor:
    """(1, tokens, C): the class token's stays, the others' square is resized."""
    kept, spread = given[:, :extra], given[:, extra:]
    side, wanted = (round((t.shape[1] - extra) ** 0.5) for t in (given, fresh))
    if side**2 + extra != given.shape[1] or wanted**2 + extra != fresh.shape[1]:
        raise ArchError(
            f"positions: {given.shape[1] - extra} and {fresh.shape[1] - extra} places are not both "
            "squares, and only squares can be resized; use a square image"
        )
    grid = spread.transpose(1, 2).reshape(1, -1, side, side)
    grid = F.interpolate(grid, size=(wanted, wanted), mode="bicubic", align_corners=False)
    return torch.cat((kept, grid.flatten(2).transpose(1, 2)), dim=1)


def _by(shape: torch.Size) -> str:
    return "×".join(map(str, shape))
