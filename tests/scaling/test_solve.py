"""The member that fits: it meets every budget, the next one does not, whatever the network."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from striate.arch import Arch, channels, from_toml, map_sizes, to_toml, zoo
from striate.arch.literals import literals
from striate.errors import InputError
from striate.scaling import (
    MOST,
    RULES,
    Budget,
    growth,
    largest,
    member,
    named_budgets,
    parse_budgets,
    published,
    same,
)

BASES = (
    "resnet20",
    "resnet18",
    "vgg11",
    "preact_resnet20",
    "mobilenetv2",
    "efficientnet_b0",
    "resnext50_32x4d",
    "densenet121",
    "convnext_tiny",
    "deit_tiny_patch16",
    "seresnet50",
)


def counted(arch: Arch) -> Mapping[str, float]:
    """Weights of every convolution and dense layer, and those times the map they slide over."""
    table = literals(arch)
    modules = {path: {} for path, _ in table}
    for (path, argument), value in table.items():
        modules[path][argument] = value
    sizes = map_sizes(arch)
    params = macs = activations = 0
    for path, given_ in modules.items():
        stage = int(path.split(".")[1]) + 1 if path.startswith("stages") else 0
        stage = len(sizes) - 1 if path.startswith("head") else stage
        places = sizes[stage][0] * sizes[stage][1]
        if "out_channels" in given_:
            each = given_["kernel_size"] ** 2 * given_["in_channels"] // given_["groups"]
            params += each * given_["out_channels"]
            macs += each * given_["out_channels"] * places
            activations += given_["out_channels"] * places
        elif "out_features" in given_:
            params += given_["in_features"] * given_["out_features"]
            macs += given_["in_features"] * given_["out_features"]
            activations += given_["out_features"]
    return {"params": params, "macs": macs, "activations": activations}


@settings(deadline=None, max_examples=60)
@given(
    base=st.sampled_from(BASES),
    rule=st.sampled_from(RULES),
    keys=st.sets(st.sampled_from(["params", "macs", "activations"]), min_size=1),
    factor=st.floats(0.2, 12),
)
def test_the_result_meets_every_budget_and_the_next_does_not(
    base: str, rule: str, keys: set[str], factor: float
) -> None:
    arch, by = zoo(base), growth(rule)
    at_base = counted(arch)
    budgets = [Budget(key=key, limit=at_base[key] * factor) for key in sorted(keys)]
    try:
        found = largest(arch, by, budgets, counted)
    except InputError as error:
        largest_cost = counted(member(arch, by, MOST).arch) if "no bound" in str(error) else {}
        meets = all(largest_cost.get(budget.key, 0) <= budget.limit for budget in budgets)
        if meets and ("no bound" in str(error) or rule in ("depth", "resolution") or factor < 1):
            reject()  # the family ends: depth at one block a stage, resolution at the same weights
        raise
    assert all(found.cost[budget.key] <= budget.limit for budget in budgets)
    assert found.cost == counted(found.best.arch)
    assert same(member(arch, by, found.best.phi).arch) == same(found.best.arch)
    assert from_toml(to_toml(found.best.arch)) == found.best.arch
    assert found.next is not None
    assert found.next.phi > found.best.phi
    assert found.broken
    assert all(found.next_cost[budget.key] > budget.limit for budget in found.broken)
    between = (found.best.phi + found.next.phi) / 2
    assert same(member(arch, by, between).arch) in (
        same(found.best.arch),
        same(found.next.arch),
    )


@settings(deadline=None, max_examples=40)
@given(
    base=st.sampled_from(BASES),
    rule=st.sampled_from(RULES),
    phis=st.tuples(st.floats(-1, 3), st.floats(-1, 3)),
)
def test_a_family_never_shrinks(base: str, rule: str, phis: tuple[float, float]) -> None:
    low, high = sorted(phis)
    arch, by = zoo(base), growth(rule)
    small, large = member(arch, by, low).arch, member(arch, by, high).arch
    assert all(
        a.depth <= b.depth and a.width <= b.width
        for a, b in zip(small.stages, large.stages, strict=True)
    )
    assert all(a <= b for a, b in zip(channels(small), channels(large), strict=True))
    assert small.image[1] <= large.image[1]


def test_only_what_the_rule_names_grows() -> None:
    arch = zoo("resnet18")
    deeper = member(arch, growth("depth"), 1).arch
    assert [stage.depth for stage in deeper.stages] == [4, 4, 4, 4]
    assert channels(deeper) == channels(arch)
    assert deeper.image == arch.image
    wider = member(arch, growth("width"), 2).arch
    assert channels(wider) == [128, 128, 256, 512, 1024]
    assert [stage.depth for stage in wider.stages] == [2, 2, 2, 2]
    larger = member(arch, growth("resolution"), 2).arch
    assert larger.image == (3, 448, 448)
    assert larger.stages == arch.stages
    assert member(arch, growth(), 0).arch is arch


def test_heads_and_groups_keep_their_channels() -> None:
    vit = member(zoo("vit_small_patch16"), growth("width"), 1).arch
    assert (vit.stages[0].width, vit.stages[0].heads) == (512, 8)
    assert vit.stem is not None
    assert vit.stem.width == 512
    grown = member(zoo("vit_small_patch16"), growth(), 1).arch
    assert grown.image[1] % 16 == 0
    groups = member(zoo("resnext50_32x4d"), growth("width"), 0.3).arch
    assert all(stage.inner % 32 == 0 for stage in groups.stages)


def test_published_members_stand_beside_the_formulas() -> None:
    base = zoo("efficientnet_b0")
    for phi in range(1, 8):
        found = published(base, growth(), phi)
        assert found is not None
        assert found.arch == zoo(f"efficientnet_b{phi}")
    assert published(base, growth("depth"), 1) is None
    assert published(base, growth(alpha=1.3, beta=1.1, gamma=1.1), 1) is None
    assert published(base, growth(), 0.5) is None
    assert published(zoo("resnet18"), growth(), 1) is None


def test_budgets_are_read() -> None:
    assert parse_budgets("macs=1.2G") == (Budget(key="macs", limit=1.2e9),)
    assert parse_budgets("train_bytes=512MiB,latency=20ms") == (
        Budget(key="train_bytes", limit=2.0**29),
        Budget(key="latency", limit=0.02),
    )
    assert named_budgets({"params": 5e6}) == parse_budgets("params=5M")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1.2G", "--to 1.2G: write KEY=VALUE, such as macs=1.2G"),
        ("flops=1G", "--to flops=1G: no budget 'flops'; choose from macs, params"),
        ("macs=1GiB", "--to macs=1GiB: not an amount; write it like macs=1.2G (k, M, G, T)"),
        ("macs=much", "--to macs=much: not an amount"),
        ("macs=-1", "--to macs=-1: not an amount"),
        ("macs=0", "--to macs=0: a budget is above 0"),
        ("macs=1G,macs=2G", "--to macs=1G,macs=2G: macs is given twice; leave one out"),
        ("", "--to '': write KEY=VALUE"),
    ],
)
def test_what_is_no_budget(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_budgets(text)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("limits", "message"),
    [({"mac": 1.0}, "no budget 'mac'; did you mean macs?"), ({"macs": 0}, "macs = 0: a budget")],
)
def test_what_is_no_budget_in_python(limits: dict[str, float], message: str) -> None:
    with pytest.raises(InputError) as caught:
        named_budgets(limits)
    assert str(caught.value).startswith(message)


def test_a_budget_that_nothing_can_meet() -> None:
    with pytest.raises(InputError, match=r"no member of resnet18 by depth has at most 1,000 para"):
        largest(zoo("resnet18"), growth("depth"), [Budget(key="params", limit=1000)], counted)


def test_a_budget_that_bounds_nothing() -> None:
    with pytest.raises(InputError, match="the budget is no bound"):
        largest(zoo("resnet18"), growth("resolution"), [Budget(key="params", limit=1e12)], counted)
