"""SH103 to SH112 and FL202 to FL206; the oracle is the gradient, or the forward itself."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import conv_transpose2d

from striate.checking import check
from striate.records import Finding
from striate.tracing import trace

Make = Callable[[], nn.Module]
Size = tuple[int, int, int]


def said(net: Make | nn.Module, image: Size, code: str) -> list[Finding]:
    return check(trace(net, image), select=[code])


def conv(given: int, out: int, kernel: int = 3, stride: int = 1, **more: int) -> nn.Conv2d:
    more.setdefault("padding", kernel // 2)
    return nn.Conv2d(given, out, kernel, stride, **more)


@pytest.mark.parametrize(("kernel", "stride"), [(2, 2), (3, 2), (3, 3), (4, 3)])
@pytest.mark.parametrize("side", [7, 8, 9])
def test_sh103_drops_the_rows_that_get_no_gradient(kernel: int, stride: int, side: int) -> None:
    net = nn.Sequential(nn.AvgPool2d(kernel, stride), nn.Flatten())
    image = torch.ones(1, 1, side, side, requires_grad=True)
    net(image).sum().backward()
    assert image.grad is not None
    unread = int((image.grad[0, 0].abs().sum(1) == 0).sum())
    found = said(net, (1, side, side), "SH103")
    assert [finding.measured["dropped"] for finding in found] == [[unread, unread]] * bool(unread)
    for finding in found:
        assert finding.measured["share"] == pytest.approx(1 - (1 - unread / side) ** 2)


def test_sh103_is_silent_where_another_reader_sees_the_edge() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.pool, self.conv = nn.MaxPool2d(2), conv(3, 3, 3, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.pool(x).sum() + self.conv(x).sum()

    assert said(Two, (3, 7, 7), "SH103") == []
    assert len(said(nn.MaxPool2d(2), (3, 7, 7), "SH103")) == 1
    assert said(nn.MaxPool2d(2, ceil_mode=True), (3, 7, 7), "SH103") == []


def test_sh103_leaves_one_pixel_of_many_alone() -> None:
    """SqueezeNet's stem: 223 of 224 columns."""
    assert said(lambda: nn.Conv2d(3, 8, 7, 2), (3, 224, 224), "SH103") == []


@pytest.mark.parametrize(
    "make",
    [
        lambda: nn.Sequential(nn.Conv2d(3, 8, 5, 2), nn.MaxPool2d(3, 2), nn.Conv2d(8, 8, 5)),
        lambda: nn.Sequential(conv(3, 8, 7, 2), nn.MaxPool2d(2), nn.ZeroPad2d(1), nn.MaxPool2d(9)),
        lambda: nn.Sequential(conv(3, 8), nn.AvgPool2d(3, 2, ceil_mode=True), nn.AvgPool2d(8)),
    ],
)
def test_sh104_names_the_smallest_image_that_runs(make: Make) -> None:
    (finding,) = said(make, (3, 9, 9), "SH104")
    smallest = finding.measured["smallest_image"]
    assert trace(make, smallest).complete
    _, height, width = smallest
    assert not trace(make, (3, height - 1, width)).complete
    assert finding.fix is not None
    assert f"3×{height}×{width}" in finding.fix
    assert [f.code for f in check(trace(make, (3, 9, 9)))] == ["SH104"]


def test_sh104_knows_when_no_image_helps() -> None:
    net = nn.Sequential(conv(3, 8), nn.AdaptiveAvgPool2d(2), nn.Conv2d(8, 8, 3))
    (finding,) = said(net, (3, 32, 32), "SH104")
    assert finding.measured["smallest_image"] is None
    assert finding.fix is not None
    assert "images of at least" not in finding.fix


def test_sh105_counts_the_taps_without_a_gradient() -> None:
    layer = conv(1, 1, 3, padding=9, dilation=9)
    image = torch.ones(1, 1, 8, 8)
    layer(image).sum().backward()
    assert layer.weight.grad is not None
    dead = int((layer.weight.grad == 0).sum())
    (finding,) = said(layer, (1, 8, 8), "SH105")
    assert finding.measured["dead_weights"] == dead == 8
    assert finding.measured["largest_dilation"] == 7
    assert said(conv(1, 1, 3, padding=7, dilation=7), (1, 8, 8), "SH105") == []


@pytest.mark.parametrize("side", [28, 32, 64])
def test_sh106_knows_a_stem_for_large_images(side: int) -> None:
    def blocks(given: int) -> list[nn.Module]:
        return [conv(given, 64), nn.ReLU(), conv(64, 64), nn.ReLU(), nn.AdaptiveAvgPool2d(1)]

    def resnet() -> nn.Module:
        return nn.Sequential(
            conv(3, 64, 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1), *blocks(64), nn.Flatten()
        )

    def patches() -> nn.Module:
        return nn.Sequential(nn.Conv2d(3, 32, 4, 4), *blocks(32), nn.Flatten())

    def lenet() -> nn.Module:
        return nn.Sequential(
            conv(3, 6, 5), nn.Tanh(), nn.AvgPool2d(2), conv(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2)
        )

    def encoder() -> nn.Module:
        return nn.Sequential(conv(3, 8, 4, 2, padding=1), nn.ReLU(), conv(8, 16, 4, 2, padding=1))

    for make, fires in ((resnet, True), (patches, True), (lenet, False), (encoder, False)):
        assert len(said(make, (3, side, side), "SH106")) == fires
        assert said(make, (3, 224, 224), "SH106") == []


