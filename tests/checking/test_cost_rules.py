"""CO601 to CO606: prices against sums made here, budgets against what was traced."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from striate.checking import Given, check
from striate.records import Edit, Finding, Trace
from striate.tracing import trace

Draw = Callable[..., Any]


def plain(*widths: int) -> nn.Sequential:
    parts: list[nn.Module] = []
    given = 3
    for width in widths:
        conv = nn.Conv2d(given, width, 3, padding=1, bias=False)
        parts += [conv, nn.BatchNorm2d(width), nn.ReLU()]
        given = width
    return nn.Sequential(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(given, 10))


def found(net: nn.Module, code: str, given: Given | None = None) -> list[Finding]:
    return check(trace(net, (3, 8, 8)), select=(code,), given=given)


def test_co601_prices_what_is_padded() -> None:
    (finding,) = found(plain(16, 30, 16), "CO601")
    positions = 64
    whole = 9 * positions * (16 * 32 + 32 * 16) - 9 * positions * (16 * 30 + 30 * 16)
    assert finding.price.macs == whole
    assert finding.path == "3"
    assert "30 is no multiple of 8, and matrix units compute 32" in finding.message
    assert finding.fix == "use 32 channels, or 24."


@pytest.mark.parametrize("widths", [(16, 32, 16), (8, 8), (16, 4)])
def test_co601_is_silent_where_nothing_is_padded(widths: tuple[int, ...]) -> None:
    assert found(plain(*widths), "CO601") == []


def test_co601_leaves_the_image_and_the_classes() -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(192, 64), nn.ReLU(), nn.Linear(64, 11))
    assert found(net, "CO601") == []


def test_co602_is_about_early_stages() -> None:
    def strided(*plan: tuple[int, int]) -> nn.Sequential:
        parts: list[nn.Module] = []
        given = 3
        for width, stride in plan:
            parts += [nn.Conv2d(given, width, 3, stride, 1), nn.ReLU()]
            given = width
        return nn.Sequential(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(given, 10))

    image = (3, 32, 32)
    dear = trace(strided((64, 1), (64, 1), (32, 2), (32, 2)), image)
    (finding,) = check(dear, select=("CO602",))
    share = sum(layer.macs or 0 for layer in dear if layer.shape[2:] == (32, 32)) / dear.totals.macs
    assert finding.measured["share"] == pytest.approx(share, abs=1e-4)
    assert finding.path == "2"
    late = trace(strided((8, 1), (16, 2), (64, 2), (256, 1), (256, 1)), image)
    assert check(late, select=("CO602",)) == []


def test_co603_mends_what_lost_its_groups() -> None:
    def block(groups: int) -> nn.Sequential:
        return nn.Sequential(
            nn.Conv2d(16, 64, 1), nn.ReLU(), nn.Conv2d(64, 64, 3, padding=1, groups=groups),
            nn.ReLU(), nn.Conv2d(64, 16, 1), nn.ReLU(),
        )  # fmt: skip

    net = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1), *[block(g) for g in (64, 1, 64, 64)],
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10),
    )  # fmt: skip
    before = trace(net, (3, 8, 8))
    (finding,) = check(before, select=("CO603",))
    assert finding.edits == (Edit(path="2.2", argument="groups", value=64),)
    net[2][2] = nn.Conv2d(64, 64, 3, padding=1, groups=64)  # pyright: ignore[reportIndexIssue]  # a Sequential
    after = trace(net, (3, 8, 8))
    assert check(after, select=("CO603",)) == []
    assert finding.price.macs == before.totals.macs - after.totals.macs
    assert finding.price.params == before.totals.params - after.totals.params


def kept(traced: Trace, batch: int) -> int:
    """Bytes of training at a batch, from two traces and not from the rule."""
    return traced.totals.train_bytes + (batch - 1) * traced.totals.saved_bytes


def test_co604_fits_exactly_what_it_says() -> None:
    net = plain(32, 32)
    one, eight = (trace(net, (3, 8, 8), batch=number) for number in (1, 8))
    budget = kept(one, 20)
    assert abs(kept(one, 8) - eight.totals.train_bytes) < 0.02 * eight.totals.train_bytes
    assert check(one, select=("CO604",), given=Given(memory=budget, batch=20)) == []
    (finding,) = check(one, select=("CO604",), given=Given(memory=budget, batch=21))
    assert finding.measured["fits"] == 20
    assert finding.price.bytes == kept(one, 21) - budget
    (finding,) = check(eight, select=("CO604",), given=Given(memory=budget, batch=64))
    assert finding.measured["fits"] in (19, 20, 21)


def test_co604_counts_the_optimisers_state() -> None:
    one = trace(plain(32, 32), (3, 8, 8))
    budget = kept(one, 4)
    assert check(one, select=("CO604",), given=Given(memory=budget, batch=4)) == []
    given = Given(memory=budget, batch=4, optimiser="adamw")
    (finding,) = check(one, select=("CO604",), given=given)
    params = sum(p.numel() * 4 for p in plain(32, 32).parameters())
    assert finding.price.bytes == 2 * params
    (finding,) = check(one, select=("CO604",), given=Given(memory=1))
    assert "not one image fits" in (finding.fix or "")


def test_co604_is_silent_without_a_budget() -> None:
    assert check(trace(plain(32), (3, 8, 8)), select=("CO604",), given=Given(batch=10**9)) == []


class Written(nn.Module):
    """An activation written out."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.kind == "mish":
            return x * torch.tanh(nn.functional.softplus(x))
        return x * torch.sigmoid(x) if self.kind == "silu" else x * torch.sigmoid(1.7 * x)


@pytest.mark.parametrize("kind", ["silu", "mish"])
def test_co606_names_the_function_that_is_the_same(kind: str) -> None:
    net = nn.Sequential(nn.Conv2d(3, 8, 3), Written(kind))
    (finding,) = found(net, "CO606")
    assert (finding.path, finding.measured["function"]) == ("1", kind)
    x = torch.randn(64)
    assert torch.allclose(getattr(nn.functional, kind)(x), Written(kind)(x), atol=1e-6)


def test_co606_another_slope_is_another_function() -> None:
    assert found(nn.Sequential(nn.Conv2d(3, 8, 3), Written("scaled")), "CO606") == []


def test_co605_depth_against_width(draw: Draw) -> None:
    def codes(depth: int, width: int) -> list[str]:
        d = draw(3, 8, 8)
        x = d.relu(d.conv(d.start, width))
        for _ in range(depth // 2):
            x = d.relu(d.add(x, d.conv(d.relu(d.conv(x, width)), width)))
        d.head(x)
        return [finding.code for finding in check(d.trace(), select=("CO605",))]

    assert codes(150, 32) == ["CO605"]
    assert codes(150, 64) == codes(80, 16) == []
