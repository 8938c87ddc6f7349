"""Steps of random graphs: each takes a map (N, C, H, W) and makes another.

A step is made by a function of a source of chance and the map's (channels, height, width); it
gives a module (or None) and a function of that module and the map.  A step that does not fit
raises when it is tried on shapes, and is left out.
"""

# ruff: noqa: ARG001  # every step is made by the same arguments, and few need all of them

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Step = tuple[nn.Module | None, Callable[..., Tensor]]
Make = Callable[[random.Random, int, int, int], Step]

_KINDS = ("zeros", "reflect", "replicate", "circular")


def _call(module: nn.Module, x: Tensor) -> Tensor:
    return module(x)


def _plain(function: Callable[[Tensor], Tensor]) -> Step:
    return None, lambda _, x: function(x)


def _conv(r: random.Random, c: int, h: int, w: int) -> Step:
    k, s, d = r.choice([1, 2, 3, 5]), r.choice([1, 1, 2, 3]), r.choice([1, 1, 2, 3])
    groups, kind = r.choice([1, 1, c]), r.choice(_KINDS)
    out = c * r.choice([1, 2])
    return nn.Conv2d(c, out, k, s, r.randrange(k), d, groups, padding_mode=kind), _call


def _rect(r: random.Random, c: int, h: int, w: int) -> Step:
    k, s = (r.choice([1, 3, 7]), r.choice([1, 2])), (r.choice([1, 2]), r.choice([1, 3]))
    return nn.Conv2d(c, 2, k, s, (r.randrange(2), 0)), _call


def _same(r: random.Random, c: int, h: int, w: int) -> Step:
    return nn.Conv2d(c, c, r.choice([2, 3, 4]), padding="same", dilation=r.choice([1, 2])), _call


def _transposed(r: random.Random, c: int, h: int, w: int) -> Step:
    k, s, d = r.choice([1, 2, 3, 4, 5]), r.choice([1, 2, 3]), r.choice([1, 1, 2])
    more, groups = r.randrange(max(s, d)), r.choice([1, c])
    return nn.ConvTranspose2d(c, 2 * groups, k, s, r.randrange(k), more, groups, True, d), _call


