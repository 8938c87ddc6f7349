"""A mend given as literals mends: applied to the rule's own Bad example, the finding is gone."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import nn

from striate.checking import Rule, check, rules
from striate.checking.docs import read_doc
from striate.records import Edit, Finding
from striate.tracing import trace

ARGUMENTS = {
    nn.Conv2d: (
        "in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups",
    ),
    nn.ConvTranspose2d: (
        "in_channels", "out_channels", "kernel_size", "stride", "padding", "output_padding",
    ),
    nn.MaxPool2d: ("kernel_size", "stride", "padding", "ceil_mode"),
    nn.AvgPool2d: ("kernel_size", "stride", "padding", "ceil_mode"),
    nn.ReLU: ("inplace",),
}  # fmt: skip


def mended(net: nn.Module, edits: tuple[Edit, ...]) -> nn.Module:
    """A copy with the modules at the edits' paths made anew."""
    net = copy.deepcopy(net)
    for path in dict.fromkeys(edit.path for edit in edits):
        parent, _, name = path.rpartition(".")
        changes = {edit.argument: edit.value for edit in edits if edit.path == path}
        new: nn.Module = nn.Identity()
        if None not in changes:
            old = net.get_submodule(path)
            given = {key: getattr(old, key) for key in ARGUMENTS[type(old)]}
            if hasattr(old, "bias"):
                given["bias"] = old.bias is not None
            unknown = set(changes) - set(given) - {"bias"}
            assert not unknown, f"{type(old).__name__} has no {unknown}"
            new = type(old)(**{**given, **changes})
        setattr(net.get_submodule(parent), name, new)
    return net


def example(rule: Rule) -> tuple[nn.Module, tuple[int, int, int]]:
    names: dict[str, Any] = {}
    exec(read_doc(rule.doc).bad.text, names)  # the repository's own documentation
    return names["net"], names["image"]


def findings(rule: Rule, net: nn.Module, image: tuple[int, int, int]) -> list[Finding]:
    return check(trace(net, image), select=[rule.code])


MINE = [
    rule
    for rule in rules()
    if rule.code[:2] in ("SH", "FL", "PA", "RE")
    and read_doc(rule.doc).bad.language == "python"
    and any(finding.edits for finding in findings(rule, *example(rule)))
]


def test_most_rules_with_literals_are_among_them() -> None:
    codes = {rule.code for rule in MINE}
    assert {"SH103", "SH105", "SH106", "SH108", "SH109", "SH110", "FL203", "FL204"} <= codes
    assert {"FL205", "PA301", "PA303", "RE403", "RE404", "RE408"} <= codes


@pytest.mark.parametrize("rule", MINE, ids=lambda rule: rule.code)
def test_the_edits_take_the_finding_away(rule: Rule) -> None:
    net, image = example(rule)
    edits = tuple(edit for finding in findings(rule, net, image) for edit in finding.edits)
    after = trace(mended(net, edits), image)
    assert after.complete, after.failure
    assert check(after, select=[rule.code]) == []


@pytest.mark.parametrize("rule", MINE, ids=lambda rule: rule.code)
def test_what_is_called_safe_keeps_the_output(rule: Rule) -> None:
    """What the network can compute stays as it was: here, with the bias that a norm subtracts."""
    net, image = example(rule)
    for finding in findings(rule, net, image):
        if not finding.safe:
            continue
        torch.manual_seed(0)
        after = mended(net, finding.edits)
        after.load_state_dict(net.state_dict(), strict=False)
        pixels = torch.rand(4, *image)
        assert torch.allclose(net.train()(pixels), after.train()(pixels), atol=1e-5)
