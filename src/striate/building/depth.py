"""Stochastic depth over a whole network: how often each of its blocks is left out."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import cast

from torch import nn

from striate.building.drop_path import DropPath


def droppable(module: nn.Module) -> dict[str, list[tuple[str, DropPath]]]:
    """The residual blocks of a network that striate built, by their paths, from stem to head; for
    each its branches with theirs.  Empty where there are none, as in anybody else's module.
    """
    blocks: dict[str, list[tuple[str, DropPath]]] = {}
    parts = cast("Iterable[tuple[str, nn.Module]]", module.named_modules())
    for path, part in parts:
        if isinstance(part, DropPath):
            blocks.setdefault(path.rpartition(".")[0], []).append((path, part))
    return blocks


@contextmanager
def stochastic_depth(module: nn.Module, rate: float) -> Generator[None]:
    """Inside, the branch of block l of L is left out with probability l/L · ``rate`` for each
    sample of a training step (Huang et al. 2016, equation 4); outside, none is.
    """
    blocks = droppable(module)
    for number, branches in enumerate(blocks.values(), 1):
        for path, branch in branches:
            branch.put(rate * number / len(blocks), purpose=path)
    try:
        yield
    finally:
        for branches in blocks.values():
            for path, branch in branches:
                branch.put(0.0, purpose=path)