def _pool(r: random.Random, c: int, h: int, w: int) -> Step:
    k, kind = r.choice([2, 3]), r.choice([nn.MaxPool2d, nn.AvgPool2d])
    return kind(k, r.choice([1, 2, 3]), r.randrange(k // 2 + 1), ceil_mode=r.random() < 0.5), _call


def _dilated_pool(r: random.Random, c: int, h: int, w: int) -> Step:
    return nn.MaxPool2d(r.choice([2, 3]), r.choice([1, 2]), 0, dilation=2), _call


def _adaptive(r: random.Random, c: int, h: int, w: int) -> Step:
    size = (r.randrange(2, h + 1), r.randrange(2, w + 1))
    return r.choice([nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d])(size), _call


def _resize(r: random.Random, c: int, h: int, w: int) -> Step:
    mode = r.choice(["nearest", "bilinear", "bicubic", "nearest-exact"])
    if r.random() < 0.5:
        return nn.Upsample(scale_factor=r.choice([0.5, 1.5, 2.0, 3.0]), mode=mode), _call
    return nn.Upsample(size=(_uneven(r, h), _uneven(r, w)), mode=mode), _call


def _uneven(r: random.Random, n: int) -> int:
    """A new size for ``n`` at which no output falls on an input: there, rounding would decide."""
    sizes = [m for m in range(3, 50) if all((2 * o + 1) * n % (2 * m) != m for o in range(m))]
    return r.choice(sizes)


def _area(r: random.Random, c: int, h: int, w: int) -> Step:
    size = (r.randrange(2, h + 1), r.randrange(2, w + 1))
    return _plain(lambda x: F.interpolate(x, size, mode="area"))


def _pad(r: random.Random, c: int, h: int, w: int) -> Step:
    amounts = [r.randrange(3) for _ in range(4)]
    kind = r.choice(["constant", "reflect", "replicate", "circular"])
    return _plain(lambda x: F.pad(x, amounts, kind))


def _cut(r: random.Random, c: int, h: int, w: int) -> Step:
    amounts = [r.randrange(-3, 3) for _ in range(4)]
    return _plain(lambda x: F.pad(x, amounts))


def _crop(r: random.Random, c: int, h: int, w: int) -> Step:
    top, left, step = r.randrange(3), r.randrange(3), r.choice([1, 2, 3])
    return _plain(lambda x: x[:, :, top:-1:step, left:])


def _roll(r: random.Random, c: int, h: int, w: int) -> Step:
    by = (r.randrange(-3, 4), r.randrange(-3, 4))
    return _plain(lambda x: torch.roll(x, by, (2, 3)))


def _flip(r: random.Random, c: int, h: int, w: int) -> Step:
    d = r.choice([1, 2, 3])
    return _plain(lambda x: x.flip(d))


def _turn(r: random.Random, c: int, h: int, w: int) -> Step:
    return _plain(lambda x: x.transpose(2, 3))


def _shuffle(r: random.Random, c: int, h: int, w: int) -> Step:
    f = r.choice([2, 3])
    if c % f**2 == 0 and r.random() < 0.5:
        return nn.PixelShuffle(f), _call
    return _plain(lambda x: F.pixel_unshuffle(x[:, :, : h // f * f, : w // f * f], f))


def _patches(r: random.Random, c: int, h: int, w: int) -> Step:
    p = r.choice([2, 3, 4])

    def forward(linear: nn.Module, x: Tensor) -> Tensor:
        n, a, b = x.shape[0], x.shape[2] // p, x.shape[3] // p
        x = x[:, :, : a * p, : b * p].reshape(n, c, a, p, b, p).permute(0, 2, 4, 1, 3, 5)
        return linear(x.reshape(n, a * b, c * p * p)).transpose(1, 2).reshape(n, 2, a, b)

    return nn.Linear(c * p * p, 2), forward


def _windows(r: random.Random, c: int, h: int, w: int) -> Step:
    p, by = r.choice([2, 3, 4]), r.choice([0, 0, 1])

    def forward(qkv: nn.Module, x: Tensor) -> Tensor:
        n, a, b = x.shape[0], x.shape[2] // p, x.shape[3] // p
        x = torch.roll(x[:, :, : a * p, : b * p], (-by, -by), (2, 3))
        x = x.reshape(n, c, a, p, b, p).permute(0, 2, 4, 3, 5, 1)
        q, k, v = qkv(x.reshape(n * a * b, p * p, c)).chunk(3, -1)
        x = (q @ k.transpose(1, 2)).softmax(-1) @ v
        x = x.reshape(n, a, b, p, p, 2).permute(0, 5, 1, 3, 2, 4)
        return torch.roll(x.reshape(n, 2, a * p, b * p), (by, by), (2, 3))

    return nn.Linear(c, 6), forward


def _inside_windows(r: random.Random, c: int, h: int, w: int) -> Step:
    p = r.choice([3, 4, 6])

    def forward(conv: nn.Module, x: Tensor) -> Tensor:
        n, a, b = x.shape[0], x.shape[2] // p, x.shape[3] // p
        x = x[:, :, : a * p, : b * p].reshape(n, c, a, p, b, p).permute(0, 2, 4, 1, 3, 5)
        x = conv(x.reshape(n * a * b, c, p, p)).reshape(n, a, b, c, p, p)
        return x.permute(0, 3, 1, 4, 2, 5).reshape(n, c, a * p, b * p)

    return nn.Conv2d(c, c, 3, padding=1), forward


def _tokens(r: random.Random, c: int, h: int, w: int) -> Step:
    def forward(conv: nn.Module, x: Tensor) -> Tensor:
        return conv(x.flatten(2)).reshape(x.shape)

    return nn.Conv1d(c, c, 3, padding=1), forward


def _last(r: random.Random, c: int, h: int, w: int) -> Step:
    def forward(parts: nn.Module, x: Tensor) -> Tensor:
        return parts(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)

    return nn.Sequential(nn.LayerNorm(c), nn.Linear(c, c), nn.GELU()), forward


def _unfold(r: random.Random, c: int, h: int, w: int) -> Step:
    k, s = r.choice([2, 3]), r.choice([1, 2])

    def forward(linear: nn.Module, x: Tensor) -> Tensor:
        columns = linear(F.unfold(x, k, stride=s).transpose(1, 2)).transpose(1, 2)
        return columns.reshape(x.shape[0], 2, (x.shape[2] - k) // s + 1, (x.shape[3] - k) // s + 1)

    return nn.Linear(c * k * k, 2), forward


def _fold(r: random.Random, c: int, h: int, w: int) -> Step:
    k, s, p = r.choice([2, 3]), r.choice([1, 2]), r.randrange(2)

    def forward(linear: nn.Module, x: Tensor) -> Tensor:
        columns = linear(F.unfold(x, k, stride=s, padding=p).transpose(1, 2)).transpose(1, 2)
        return F.fold(columns, tuple(x.shape[2:]), k, stride=s, padding=p)

    return nn.Linear(c * k * k, 2 * k * k), forward


def _strips(r: random.Random, c: int, h: int, w: int) -> Step:
    d, k, s = r.choice([2, 3]), r.choice([2, 3]), r.choice([1, 2])
    return _plain(lambda x: x.unfold(d, k, s).mean(-1))


def _groups(r: random.Random, c: int, h: int, w: int) -> Step:
    g = r.choice([n for n in (1, 2, 4) if c % n == 0])

    def forward(x: Tensor) -> Tensor:
        n, _, height, width = x.shape
        return x.view(n, g, c // g, height, width).transpose(1, 2).reshape(n, c, height, width)

    return _plain(forward)


def _part(r: random.Random, c: int, h: int, w: int) -> Step:
    first, n, step = r.randrange(c), r.randrange(1, c + 1), r.choice([1, 1, 2])
    return _plain(lambda x: x[:, first : first + n : step])


def _split(r: random.Random, c: int, h: int, w: int) -> Step:
    """A part of the channels goes through a convolution, the rest does not (ShuffleNet, CSP)."""
    kept = max(1, c // 2)

    def forward(conv: nn.Module, x: Tensor) -> Tensor:
        a, b = x.split([kept, c - kept], 1)
        return torch.cat([b, conv(a)], 1)

    return nn.Conv2d(kept, kept, 3, padding=1), forward


def _product(r: random.Random, c: int, h: int, w: int) -> Step:
    return nn.Conv2d(c, c, r.choice([1, 3, 5]), padding="same"), lambda conv, x: x * conv(x)


def _spatial_gate(r: random.Random, c: int, h: int, w: int) -> Step:
    def forward(conv: nn.Module, x: Tensor) -> Tensor:
        return x * torch.sigmoid(conv(torch.cat([x.mean(1, keepdim=True), x.amax(1, True)], 1)))

    return nn.Conv2d(2, 1, 3, padding=1), forward


def _gate(r: random.Random, c: int, h: int, w: int) -> Step:
    def forward(conv: nn.Module, x: Tensor) -> Tensor:
        return x * torch.sigmoid(conv(x.mean((2, 3), keepdim=True)))

    return nn.Conv2d(c, c, 1), forward


def _beside(r: random.Random, c: int, h: int, w: int) -> Step:
    """The map and a rolled, flipped or strided view of it, one after the other in space."""
    d, by = r.choice([2, 3]), r.randrange(1, 4)
    if r.random() < 0.5:
        return _plain(lambda x: torch.cat([x, x.flip(d)], d))
    return _plain(lambda x: torch.cat([x.narrow(d, by, x.shape[d] - by), x.narrow(d, 0, by)], d))


def _again(r: random.Random, c: int, h: int, w: int) -> Step:
    d = r.choice([2, 3])
    if r.random() < 0.5:
        return _plain(lambda x: x.repeat_interleave(2, d))
    return _plain(lambda x: x.repeat(1, 2, 1, 1))


def _stack(r: random.Random, c: int, h: int, w: int) -> Step:
    return _plain(lambda x: torch.stack([x, x.roll(1, 2)], 2).mean(2))


def _written(r: random.Random, c: int, h: int, w: int) -> Step:
    top, step = r.randrange(3), r.choice([1, 2])

    def forward(x: Tensor) -> Tensor:
        n, _, height, width = x.shape
        shape = (n, c, top + step * height + 1, width)
        out = torch.zeros(shape, dtype=x.dtype, device=x.device)
        out[:, :, top : top + step * height : step] = x
        return out

    return _plain(forward)


def _running(r: random.Random, c: int, h: int, w: int) -> Step:
    d = r.choice([1, 2, 3])
    return _plain(lambda x: x.cumsum(d))


def _gelu(r: random.Random, c: int, h: int, w: int) -> Step:
    return nn.GELU(), _call


def _softmax(r: random.Random, c: int, h: int, w: int) -> Step:
    if c == 1:
        raise ValueError("a softmax of one channel is constant")
    return nn.Softmax(1), _call


def _norm(r: random.Random, c: int, h: int, w: int) -> Step:
    # contiguous: the gradient of batch_norm on a transposed map is wrong in torch 2.13 (CPU)
    module = r.choice([nn.BatchNorm2d(c), nn.InstanceNorm2d(c), nn.GroupNorm(1, c)])
    return module, lambda norm, x: norm(x.contiguous())


def _response(r: random.Random, c: int, h: int, w: int) -> Step:
    return nn.LocalResponseNorm(3), _call


def _einsum(r: random.Random, c: int, h: int, w: int) -> Step:
    def forward(linear: Any, x: Tensor) -> Tensor:
        return torch.einsum("bchw,oc->bohw", x, linear.weight)

    return nn.Linear(c, 3), forward


def _attend(r: random.Random, c: int, h: int, w: int) -> Step:
    def forward(qkv: nn.Module, x: Tensor) -> Tensor:
        q, k, v = qkv(x.flatten(2).transpose(1, 2)).chunk(3, -1)
        out = F.scaled_dot_product_attention(q, k, v)
        return x + out.transpose(1, 2).reshape(x.shape)

    return nn.Linear(c, 3 * c), forward


def _axial(r: random.Random, c: int, h: int, w: int) -> Step:
    """Attention along rows."""

    def forward(qkv: nn.Module, x: Tensor) -> Tensor:
        n, _, height, width = x.shape
        y = x.permute(0, 2, 3, 1).reshape(n * height, width, c)
        q, k, v = qkv(y).chunk(3, -1)
        y = (q @ k.transpose(1, 2)).softmax(-1) @ v
        return y.reshape(n, height, width, c).permute(0, 3, 1, 2)

    return nn.Linear(c, 3 * c), forward


def _mean_beside(r: random.Random, c: int, h: int, w: int) -> Step:
    d = r.choice([2, 3])
    return _plain(lambda x: torch.cat([x, x.mean(d, keepdim=True).expand_as(x)], 1))


def _row(r: random.Random, c: int, h: int, w: int) -> Step:
    d = r.choice([2, 3])
    at = r.randrange((h, w)[d - 2])
    return _plain(lambda x: x.narrow(d, at, 1).expand_as(x) * 1)


def _picked(r: random.Random, c: int, h: int, w: int) -> Step:
    d = r.choice([1, 2, 3])
    n = (c, h, w)[d - 1]
    places = [r.randrange(n) for _ in range(n)]
    return _plain(lambda x: x.index_select(d, torch.tensor(places, device=x.device)))


def _columns(r: random.Random, c: int, h: int, w: int) -> Step:
    """A one-dimensional convolution over rows, each an image of its own."""

    def forward(conv: nn.Module, x: Tensor) -> Tensor:
        n, _, height, width = x.shape
        y = conv(x.permute(0, 2, 1, 3).reshape(n * height, c, width))
        return y.reshape(n, height, c, -1).permute(0, 2, 1, 3)

    return nn.Conv1d(c, c, r.choice([2, 3]), r.choice([1, 2]), 1), forward


def _deep(r: random.Random, c: int, h: int, w: int) -> Step:
    """A convolution over channels, height and width."""
    module = nn.Conv3d(1, 2, (min(c, 2), 3, 2), (1, r.choice([1, 2]), 1), (0, 1, 0))
    return module, lambda conv, x: conv(x.unsqueeze(1)).flatten(1, 2)


def _aligned(r: random.Random, c: int, h: int, w: int) -> Step:
    sizes = [2 * n + 1 if n % 2 == 0 else 2 * n for n in (h, w)]
    kind = r.choice(["bilinear", "bicubic"])
    return nn.Upsample(sizes, mode=kind, align_corners=True), _call


STEPS: tuple[Make, ...] = (
    _conv, _conv, _conv, _conv, _rect, _same, _transposed, _transposed, _pool, _pool,
    _dilated_pool, _adaptive, _resize, _resize, _area, _pad, _pad, _cut, _crop, _roll, _flip,
    _turn, _shuffle, _patches, _windows, _inside_windows, _tokens, _last, _unfold, _fold, _strips,
    _groups, _part, _split, _product, _spatial_gate, _gate, _beside, _again, _stack, _written,
    _running, _attend, _axial, _mean_beside, _row, _picked, _columns, _deep, _aligned, _gelu,
    _softmax, _norm, _response, _einsum,
)  # fmt: skip
