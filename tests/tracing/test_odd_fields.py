"""Receptive fields where a simple rule would be wrong: channels, gates, running sums, rolls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from striate.tracing import trace

Conv = nn.Conv2d
IMAGE = (3, 48, 48)


class Net(nn.Module):
    """A forward written as a function of the image and some modules."""

    def __init__(self, forward: Callable[..., Any], *parts: nn.Module) -> None:
        super().__init__()
        self.function = forward
        self.parts = nn.ModuleList(parts)

    def forward(self, x: Tensor) -> Any:
        return self.function(x, *self.parts)


def _shuffled(x: Tensor, groups: int) -> Tensor:
    n, c, h, w = x.shape
    return x.view(n, groups, c // groups, h, w).transpose(1, 2).reshape(n, c, h, w)


def _units(x: Tensor, stem: nn.Module, *branches: nn.Module) -> list[Tensor]:
    """ShuffleNet V2: half of the channels pass by, then halves are shuffled, several times."""
    x = stem(x)
    seen: list[Tensor] = []
    for branch in branches:
        a, b = x.chunk(2, 1)
        x = torch.cat([a, branch(b)], 1)
        n, c, h, w = x.shape
        seen.append(x.view(n, 2, c // 2, h, w))
        x = _shuffled(x, 2)
        seen.append(x)
    return seen


def depthwise(n: int, kernel: int) -> nn.Module:
    return Conv(n, n, kernel, padding=kernel // 2, groups=n)


EXACT: dict[str, Callable[[], nn.Module]] = {
    "channels shuffled again and again": lambda: Net(
        _units, Conv(3, 8, 3), depthwise(4, 3), depthwise(4, 5), depthwise(4, 3)
    ),
    "four branches shuffled": lambda: Net(
        lambda x, a, *rest: _shuffled(torch.cat([part(a(x)) for part in rest], 1), 4)[:, 2:6],
        Conv(3, 4, 3), depthwise(4, 1), depthwise(4, 3), depthwise(4, 5), depthwise(4, 7),
    ),
    "running sum": lambda: Net(lambda x, a: a(x).cumsum(2), Conv(3, 4, 3)),
    "running sum backwards": lambda: Net(
        lambda x, a: a(x).flip(3).cumsum(3).flip(3), Conv(3, 4, 3)
    ),
    "one row everywhere": lambda: Net(
        lambda x, a, b: b(a(x)[:, :, 20:21].expand(1, 4, 46, 46) * 1), Conv(3, 4, 3), Conv(4, 4, 3)
    ),
    "rolled by more than its size": lambda: Net(
        lambda x, a: a(torch.roll(x, (50, -97), (2, 3))), Conv(3, 4, 3)
    ),
    "cropped by padding": lambda: Net(
        lambda x, a, b: b(F.pad(a(x), (-3, 1, -2, -4))), Conv(3, 4, 3), Conv(4, 4, 5, 2, 2)
    ),
    "ceil mode": lambda: nn.Sequential(
        Conv(3, 4, 3, 2), nn.MaxPool2d(3, 3, ceil_mode=True), Conv(4, 4, 2)
    ),
    "transposed, stride above kernel": lambda: nn.Sequential(
        Conv(3, 4, 3, 2), nn.ConvTranspose2d(4, 4, 2, 4, output_padding=2), Conv(4, 4, 3)
    ),
    "stride above kernel, dilated": lambda: nn.Sequential(
        Conv(3, 4, 2, 5), Conv(4, 4, 2, 1, dilation=3)
    ),
    "rows as images": lambda: Net(
        lambda x, a, b: b(a(x).permute(0, 2, 1, 3).flatten(0, 1)).unflatten(0, (1, 46)),
        Conv(3, 4, 3), nn.Conv1d(4, 4, 3, 2),
    ),
    "channels as depth": lambda: Net(
        lambda x, a, b: b(a(x).unsqueeze(1)), Conv(3, 4, 3), nn.Conv3d(1, 2, (2, 3, 1), (1, 2, 2))
    ),
    "transposed axes": lambda: Net(
        lambda x, a, b: b(a(x).transpose(2, 3)), Conv(3, 4, (5, 1)), Conv(4, 4, (3, 1), (2, 1))
    ),
    "rows and columns added": lambda: Net(
        lambda x, a, b: a(x) + b(x.flip(2)).flip(2), Conv(3, 4, 3, 2, 1), Conv(3, 4, 5, 2, 2)
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", EXACT)
def test_exact_means_exact(name: str, against_gradient: Any) -> None:
    verdict = against_gradient(EXACT[name](), IMAGE)
    assert set(verdict.statuses) <= {"exact"}
    assert verdict.compared >= 4, "too few elements are interior for the test to mean anything"


CONTAINED: dict[str, Callable[[], nn.Module]] = {
    "picked": lambda: Net(
        lambda x, a: a(x)[:, :, [3, 1, 20]], Conv(3, 4, 3)
    ),
    "strided view": lambda: Net(
        lambda x, a: a(x).contiguous().as_strided((1, 4, 20, 20), (8464, 2116, 92, 2)),
        Conv(3, 4, 3),
    ),
    "spectrum": lambda: Net(
        lambda x, a: torch.fft.irfft2(torch.fft.rfft2(a(x))), Conv(3, 4, 3)
    ),
    "gathered": lambda: Net(
        lambda x, a: a(x).gather(3, torch.zeros(1, 4, 46, 5, dtype=torch.int64, device=x.device)),
        Conv(3, 4, 3),
    ),
    "scattered": lambda: Net(
        lambda x, a: torch.zeros(1, 4, 46, 60, dtype=x.dtype, device=x.device).scatter(
            3, torch.arange(46, device=x.device).expand(1, 4, 46, 46), a(x)
        ),
        Conv(3, 4, 3),
    ),
    "convolutions inside windows": lambda: Net(
        lambda x, a, b: b(a(x).unfold(2, 6, 6).unfold(3, 6, 6).permute(0, 2, 3, 1, 4, 5)
                          .reshape(-1, 4, 6, 6)).reshape(1, 8, 8, 4, 6, 6)
                          .permute(0, 3, 1, 4, 2, 5).reshape(1, 4, 48, 48),
        Conv(3, 4, 3, padding=1), Conv(4, 4, 3, padding=1),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CONTAINED)
def test_what_is_no_more_than_a_bound_contains_the_truth(name: str, against_gradient: Any) -> None:
    verdict = against_gradient(CONTAINED[name](), IMAGE)
    assert set(verdict.statuses) <= {"bound", "whole", "unknown"}
    assert verdict.compared or verdict.statuses == ["unknown"]


def _bilinear(x: Tensor, conv: nn.Module, rows: nn.Module) -> Tensor:
    """A map multiplied from the left by a matrix that was made of its own mean."""
    x = conv(x)
    mixing = rows(x.mean((2, 3))).view(1, 1, 46, 1) @ torch.ones(1, 1, 1, 46, device=x.device)
    return x * (mixing.to(x.dtype) @ x)


def test_positions_made_by_a_product_are_no_gate() -> None:
    net = Net(_bilinear, Conv(3, 4, 3), nn.Linear(4, 46))
    field = trace(net, IMAGE).last("mul").field
    assert field is not None
    assert field.status == "whole"


GATES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "broadcast": lambda x, y: x * y[:, :, None, None],
    "expanded": lambda x, y: x * y.view(1, 4, 1, 1).expand_as(x),
    "channels last": lambda x, y: x.permute(0, 2, 3, 1) * y[:, None, None],
    "tokens": lambda x, y: x.flatten(2).transpose(1, 2) * y[:, None],
    "added": lambda x, y: x + y[..., None, None],
}


@pytest.mark.parametrize("name", GATES)
def test_one_value_for_all_positions_is_a_gate(name: str) -> None:
    def forward(x: Tensor, conv: nn.Module, squeeze: nn.Module) -> Tensor:
        x = conv(x)
        return GATES[name](x, squeeze(x.mean((2, 3))))

    found = trace(Net(forward, Conv(3, 4, 3), nn.Linear(4, 4)), IMAGE)
    field = found.layers[-1].field
    assert field is not None
    assert (field.status, field.size, field.gated) == ("exact", (3, 3), True)


def test_a_mask_that_does_not_fit_the_scores_fails_where_the_forward_would() -> None:
    def forward(x: Tensor, conv: nn.Module) -> Tensor:
        y = conv(x).flatten(2).transpose(1, 2).unsqueeze(1)
        mask = torch.zeros(49, 49, dtype=x.dtype, device=x.device)
        return F.scaled_dot_product_attention(y, y, y, mask)

    net = Net(forward, Conv(3, 8, 8, 8))
    with pytest.raises(RuntimeError):
        net(torch.zeros(1, *IMAGE))
    failure = trace(net, IMAGE).failure
    assert failure is not None
    assert "mask (49, 49)" in failure.message
