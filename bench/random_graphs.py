"""Random graphs: nets that grow from a list of numbers, with branches and joins."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from random_steps import STEPS

IMAGE = (2, 40, 36)

Choice = tuple[int, int, int, int]
"""(which step, which map it takes, which other map, a number for the rest)."""

KINDS = len(STEPS) + 8
"""Steps, and then joins."""


def drawn(seed: int) -> list[Choice]:
    """The choices of one graph as a function of a seed."""
    chance = random.Random(seed)
    return [
        (chance.randrange(KINDS), *(chance.randrange(10_001) for _ in range(3)))
        for _ in range(chance.randrange(1, 11))
    ]


class Graph(nn.Module):
    """A net that returns its last two maps.

    Every choice takes one of the last three maps and adds one.  Steps that do not fit (a kernel
    larger than the map) are left out, so that every list of choices is a net.
    """

    def __init__(self, choices: Sequence[Choice]) -> None:
        super().__init__()
        self.parts = nn.ModuleList()
        self.steps: list[tuple[str, int, int, int, Any]] = []
        shapes = [torch.Size((1, *IMAGE))]
        for kind, source, other, number in choices:
            at = -1 - source % min(len(shapes), 3)
            shape = shapes[at]
            if kind >= len(STEPS):
                back = -1 - other % min(len(shapes), 4)
                how = ("add", "cat", "mul")[kind % 3]
                out = self._joined(how, shape, shapes[back])
                if out is not None and out[1] <= 24:
                    self.steps.append((how, at, back, -1, None))
                    shapes.append(out)
                continue
            out = self._step(STEPS[kind], shape, number)
            if out is not None:
                self.steps[-1] = ("step", at, 0, *self.steps[-1][3:])
                shapes.append(out)

    def _step(self, make: Any, shape: torch.Size, number: int) -> torch.Size | None:
        """Add a step, if it fits, and say what comes out."""
        chance = random.Random(number)
        try:
            with torch.device("meta"):
                module, forward = make(chance, *shape[1:])
                out = forward(module, torch.empty(shape)).shape
        except (RuntimeError, ValueError, IndexError, ZeroDivisionError, NotImplementedError):
            return None
        if min(out) < 1 or min(out[2:]) < 2 or max(out[2:]) > 64 or out[1] > 24:
            return None
        if module is not None:
            self.parts.append(module.to_empty(device="cpu"))
        at = len(self.parts) - 1 if module is not None else -1
        self.steps.append(("step", 0, 0, at, forward))
        return out

    @staticmethod
    def _joined(how: str, a: torch.Size, b: torch.Size) -> torch.Size | None:
        if a[2:] != b[2:]:
            return None
        if how == "cat":
            return torch.Size((1, a[1] + b[1], *a[2:]))
        return a if a[1] == b[1] else None

    def forward(self, x: Tensor) -> list[Tensor]:
        maps = [x]
        for how, at, back, part, forward in self.steps:
            if how == "cat":
                maps.append(torch.cat([maps[at], maps[back]], 1))
            elif how == "add":
                maps.append(maps[at] + maps[back])
            elif how == "mul":
                maps.append(maps[at] * maps[back])
            else:
                maps.append(forward(self.parts[part] if part >= 0 else None, maps[at]))
        return maps[-2:] if len(maps) > 2 else [maps[-1] * 1]
