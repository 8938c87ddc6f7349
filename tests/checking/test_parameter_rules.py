"""PA302 to PA309 on networks as people write them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from striate.checking import check
from striate.records import Finding
from striate.tracing import trace

IMAGE = (3, 16, 16)


def said(make: Callable[[], nn.Module] | nn.Module, code: str) -> list[Finding]:
    found = trace(make, IMAGE)
    assert found.complete, found.failure
    return check(found, select=[code])


class Flow(nn.Module):
    """A network whose forward is a function of its parts."""

    def __init__(self, forward: Callable[..., Tensor], **parts: nn.Module) -> None:
        super().__init__()
        self.run = forward
        for name, part in parts.items():
            self.add_module(name, part)

    def forward(self, x: Tensor) -> Tensor:
        return self.run(self, x)


def conv(given: int = 8, out: int = 8) -> nn.Conv2d:
    return nn.Conv2d(given, out, 3, padding=1)


def test_unused_parameters_are_counted_by_the_largest_module() -> None:
    def forward(net: Flow, x: Tensor) -> Tensor:
        return net.stem(x)

    aside = nn.Sequential(conv(), nn.Sequential(conv(), nn.BatchNorm2d(8)))
    (finding,) = said(Flow(forward, stem=conv(3), aside=aside), "PA303")
    assert finding.path == "aside"
    assert finding.price.params == sum(p.numel() for p in aside.parameters())
    assert finding.safe
    assert finding.edits[0].path == "aside"
    assert finding.edits[0].argument is None


def test_a_part_of_a_module_that_is_unused_is_named_and_left() -> None:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(1))
            self.old = nn.Parameter(torch.ones(7))

        def forward(self, x: Tensor) -> Tensor:
            return x * self.weight

    (finding,) = said(nn.Sequential(conv(3), Scaled()), "PA303")
    assert finding.message.startswith("`1.old` is never used: the 7 parameters")
    assert finding.edits == ()


def test_what_training_alone_uses_is_used() -> None:
    def forward(net: Flow, x: Tensor) -> Tensor:
        x = net.stem(x)
        return x + net.extra(x) if net.training else x

    assert said(Flow(forward, stem=conv(3), extra=conv()), "PA303") == []


@pytest.mark.parametrize("kept", [True, False])
def test_a_result_that_goes_nowhere(kept: bool) -> None:
    def forward(net: Flow, x: Tensor) -> Tensor:
        x = net.stem(x)
        y = net.norm(net.body(x))
        return y if kept else x

    found = said(Flow(forward, stem=conv(3), body=conv(), norm=nn.BatchNorm2d(8)), "PA304")
    if kept:
        assert found == []
        return
    (finding,) = found
    assert finding.path == "body"
    assert finding.price.params == 8 * 8 * 9 + 8 + 16
    assert finding.measured["layers"] == ["body", "norm"]


def test_one_norm_behind_two_layers_and_one_behind_one() -> None:
    def twice(net: Flow, x: Tensor) -> Tensor:
        return net.norm(net.second(net.norm(net.first(x)).relu()))

    def beside(net: Flow, x: Tensor) -> Tensor:
        return net.norm(net.first(x)) + net.norm(net.second(x))

    def pyramid(net: Flow, x: Tensor) -> Tensor:
        small = net.norm(net.first(nn.functional.avg_pool2d(x, 2)))
        return net.norm(net.first(x)) + nn.functional.interpolate(small, scale_factor=2)

    for forward, fires in ((twice, True), (beside, True), (pyramid, False)):
        second = conv() if forward is twice else conv(3)
        net = Flow(forward, first=conv(3), second=second, norm=nn.BatchNorm2d(8))
        assert [finding.path for finding in said(net, "PA305")] == ["norm"] * fires


def test_norms_in_a_plain_list_are_not_one() -> None:
    class Listed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.parts = [conv(3), nn.BatchNorm2d(8), conv(), nn.BatchNorm2d(8)]

        def forward(self, x: Tensor) -> Tensor:
            for part in self.parts:
                x = part(x)
            return x

    assert said(Listed, "PA305") == []
    (finding,) = said(Listed, "PA309")
    assert finding.price.params == (3 + 8) * 8 * 9 + 2 * 8 + 2 * 16


def test_a_block_repeated_and_a_block_made_anew() -> None:
    def block() -> nn.Sequential:
        return nn.Sequential(conv(), nn.BatchNorm2d(8), nn.ReLU())

    (finding,) = said(nn.Sequential(conv(3), *[block()] * 3), "PA306")
    assert finding.path == "1"
    assert finding.measured["names"] == ["1", "2", "3"]
    assert said(nn.Sequential(conv(3), *[block()] * 3), "PA305") == []
    assert said(nn.Sequential(conv(3), *[block() for _ in range(3)]), "PA306") == []
    assert said(nn.Sequential(conv(3), *[nn.ReLU()] * 3), "PA306") == []


def test_a_loop_over_one_name_is_meant() -> None:
    def forward(net: Flow, x: Tensor) -> Tensor:
        x = net.stem(x)
        for _ in range(3):
            x = net.again(x).relu()
        return x

    assert said(Flow(forward, stem=conv(3), again=conv()), "PA306") == []


def test_heads_that_are_one_on_the_same_features() -> None:
    def forward(net: Flow, x: Tensor) -> Tensor:
        x = net.stem(x)
        return torch.cat([head(x) for head in net.heads.children()])  # children: each once

    def every(net: Flow, x: Tensor) -> Tensor:
        x = net.stem(x)
        return torch.cat([net.heads[0](x), net.heads[1](x)])

    assert said(Flow(forward, stem=conv(3), heads=nn.ModuleList([conv()] * 2)), "PA306") == []
    (finding,) = said(Flow(every, stem=conv(3), heads=nn.ModuleList([conv()] * 2)), "PA306")
    assert finding.path == "heads.0"


def test_frozen_in_part_and_frozen_whole() -> None:
    net = nn.Sequential(conv(3), nn.ReLU(), nn.Sequential(conv(), nn.ReLU(), conv()))
    assert said(net, "PA307") == []
    net[2].requires_grad_(False)
    (finding,) = said(net, "PA307")
    assert finding.measured["elements"] == 2 * (8 * 8 * 9 + 8)
    assert finding.path == "2"
    net.requires_grad_(False)
    assert said(net, "PA307") == []


def test_a_cut_is_found_at_the_last_layer_before_it() -> None:
    def forward(net: Flow, x: Tensor) -> Tensor:
        with torch.no_grad():
            x = net.second(net.first(x).relu()).relu()
        return net.third(x)

    (finding,) = said(Flow(forward, first=conv(3), second=conv(), third=conv()), "PA308")
    assert finding.path == "second"
    assert finding.measured["layers"] == ["first", "second"]
    assert finding.price.params == (3 + 8) * 8 * 9 + 16


def test_frozen_layers_before_a_cut_are_no_finding() -> None:
    def forward(net: Flow, x: Tensor) -> Tensor:
        return net.second(net.first(x).detach())

    net = Flow(forward, first=conv(3).requires_grad_(False), second=conv())
    assert said(net, "PA308") == []


def test_hidden_dense_layers_are_counted_together() -> None:
    def net(hidden: int) -> nn.Module:
        return nn.Sequential(
            conv(3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
            nn.Linear(8, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(),
            nn.Linear(hidden, 10),
        )  # fmt: skip

    assert said(lambda: net(64), "PA302") == []
    (finding,) = said(lambda: net(1024), "PA302")
    assert finding.path == "6"
    weights = 1024 * 1024 + 1024
    assert finding.measured["params"] == weights
    # without it: 1024 features straight to the 10 classes
    assert finding.price.params == 1024 * 1024


def test_a_dense_layer_that_makes_the_scores_is_never_too_large() -> None:
    net = nn.Sequential(conv(3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 90_000))
    assert said(net, "PA302") == []