@pytest.mark.parametrize("cut", [(0, 4), (2, 2), (3, 1)])
def test_sh107_compares_where_two_maps_look(cut: tuple[int, int]) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Conv2d(3, 3, 5)

        def forward(self, x: Tensor) -> Tensor:
            near, far = cut
            side = x.shape[-1]
            return x[:, :, near : side - far, near : side - far] + self.inner(x)

    found = said(Net(), (3, 16, 16), "SH107")
    apart = abs(cut[0] - 2)
    assert [finding.measured["apart_px"] for finding in found] == [apart] * bool(apart)


@pytest.mark.parametrize("kernel", [1, 2, 3, 4, 5, 6])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_sh108_counts_the_taps_at_each_pixel(kernel: int, stride: int) -> None:
    ones = conv_transpose2d(torch.ones(1, 1, 8, 8), torch.ones(1, 1, kernel, kernel), stride=stride)
    inside = ones[0, 0, 2 * kernel : -2 * kernel - stride, 2 * kernel : -2 * kernel - stride]
    if not inside.numel():
        inside = ones[0, 0, kernel:-kernel, kernel:-kernel]
    fewest, most = int(inside.min()), int(inside.max())
    found = said(lambda: nn.ConvTranspose2d(3, 3, kernel, stride), (3, 8, 8), "SH108")
    counts = [(one.measured["fewest_taps"], one.measured["most_taps"]) for one in found]
    assert counts == [(fewest, most)] * (fewest != most)


def test_sh109_counts_the_positions_that_saw_nothing() -> None:
    layer = nn.Conv2d(1, 1, 1, padding=2)
    nn.init.zeros_(layer.bias)
    empty = float((layer(torch.ones(1, 1, 5, 7)) == 0).float().mean())
    (finding,) = said(layer, (1, 5, 7), "SH109")
    assert finding.measured["empty"] == pytest.approx(empty)
    assert said(nn.Conv2d(1, 1, (1, 3), padding=(0, 1)), (1, 5, 7), "SH109") == []


def test_sh110_and_sh111_on_pools_that_do_nothing_and_copy() -> None:
    assert len(said(nn.MaxPool2d(1), (3, 8, 8), "SH110")) == 1
    assert said(nn.MaxPool2d(1, 2), (3, 8, 8), "SH110") == []
    assert said(nn.AdaptiveAvgPool2d(8), (3, 8, 8), "SH111") == []

    def net(side: int) -> nn.Module:
        return nn.Sequential(
            nn.MaxPool2d(4), nn.AdaptiveAvgPool2d(side), nn.Flatten(), nn.Linear(3 * side**2, 5)
        )

    assert said(lambda: net(2), (3, 8, 8), "SH111") == []
    (finding,) = said(lambda: net(4), (3, 8, 8), "SH111")
    assert finding.price.params == 3 * 16 * 5 * 3 // 4


def test_sh112_asks_for_a_halving_at_each_doubling() -> None:
    def net(widths: list[int], strides: list[int]) -> nn.Module:
        given = [3, *widths]
        parts = [conv(a, b, 3, s) for a, b, s in zip(given, widths, strides, strict=False)]
        return nn.Sequential(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten())

    (finding,) = said(lambda: net([16, 16, 32, 64], [1, 1, 1, 1]), (3, 32, 32), "SH112")
    assert finding.path == "2"
    assert said(lambda: net([16, 16, 32, 64], [1, 1, 2, 2]), (3, 32, 32), "SH112") == []
    assert said(lambda: net([32, 32, 32, 32], [1, 1, 1, 1]), (3, 32, 32), "SH112") == []
    ends_in_a_map = nn.Sequential(*[conv(a, b) for a, b in ((3, 8), (8, 16), (16, 32), (32, 64))])
    assert said(ends_in_a_map, (3, 32, 32), "SH112") == []


