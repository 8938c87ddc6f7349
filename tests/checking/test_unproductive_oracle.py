"""FL201 against the gradient: a layer is idle when every position of its input depends on every
pixel, and on nothing less; and against the network without the layers it names.
"""

from __future__ import annotations

import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn

from striate.checking import check
from striate.tracing import trace

CONV = st.tuples(st.just("conv"), st.sampled_from([1, 2, 3, 5]), st.integers(1, 2))
POOL = st.tuples(st.just("pool"), st.integers(2, 3), st.just(2))

SEES_FIVE = [("conv", 5, 1), ("conv", 5, 1)]
"""Behind these each position of a map of five pixels a side sees all of them."""


def _net(plan: list[tuple[str, int, int]], side: int) -> nn.Sequential:
    """Positive weights throughout, so that no gradient cancels."""
    modules: list[nn.Module] = []
    for kind, kernel, stride in plan:
        if kind == "conv":
            layer: nn.Module = nn.Conv2d(1, 1, kernel, stride, kernel // 2, bias=False)
            nn.init.ones_(layer.weight)
        else:
            layer = nn.AvgPool2d(kernel, stride)
        if _after([*modules, layer], side) < 1:
            break
        modules.append(layer)
    return nn.Sequential(*modules, nn.AdaptiveAvgPool2d(1), nn.Flatten())


def _after(modules: list[nn.Module], side: int) -> int:
    try:
        return nn.Sequential(*modules)(torch.zeros(1, 1, side, side)).shape[-1]
    except RuntimeError:
        return 0


def _idle(net: nn.Sequential, side: int) -> list[str]:
    """By brute force: convolutions each of whose input's positions sees each pixel."""
    found: list[str] = []
    net = net.double()
    for number, module in enumerate(net):
        if not isinstance(module, nn.Conv2d) or module.kernel_size == (1, 1):
            continue
        image = torch.ones(1, 1, side, side, dtype=torch.float64, requires_grad=True)
        taken = nn.Sequential(*net[:number])(image)
        if taken[0, 0].numel() == 1:
            continue  # a pool over everything: its field is "whole", and not judged
        everywhere = all(
            bool((torch.autograd.grad(value, image, retain_graph=True)[0] != 0).all())
            for value in taken.flatten()
        )
        if everywhere:
            found.append(str(number))
    return found


@settings(max_examples=60, deadline=None, derandomize=True)
@given(plan=st.lists(st.one_of(CONV, POOL), min_size=2, max_size=8), side=st.integers(2, 9))
def test_idle_layers_are_those_the_gradient_names(
    plan: list[tuple[str, int, int]], side: int
) -> None:
    net = _net(plan, side)
    findings = check(trace(net, (1, side, side)))
    starved = any(finding.code == "SH101" for finding in findings)
    said = [finding for finding in findings if finding.code == "FL201"]
    layers = said[0].measured["layers"] if said else []
    assume(not starved)
    idle = _idle(net, side)
    assert [name for name in layers if _map_before(net, name, side) > 1] == _can_go(net, idle, side)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(plan=st.lists(CONV, min_size=2, max_size=6), side=st.integers(3, 5))
def test_what_goes_saves_what_was_promised(plan: list[tuple[str, int, int]], side: int) -> None:
    net = _net([*SEES_FIVE, *plan], side)
    before = trace(net, (1, side, side))
    said = [finding for finding in check(before) if finding.code == "FL201"]
    assume(said)
    for edit in said[0].edits:
        assert edit.argument is None
        net[int(edit.path)] = nn.Identity()
    assert net(torch.zeros(1, 1, side, side)).shape == (1, 1)
    after = trace(net, (1, side, side))
    assert said[0].price.params == before.totals.params - after.totals.params
    assert said[0].price.macs == before.totals.macs - after.totals.macs
    assert "FL201" not in {finding.code for finding in check(after)}


def _can_go(net: nn.Sequential, idle: list[str], side: int) -> list[str]:
    """Of these, by running the network: those in a shortest row of convolutions, each idle or of a
    single pixel, that hands on a map of the size it was given.
    """
    sizes = [_after(list(net.float())[:number], side) for number in range(len(net) + 1)]
    gone: list[str] = []
    for first in map(int, idle):
        if str(first) in gone:
            continue
        for last in range(first, len(net)):
            module = net[last]
            if not isinstance(module, nn.Conv2d):
                break
            if str(last) not in idle and (module.kernel_size != (1, 1)):
                break
            if sizes[last + 1] == sizes[first]:
                gone += [str(n) for n in range(first, last + 1) if str(n) in idle]
                break
    return gone


def _map_before(net: nn.Sequential, name: str, side: int) -> int:
    return _after(list(net.float())[: int(name)], side)
