"""Trained weights for a network that differs: other channels, classes, image size or stem."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast

import torch
from torch import Tensor
from torch.nn import functional as F

from striate.building.blocks.tokens import Tokens
from striate.building.network import Network
from striate.errors import ArchError

Part = Literal["channels", "stem", "positions", "head"]
"""What of a network may differ from the one its weights were trained in."""

_INPUT = ("stem.conv.weight", "stages.0.blocks.0.conv.weight")
_HEAD = "head.linear."
_POSITIONS = ".enter.positions"


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """The tensors to load, one sentence for each thing that was changed or left fresh, and which
    parts of the network those are.
    """

    state: dict[str, Tensor]
    said: tuple[str, ...]
    adapted: frozenset[Part]


def fit_weights(
    network: Network, state: Mapping[str, Tensor], *, other_classes: str | None = None
) -> Fitted:
    """``state``, under our names, made to fit ``network``; nothing is changed that is not said.

    - Another number of input channels: one channel takes the sum over the three, more take them in
      turn, scaled by 3 / channels, so that a gray image gives what it gave.
    - Another kernel in the stem: see ``resize_filters``.
    - Other classes, no last layer in ``state``, or ``other_classes`` (a sentence that says why its
      classes are others, though as many): the last layer keeps its fresh weights.
    - Another image size: a transformer's positions are interpolated (bicubic; Dosovitskiy et al.
      2020, section 3.2).

    ArchError for any other difference.
    """
    ours = network.state_dict()
    made: dict[str, Tensor] = {}
    said: dict[str, None] = {}
    adapted: set[Part] = set()
    first = next((name for name in _INPUT if name in ours), None)
    head = other_classes or _head_differs(ours, state)
    if head is not None:
        said[f"the last layer is fresh: {head}"] = None
        adapted.add("head")
    for name, fresh in ours.items():
        given = fresh if head is not None and name.startswith(_HEAD) else state[name]
        if name == first and given.dim() == 4 and len(given) == len(fresh):
            if given.shape[1] != fresh.shape[1]:
                said[_said_channels(given, fresh)] = None
                adapted.add("channels")
                given = _channels(given, fresh.shape[1])
            if given.shape[2:] != fresh.shape[2:] and name == "stem.conv.weight":
                sizes = f"{_by(given.shape[2:])} filters became {_by(fresh.shape[2:])}"
                said[f"the stem's {sizes}, each answering an image as it did its enlargement"] = (
                    None
                )
                adapted.add("stem")
                given = resize_filters(given, cast("tuple[int, int]", tuple(fresh.shape[2:])))
        elif name.endswith(_POSITIONS) and given.shape[1] != fresh.shape[1]:
            said[f"{given.shape[1]} positions were interpolated to {fresh.shape[1]}"] = None
            adapted.add("positions")
            given = _positions(given, _tokens(network, name), extra=_extra(ours, name))
        if given.shape != fresh.shape:
            raise ArchError(
                f"{network.arch.name}: {name} has shape {_by(fresh.shape)} here and "
                f"{_by(given.shape)} in the weights; only the image, its channels, the stem's "
                "kernel and the classes may differ"
            )
        made[name] = given
    return Fitted(state=made, said=tuple(said), adapted=frozenset(adapted))


def resize_filters(filters: Tensor, size: tuple[int, int]) -> Tensor:
    """(out, in, h, w) → (out, in, *size): the same answer to an image at another scale.

    With U the bilinear enlargement from the smaller of the two windows to the larger: a smaller
    filter is Uᵀw, so that it gives on a patch what w gave on the patch enlarged; a larger one is
    the shortest ŵ with Uᵀŵ = w, so that it gives on the enlarged patch what w gave on the patch
    (the pseudoinverse resize of Beyer et al. 2022, "FlexiViT").
    """
    shrinks = filters.shape[2] * filters.shape[3] > size[0] * size[1]
    small, large = (size, filters.shape[2:]) if shrinks else (filters.shape[2:], size)
    count = small[0] * small[1]
    basis = torch.eye(count, dtype=torch.float64).reshape(count, 1, *small)
    enlarged = F.interpolate(basis, size=tuple(large), mode="bilinear", align_corners=False)
    rows = enlarged.flatten(1)  # Uᵀ: (small pixels, large pixels)
    across = rows.T if shrinks else cast("Tensor", torch.linalg.pinv(rows)).T
    flat = filters.detach().cpu().flatten(2).to(torch.float64) @ across
    return flat.reshape(*filters.shape[:2], *size).to(filters.dtype)


def _head_differs(ours: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> str | None:
    """Why the last layer of ``state`` cannot be taken, or None."""
    weight = state.get(f"{_HEAD}weight")
    classes = len(ours[f"{_HEAD}weight"])
    if weight is None:
        return f"the weights have none, and there are {classes} classes"
    if len(weight) != classes:
        return f"the weights are of {len(weight)} classes, and there are {classes}"
    return None


def _said_channels(given: Tensor, fresh: Tensor) -> str:
    return f"the first convolution's {given.shape[1]} input channels became {fresh.shape[1]}"


def _channels(weight: Tensor, channels: int) -> Tensor:
    """(out, 3, h, w) → (out, channels, h, w)."""
    had = weight.shape[1]
    if channels == 1:
        return weight.sum(dim=1, keepdim=True)
    turns = torch.arange(channels, device=weight.device) % had
    return weight[:, turns] * (had / channels)


def _extra(ours: Mapping[str, Tensor], name: str) -> int:
    return int(name.replace("positions", "class_token") in ours)


def _tokens(network: Network, name: str) -> tuple[int, int]:
    """(H, W) of the map that the positions ``name`` stand for."""
    return cast("Tokens", network.get_submodule(name.rpartition(".")[0])).map_size


def _positions(given: Tensor, wanted: tuple[int, int], *, extra: int) -> Tensor:
    """(1, tokens, C): the class token's stays, the others' square is resized to (H, W)."""
    kept, spread = given[:, :extra], given[:, extra:]
    side = round(spread.shape[1] ** 0.5)
    if side**2 != spread.shape[1]:
        raise ArchError(
            f"positions: the weights' {spread.shape[1]} places are no square, so how they lie in "
            "the image is not known; use the image size that the weights are for"
        )
    grid = spread.transpose(1, 2).reshape(1, -1, side, side).to(torch.float32)
    grid = F.interpolate(grid, size=wanted, mode="bicubic", align_corners=False)
    return torch.cat((kept, grid.flatten(2).transpose(1, 2).to(kept.dtype)), dim=1)


def _by(shape: torch.Size) -> str:
    return "×".join(map(str, shape))
