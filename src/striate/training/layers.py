"""A network as a row of layers, from the stem to the last: what fine-tuning freezes and slows.

Comes in: any module.  Goes out: for each parameter the layer it is of, and for each layer its
modules.  Networks that striate built are cut by what their parts are; somebody's own module by the
order in which its parts are registered, which is taken for the order from image to logits.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

from torch import nn

from striate.building import Network
from striate.building.blocks.tokens import Tokens

MOST = 12
"""Layers between stem and last at most; of more blocks, neighbours are one layer (as Liu et al.
2022 count ConvNeXt's, section A.2), so that a deep network's stem is not slowed to nothing."""


@dataclass(frozen=True, kw_only=True)
class Layers:
    """``paths``: for each layer, stem first and last layer last, the paths of its parts.

    A part is a module, or a parameter that a module holds beside its children.  ``last``: the
    number of the last layer.
    """

    paths: tuple[tuple[str, ...], ...]

    @property
    def last(self) -> int:
        """The number of the last layer, the one that gives the logits."""
        return len(self.paths) - 1

    def of(self, path: str) -> int:
        """The layer that the parameter or module at ``path`` is of: that of its longest part."""
        found = [
            (len(part), number)
            for number, parts in enumerate(self.paths)
            for part in parts
            if path == part or path.startswith(f"{part}.")
        ]
        return max(found)[1]


def layers_of(module: nn.Module) -> Layers:
    """``module``'s layers; a network of a single one has no stem and no middle, only the last."""
    row = list(_own(module) if isinstance(module, Network) else _registered(module))
    stem, middle, last = row[:1], row[1:-1], row[-1]
    if len(row) == 1:
        return Layers(paths=(tuple(last),))
    count = min(MOST, len(middle))
    groups: list[list[str]] = [[] for _ in range(count)]
    for number, parts in enumerate(middle):
        groups[number * count // len(middle)] += parts
    return Layers(paths=tuple(map(tuple, [*stem, *groups, last])))


def _own(network: Network) -> Iterator[list[str]]:
    """Stem, with the tokens' places; each block, with what stands before or behind it; head."""
    blocks: list[list[str]] = [["stem"]] if network.stem is not None else []
    for number, stage in enumerate(network.stages):
        place = f"stages.{number}"
        count = len(cast("nn.Sequential", stage.blocks))
        enter = f"{place}.enter"
        tokens = isinstance(network.get_submodule(enter), Tokens)
        rows = [[f"{place}.blocks.{block}"] for block in range(count)]
        if tokens and blocks:
            blocks[0].append(enter)
        else:
            rows[0].insert(0, enter)
        rows[-1] += [f"{place}.compress", f"{place}.pool"]
        blocks += rows
    yield from blocks
    parts = {f"head.{name}": part for name, part in network.head.named_children()}
    del parts["head.linear"]
    before = [path for path, part in parts.items() if _weighs(part)]
    if before:
        yield before
    yield [*(path for path in parts if path not in before), "head.linear"]


def _registered(module: nn.Module) -> Iterator[list[str]]:
    """Parts with weights, a ``Sequential`` or ``ModuleList`` taken apart; loose ones first."""
    loose: list[str] = []
    parts: list[list[str]] = []

    def walk(of: nn.Module, prefix: str) -> None:
        loose.extend(prefix + name for name, _ in of.named_parameters(recurse=False))
        for name, child in of.named_children():
            if isinstance(child, nn.Sequential | nn.ModuleList):
                walk(child, f"{prefix}{name}.")
            elif _weighs(child):
                parts.append([prefix + name])

    walk(module, "")
    if loose and parts:
        parts[0] += loose
    yield from parts or [loose or [""]]


def _weighs(part: nn.Module) -> bool:
    """Whether anything in ``part`` can be trained."""
    return next(part.parameters(), None) is not None