def test_fl202_measures_what_the_gradient_reaches() -> None:
    body = nn.Sequential(conv(1, 4), conv(4, 4), nn.AvgPool2d(2), conv(4, 4), conv(4, 4))
    net = nn.Sequential(body, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    image = torch.rand(1, 1, 48, 48, requires_grad=True)
    body(image)[0, :, 12, 12].sum().backward()
    assert image.grad is not None
    seen = int((image.grad[0, 0].abs().sum(0) > 0).sum())
    (finding,) = said(net, (1, 48, 48), "FL202")
    assert finding.measured["field_px"] == [seen, seen]
    assert said(net, (1, seen * 2, seen * 2), "FL202") == []
    assert said(nn.Sequential(body, nn.Flatten()), (1, 48, 48), "FL202") == []


@pytest.mark.parametrize("rates", [(2, 2), (2, 4), (2, 3), (1, 2), (3, 6, 3), (2, 1, 2)])
def test_fl204_finds_the_rows_that_get_no_gradient(rates: tuple[int, ...]) -> None:
    net = nn.Sequential(*[conv(1, 1, 3, padding=rate, dilation=rate) for rate in rates])
    for part in net:
        nn.init.ones_(part.weight)
    image = torch.ones(1, 1, 65, 65, requires_grad=True)
    net(image)[0, 0, 32, 32].backward()
    assert image.grad is not None
    rows = (image.grad[0, 0].abs().sum(1) > 0).nonzero().flatten()
    gaps = sorted(set(rows.diff().tolist()))
    found = said(net, (1, 65, 65), "FL204")
    assert [finding.measured["factor"] for finding in found] == ([] if gaps[0] == 1 else [gaps[0]])


def test_fl204_sees_a_row_through_blocks_with_skips() -> None:
    class Block(nn.Module):
        def __init__(self, rate: int) -> None:
            super().__init__()
            self.conv = conv(8, 8, 3, padding=rate, dilation=rate)
            self.norm = nn.BatchNorm2d(8)

        def forward(self, x: Tensor) -> Tensor:
            return x + self.norm(self.conv(x)).relu()

    (finding,) = said(nn.Sequential(conv(3, 8), Block(2), Block(2), Block(2)), (3, 32, 32), "FL204")
    assert finding.measured["dilations"] == [2, 2, 2]
    assert said(nn.Sequential(conv(3, 8), Block(1), Block(2), Block(3)), (3, 32, 32), "FL204") == []


def test_fl205_measures_the_drift_of_the_middle() -> None:
    def net(padded: tuple[int, int, int, int]) -> nn.Module:
        return nn.Sequential(
            nn.AvgPool2d(2), nn.ZeroPad2d(padded), nn.Conv2d(1, 1, 4, bias=False),
            nn.ZeroPad2d(padded), nn.Conv2d(1, 1, 4, bias=False),
        )  # fmt: skip

    whole = net((1, 2, 1, 2))
    for part in whole.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.ones_(part.weight)
    image = torch.ones(1, 1, 64, 64, requires_grad=True)
    out = whole(image)
    out[0, 0, 15:17, 15:17].sum().backward()  # the middle of 32 positions
    assert image.grad is not None
    weights = image.grad[0, 0].sum(0)
    centre = float((weights * torch.arange(64)).sum() / weights.sum())
    (finding,) = said(whole, (1, 64, 64), "FL205")
    assert finding.measured["drift_px"] == pytest.approx(centre - 31.5)
    assert said(nn.Conv2d(1, 1, 4, padding=1), (1, 64, 64), "FL205") == []
    assert said(nn.Conv2d(1, 1, 4, 2, padding=1), (1, 64, 64), "FL205") == []


def test_fl206_runs_where_it_is_asked_for_and_knows_a_blur() -> None:
    class Blur(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("kernel", torch.ones(8, 1, 3, 3) / 9)

        def forward(self, x: Tensor) -> Tensor:
            return nn.functional.conv2d(x, self.get_buffer("kernel"), stride=2, groups=8)

    sharp = nn.Sequential(conv(3, 8), nn.MaxPool2d(2), conv(8, 8, 3, 2))
    (finding,) = said(sharp, (3, 32, 32), "FL206")
    assert finding.measured["layers"] == ["1", "2"]
    assert not [one for one in check(trace(sharp, (3, 32, 32))) if one.code == "FL206"]
    assert said(nn.Sequential(conv(3, 8), Blur()), (3, 32, 32), "FL206") == []


def test_fl203_sees_strided_slices_and_channels_last() -> None:
    class Sliced(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x[:, :, ::2, ::2]

    (finding,) = said(nn.Sequential(conv(3, 8), Sliced()), (3, 16, 16), "FL203")
    assert finding.measured["unread"] == pytest.approx(0.75)
    assert "a slice with step 2" in finding.message

    class Norm(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.LayerNorm(8)

        def forward(self, x: Tensor) -> Tensor:
            return self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)

    (finding,) = said(
        nn.Sequential(conv(3, 8), Norm(), nn.Conv2d(8, 8, 2, 3)), (3, 18, 18), "FL203"
    )
    assert finding.measured["unread"] == pytest.approx(1 - 4 / 9)


def test_sh101_sees_through_a_pad_of_its_own() -> None:
    """On 1×1 the padded kernel is as dead as one that pads itself."""
    own = nn.Sequential(conv(3, 8), nn.AdaptiveAvgPool2d(1), conv(8, 8), nn.Flatten())
    apart = nn.Sequential(
        conv(3, 8), nn.AdaptiveAvgPool2d(1), nn.ZeroPad2d(1), nn.Conv2d(8, 8, 3), nn.Flatten()
    )
    first, second = (said(net, (3, 8, 8), "SH101")[0] for net in (own, apart))
    assert first.price.params == second.price.params == 8 * 8 * 8
    assert first.safe
    assert second.edits == ()  # the pad would be left
