"""Where in a network a map with rows and columns is handed on, and how it lies in the tensor."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from striate.building import Network
from striate.seeing.passing import submodules, watch
from striate.seeing.subject import Subject

BLOCKS = 4
MOST_BLOCKS = 24

Layout = Literal["channels-first", "channels-last", "tokens"]


@dataclass(frozen=True, kw_only=True)
class Place:
    """The output of the module at ``path``: ``size`` (h, w) of its map, ``channels`` of it.

    ``layout``: (n, C, h, w), (n, h, w, C), or tokens (n, t, C) row by row, of which the first
    ``skip`` (class tokens) stand for no place.
    """

    path: str
    layout: Layout
    size: tuple[int, int]
    channels: int
    skip: int = 0


def as_map(handed: Tensor, place: Place) -> Tensor:
    """What the place handed on as (n, C, h, w)."""
    if place.layout == "channels-first":
        return handed
    if place.layout == "channels-last":
        return handed.permute(0, 3, 1, 2)
    tokens = handed[:, place.skip :].transpose(1, 2)
    return tokens.reshape(len(handed), -1, *place.size)


def map_places(subject: Subject) -> list[Place]:
    """For each size of map the last module that hands one on, in order of passing.

    Of tokens with a class token among them, a few blocks before the last.

    Of a Network, its stem, stages and what its head does before it pools; of another module, all.
    Modules that are called more than once, or hand on something else than one tensor, are left
    out, and so are those that do nothing.
    """
    module = subject.module
    paths = [
        path
        for path, part in submodules(module).items()
        if path and not isinstance(part, (nn.Identity, nn.Dropout)) and _eligible(module, path)
    ]
    calls: dict[str, int] = {}
    inputs = subject.inputs(subject.looked_at[:1])
    with torch.no_grad():
        _, seen = watch(module, paths, lambda: subject.logits(module, inputs), calls=calls)
    places = places_of(seen, inputs, calls)
    found: dict[tuple[int, int], Place] = {}
    for place in places:
        found.pop(place.size, None)
        found[place.size] = place
    kept = [place for place in found.values() if not place.skip]
    return kept + _before_the_last(module, [place for place in places if place.skip])


def places_of(seen: dict[str, Tensor], inputs: Tensor, calls: dict[str, int]) -> list[Place]:
    """The places among what was ``seen`` of modules that were called once, in order of passing.

    ``inputs``: (n, C, H, W), what the network was shown.
    """
    grids = _grids(seen, inputs)
    return [
        place
        for path, handed in seen.items()
        if calls[path] == 1 and (place := _place(path, handed, grids)) is not None
    ]


def block_places(subject: Subject, most: int = MOST_BLOCKS) -> list[Place]:
    """Blocks that hand on a map with rows and columns, in order of passing; ``most`` of them.

    Of a Network the blocks of its stages; of another module the members of its shallowest lists.
    """
    module = subject.module
    parts = submodules(module)
    if isinstance(module, Network):
        paths = [path for path in parts if re.fullmatch(r"stages\.\d+\.blocks\.\d+", path)]
    else:
        lists = (nn.Sequential, nn.ModuleList)
        members = [p for p in parts if p and isinstance(parts.get(p.rpartition(".")[0]), lists)]
        depth = min((path.count(".") for path in members), default=0)
        paths = [path for path in members if path.count(".") == depth]
        # What only acts on one element at a time looks no further than what it is given.
        paths = [path for path in paths if any(True for _ in parts[path].parameters())]
    calls: dict[str, int] = {}
    inputs = subject.inputs(subject.looked_at[:1])
    with torch.no_grad():
        _, seen = watch(module, paths, lambda: subject.logits(module, inputs), calls=calls)
    grids = _grids(seen, inputs)
    found = [
        place
        for path, handed in seen.items()
        if calls[path] == 1
        and (place := _place(path, handed, grids)) is not None
        and not place.skip
    ]
    if len(found) <= most:
        return found
    return [found[round(at * (len(found) - 1) / (most - 1))] for at in range(most)]


def _before_the_last(module: nn.Module, places: list[Place]) -> list[Place]:
    """Of the places with a class token, up to ``BLOCKS`` evenly spaced ones.

    The class token alone goes on from the last block, so that its map has no slope; what decided
    was read from the tokens of the blocks before.  Blocks are members of a list; without any, all
    modules count.
    """
    parts = submodules(module)
    lists = (nn.Sequential, nn.ModuleList)
    blocks = [p for p in places if isinstance(parts.get(p.path.rpartition(".")[0]), lists)]
    # The shallowest list is that of the blocks; inside them there may be others.
    depth = min((place.path.count(".") for place in blocks), default=0)
    blocks = [place for place in blocks if place.path.count(".") == depth] or places
    before = blocks[:-1] or blocks
    step = max(1, -(-len(before) // BLOCKS))
    return before[::-1][::step][::-1]


def _eligible(module: nn.Module, path: str) -> bool:
    if not isinstance(module, Network):
        return True
    head, *rest = path.split(".")
    attends = any(stage.kind.on == "tokens" for stage in module.arch.stages)
    return (
        path == "stem"
        or (head == "stages" and len(rest) == 1)
        or (attends and head == "stages" and len(rest) == 3 and rest[1] == "blocks")
        or path in ("head.widen", "head.norm_map", "head.act_map")
    )


def _grids(seen: dict[str, Tensor], inputs: Tensor) -> set[tuple[int, int]]:
    """Sizes (h, w) that maps can have: halvings of the image, and what any module says by itself.

    A tensor (n, a, b, c) does not tell which of its axes are channels; that its sides shrink as
    the image's do, tells.
    """
    height, width = inputs.shape[2:]
    shape = float(height) / width
    found: set[tuple[int, int]] = set()
    for handed in seen.values():
        if handed.dim() == 4:
            for tall, wide in (handed.shape[2:], handed.shape[1:3]):
                if 1 < max(tall, wide) <= max(height, width) and _alike(tall / wide, shape):
                    found.add((int(tall), int(wide)))
    return found


def _alike(one: float, other: float) -> bool:
    return max(one / other, other / one) < 1.34


def _place(path: str, handed: Tensor, grids: set[tuple[int, int]]) -> Place | None:
    shape = tuple(int(side) for side in handed.shape)
    if len(shape) == 4 and shape[2:] in grids:
        # Where both readings fit, torch's usual one is taken.
        return Place(path=path, layout="channels-first", size=shape[2:], channels=shape[1])
    if len(shape) == 4 and shape[1:3] in grids:
        return Place(path=path, layout="channels-last", size=shape[1:3], channels=shape[3])
    if len(shape) == 3:
        for grid in sorted(grids, reverse=True):
            for skip in (0, 1):
                if shape[1] == grid[0] * grid[1] + skip:
                    return Place(
                        path=path, layout="tokens", size=grid, channels=shape[2], skip=skip
                    )
    return None
