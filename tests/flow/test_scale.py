"""A family under a budget, with real traces."""

from __future__ import annotations

import json

import pytest

import striate
from striate.arch import Arch, from_toml, to_toml, zoo
from striate.errors import InputError
from striate.flow.scale import parse_phi, scale


def test_the_published_family_to_the_parameter() -> None:
    """Tan and Le 2019; the integers are those of the networks that are shared of it."""
    family = scale("efficientnet_b0", phi=(1, 3, 5))
    made = [one for one in family.members if one.member.published]
    assert [one.cost["params"] for one in made] == [7_794_184, 12_233_232, 30_389_784]
    formula = [one for one in family.members if not one.member.published]
    assert [one.member.phi for one in formula] == [1, 3, 5]
    depth = [-(-stage.depth * 12 // 10) for stage in zoo("efficientnet_b0").stages]
    assert [stage.depth for stage in formula[0].member.arch.stages] == depth


@pytest.mark.parametrize(
    ("base", "to", "rule"),
    [
        ("resnet18", "macs=1.2G", "width"),
        ("resnet20", {"macs": 100e6, "params": 400_000}, "compound"),
        ("deit_tiny_patch16", "train_bytes=64MiB", "dwr"),
        ("resnet20", "activations=1M", "depth"),
        ("convnext_tiny-small", "params=9M,macs=600M,train_bytes=90MiB", "compound"),
        ("densenet121-small", "macs=300M,activations=4M", "resolution"),
        ("mobilenetv2-small", "params=900k,activations=600k", "dwr"),
    ],
)
def test_the_largest_under_a_budget(base: str, to: dict[str, float] | str, rule: str) -> None:
    family = striate.scale(base, to, rule=rule)
    assert family.solution is not None
    (best,) = family.members
    for budget in family.budgets:
        assert best.cost[budget.key] <= budget.limit
    arch = best.member.arch
    assert isinstance(arch, Arch)
    assert from_toml(to_toml(arch)) == arch
    traced = striate.trace(striate.build(arch, device="meta"), arch.image)
    assert traced.totals.macs == best.cost["macs"]
    assert traced.totals.params == best.cost["params"]
    assert family.solution.broken
    for budget in family.solution.broken:
        assert family.solution.next_cost[budget.key] > budget.limit


def test_bytes_to_train_are_those_of_the_batch() -> None:
    one, eight = (scale("resnet20", phi=(0,), batch=batch).base for batch in (1, 8))
    assert one.cost["macs"] == eight.cost["macs"] == 40_551_040
    assert eight.cost["train_bytes"] > 3 * one.cost["train_bytes"]


def test_latency_is_measured() -> None:
    family = scale("lenet5", {"latency": 60.0, "params": 80_000}, rule="width")
    (best,) = family.members
    assert 0 < best.cost["latency"] <= 60
    assert "latency" not in scale("lenet5", phi=(1,), rule="width").members[0].cost


def test_the_document_is_plain_data() -> None:
    family = scale("resnet20", phi=(1,), rule="width")
    document = json.loads(json.dumps(family.members[0].as_json()))
    assert {"name", "phi", "image", "params", "macs", "activations", "arch"} <= document.keys()
    assert document["phi"] == 1


@pytest.mark.parametrize(
    ("text", "phis"),
    [("2", (2,)), ("1:3", (1, 2, 3)), ("1…3", (1, 2, 3)), ("1..2", (1, 2)), ("-1,.5", (-1, 0.5))],
)
def test_members_are_read(text: str, phis: tuple[float, ...]) -> None:
    assert parse_phi(text) == phis


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("3:1", "--phi 3:1: ends before it begins; write 1:3"),
        ("two", "--phi two: not numbers; write 2, or 1,2,3, or 1:7"),
        ("99", "--phi 99: each φ doubles the cost; stay within -24 and 8"),
        ("nan", "--phi nan: each φ doubles the cost"),
    ],
)
def test_what_is_no_member(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_phi(text)
    assert str(caught.value).startswith(message)


def test_both_or_neither() -> None:
    for wrong in ({}, {"to": "macs=1G", "phi": (1,)}):
        with pytest.raises(InputError, match="one of the two"):
            scale("resnet20", **wrong)
