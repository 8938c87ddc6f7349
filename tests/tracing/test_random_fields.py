"""Receptive fields of random graphs, against the gradient.

Each example is a list of steps; a step takes maps that exist already and adds one.  Steps that
do not fit (a kernel larger than the map) are left out, so that every list is a net.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from torch import Tensor, nn

IMAGE = (2, 40, 36)
Make = Callable[[random.Random, int, int, int], tuple[nn.Module | None, Callable[..., Tensor]]]


def _conv(r: random.Random, c: int, h: int, w: int) -> Any:
    k, s, d = r.choice([1, 2, 3, 5]), r.choice([1, 1, 2, 3]), r.choice([1, 1, 2])
    groups = r.choice([1, c])
    return nn.Conv2d(c, c * r.choice([1, 2]), k, s, r.randrange(k), d, groups), _call


def _rect(r: random.Random, c: int, h: int, w: int) -> Any:
    k, s = (r.choice([1, 3, 5]), r.choice([1, 2])), (r.choice([1, 2]), r.choice([1, 2]))
    return nn.Conv2d(c, 2, k, s, (r.randrange(2), 0)), _call


def _transposed(r: random.Random, c: int, h: int, w: int) -> Any:
    k, s = r.choice([1, 2, 3, 4, 5]), r.choice([1, 2, 3])
    return nn.ConvTranspose2d(c, 2, k, s, r.randrange(k), dilation=r.choice([1, 1, 2])), _call


def _pool(r: random.Random, c: int, h: int, w: int) -> Any:
    k = r.choice([2, 3])
    kind = r.choice([nn.MaxPool2d, nn.AvgPool2d])
    return kind(k, r.choice([1, 2]), r.randrange(k // 2 + 1), ceil_mode=r.random() < 0.5), _call


def _adaptive(r: random.Random, c: int, h: int, w: int) -> Any:
    return nn.AdaptiveAvgPool2d((r.randrange(2, h + 1), r.randrange(2, w + 1))), _call


def _resize(r: random.Random, c: int, h: int, w: int) -> Any:
    mode = r.choice(["nearest", "bilinear", "bicubic", "nearest-exact"])
    if r.random() < 0.5:
        return nn.Upsample(scale_factor=r.choice([0.5, 1.5, 2.0, 3.0]), mode=mode), _call
    size = (_uneven(r, h), _uneven(r, w))
    return nn.Upsample(size=size, mode=mode), _call


def _uneven(r: random.Random, n: int) -> int:
    """A new size for ``n`` at which no output falls on an input: there, rounding would decide."""
    sizes = [m for m in range(3, 50) if all((2 * o + 1) * n % (2 * m) != m for o in range(m))]
    return r.choice(sizes)


def _pad(r: random.Random, c: int, h: int, w: int) -> Any:
    amounts = [r.randrange(0, 3) for _ in range(4)]
    mode = r.choice(["constant", "reflect", "replicate", "circular"])
    return None, lambda _, x: F.pad(x, amounts, mode)


def _crop(r: random.Random, c: int, h: int, w: int) -> Any:
    top, left, step = r.randrange(3), r.randrange(3), r.choice([1, 2])
    return None, lambda _, x: x[:, :, top:-1:step, left:]


def _roll(r: random.Random, c: int, h: int, w: int) -> Any:
    by = (r.randrange(-3, 4), r.randrange(-3, 4))
    return None, lambda _, x: torch.roll(x, by, (2, 3))


def _flip(r: random.Random, c: int, h: int, w: int) -> Any:
    d = r.choice([1, 2, 3])
    return None, lambda _, x: x.flip(d)


def _shuffle(r: random.Random, c: int, h: int, w: int) -> Any:
    if c % 4 == 0 and r.random() < 0.5:
        return nn.PixelShuffle(2), _call
    return None, lambda _, x: F.pixel_unshuffle(x[:, :, : h // 2 * 2, : w // 2 * 2], 2)


def _patches(r: random.Random, c: int, h: int, w: int) -> Any:
    p = r.choice([2, 3, 4])

    def forward(linear: nn.Module, x: Tensor) -> Tensor:
        n, _, height, width = x.shape
        a, b = height // p, width // p
        x = x[:, :, : a * p, : b * p].reshape(n, c, a, p, b, p).permute(0, 2, 4, 1, 3, 5)
        return linear(x.reshape(n, a * b, c * p * p)).transpose(1, 2).reshape(n, 2, a, b)

    return nn.Linear(c * p * p, 2), forward


def _windows(r: random.Random, c: int, h: int, w: int) -> Any:
    p = r.choice([2, 3])

    def forward(qkv: nn.Module, x: Tensor) -> Tensor:
        n, _, height, width = x.shape
        a, b = height // p, width // p
        x = x[:, :, : a * p, : b * p].reshape(n, c, a, p, b, p).permute(0, 2, 4, 3, 5, 1)
        q, k, v = qkv(x.reshape(n * a * b, p * p, c)).chunk(3, -1)
        x = (q @ k.transpose(1, 2)).softmax(-1) @ v
        x = x.reshape(n, a, b, p, p, 2).permute(0, 5, 1, 3, 2, 4)
        return x.reshape(n, 2, a * p, b * p)

    return nn.Linear(c, 6), forward


def _unfold(r: random.Random, c: int, h: int, w: int) -> Any:
    k, s = r.choice([2, 3]), r.choice([1, 2])

    def forward(linear: nn.Module, x: Tensor) -> Tensor:
        n, _, height, width = x.shape
        columns = linear(F.unfold(x, k, stride=s).transpose(1, 2)).transpose(1, 2)
        return columns.reshape(n, 2, (height - k) // s + 1, (width - k) // s + 1)

    return nn.Linear(c * k * k, 2), forward


def _groups(r: random.Random, c: int, h: int, w: int) -> Any:
    g = r.choice([n for n in (1, 2, 4) if c % n == 0])

    def forward(_: Any, x: Tensor) -> Tensor:
        n, _, height, width = x.shape
        return x.view(n, g, c // g, height, width).transpose(1, 2).reshape(n, c, height, width)

    return None, forward


def _part(r: random.Random, c: int, h: int, w: int) -> Any:
    first, n = r.randrange(c), r.randrange(1, c + 1)
    return None, lambda _, x: x[:, first : first + n]


def _gelu(r: random.Random, c: int, h: int, w: int) -> Any:
    return nn.GELU(), _call


def _norm(r: random.Random, c: int, h: int, w: int) -> Any:
    # contiguous: the gradient of batch_norm on a transposed map is wrong in torch 2.13 (CPU)
    return nn.BatchNorm2d(c), lambda norm, x: norm(x.contiguous())


def _call(module: nn.Module, x: Tensor) -> Tensor:
    return module(x)


STEPS: list[Make] = [
    _conv, _conv, _conv, _rect, _transposed, _pool, _adaptive, _resize, _pad, _crop, _roll, _flip,
    _shuffle, _patches, _windows, _unfold, _groups, _part, _gelu, _norm,
]  # fmt: skip


class Graph(nn.Module):
    """A net that grows from a list of numbers; it returns its last maps."""

    def __init__(self, choices: list[tuple[int, int, int, int]]) -> None:
        super().__init__()
        self.parts = nn.ModuleList()
        self.steps: list[tuple[str, int, int, Any, Any]] = []
        shapes = [torch.Size((1, *IMAGE))]
        for kind, source, other, number in choices:
            at = -1 - source % min(len(shapes), 3)
            shape = shapes[at]
            if kind >= len(STEPS):
                back = -1 - other % min(len(shapes), 4)
                how = "add" if kind % 2 else "cat"
                out = self._joined(how, shape, shapes[back])
                if out is not None and out[1] <= 24:
                    self.steps.append((how, at, back, None, None))
                    shapes.append(out)
                continue
            module, forward = STEPS[kind](random.Random(number), *shape[1:])
            try:
                with torch.device("meta"):
                    meta = None if module is None else module.to("meta")
                    out = forward(meta, torch.empty(shape)).shape
            except (RuntimeError, ValueError, ZeroDivisionError, NotImplementedError):
                continue
            if min(out) < 1 or min(out[2:]) < 2 or max(out[2:]) > 64 or out[1] > 24:
                continue
            part = nn.Identity() if module is None else module.to_empty(device="cpu")
            self.parts.append(part)
            self.steps.append(("step", at, 0, len(self.parts) - 1, forward))
            shapes.append(out)

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
            else:
                maps.append(forward(self.parts[part], maps[at]))
        return maps[-2:] if len(maps) > 2 else [maps[-1] * 1]


numbers = st.integers(0, 10_000)
choices = st.lists(
    st.tuples(st.integers(0, len(STEPS) + 5), numbers, numbers, numbers), min_size=1, max_size=9
)


@seed(20151210)
@settings(
    max_examples=200,
    deadline=None,
    derandomize=False,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(choices)
def test_fields_of_random_graphs(
    against_gradient: Any, choices: list[tuple[int, int, int, int]]
) -> None:
    random.seed(len(choices))
    torch.manual_seed(len(choices))
    against_gradient(Graph(choices), IMAGE, tries=3)
