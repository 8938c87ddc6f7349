"""The member that fits: it meets every budget, the next one does not, whatever the network."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from striate.arch import (
    Arch,
    adapt,
    channels,
    from_dict,
    from_toml,
    map_sizes,
    to_toml,
    zoo,
    zoo_costs,
)
from striate.arch.literals import literals
from striate.errors import ArchError, InputError
from striate.scaling import (
    MOST,
    RULES,
    Budget,
    Growth,
    Solution,
    growth,
    largest,
    member,
    named_budgets,
    parse_budgets,
    published,
    same,
)

BASES = (
    "mlp",
    "resnet20",
    "resnet18",
    "resnet18-small",
    "vgg11",
    "vgg11_bn-small",
    "preact_resnet20",
    "wide_resnet16_4",
    "mobilenetv2",
    "mobilenetv2-small",
    "efficientnet_b0",
    "efficientnetv2_s",
    "resnext50_32x4d",
    "densenet121",
    "convnext_tiny",
    "convnext_tiny-small",
    "deit_tiny_patch16",
    "vit_small_patch16-small",
    "seresnet50",
)


@st.composite
def archs(draw: st.DrawFn) -> Arch:
    """Networks as nobody publishes them: widths that no divisor divides, sides of any size."""
    block = draw(st.sampled_from(["conv", "basic", "bottleneck", "inverted", "densenet", "dense"]))
    widths = st.integers(3, 90)
    groups = draw(st.sampled_from([1, 1, 3, 16])) if block in ("conv", "basic") else 1
    stages: list[dict[str, object]] = []
    for number in range(draw(st.integers(1, 3))):
        stage: dict[str, object] = {
            "block": block, "depth": draw(st.integers(1, 3)), "width": groups * draw(widths),
        }  # fmt: skip
        if groups > 1:
            stage["groups"] = groups
        if number and block not in ("densenet", "dense"):
            stage["stride"] = draw(st.integers(1, 2))
        stages.append(stage)
    return from_dict(
        {
            "name": f"odd-{block}",
            "image": [3, draw(st.integers(8, 70)), draw(st.integers(8, 70))],
            "classes": draw(st.integers(2, 30)),
            "stem": {"width": groups * draw(widths)},
            "stages": stages,
            "head": {"pool": "none" if block == "dense" else "avg"},
        }
    )


BASE = st.one_of(st.sampled_from(BASES).map(zoo), archs())
BY = st.one_of(
    st.sampled_from(RULES).map(growth),
    st.sampled_from([(1.0, 1.4, 1.0), (2.0, 1.0, 1.0), (1.5, 1.1, 1.05), (1.0, 1.0, 1.4)]).map(
        lambda three: growth(alpha=three[0], beta=three[1], gamma=three[2])
    ),
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


@settings(deadline=None, max_examples=120)
@given(
    arch=BASE,
    by=BY,
    factors=st.dictionaries(
        st.sampled_from(["params", "macs", "activations"]), st.floats(0.1, 12), min_size=1
    ),
)
def test_the_result_meets_every_budget_and_the_next_does_not(
    arch: Arch, by: Growth, factors: dict[str, float]
) -> None:
    at_base = counted(arch)
    budgets = [Budget(key=key, limit=at_base[key] * factors[key]) for key in sorted(factors)]

    def meets(cost: Mapping[str, float]) -> bool:
        return all(cost[budget.key] <= budget.limit for budget in budgets)

    found = _solved(arch, by, budgets)
    if found is None:  # nothing meets them, or all: the ends are looked at, without bisecting
        largest_meets = meets(counted(member(arch, by, MOST).arch))
        assert largest_meets or not any(meets(counted(one)) for one in _smaller(arch, by))
        return
    assert meets(found.cost)
    assert found.cost == counted(found.best.arch)
    assert same(member(arch, by, found.best.phi).arch) == same(found.best.arch)
    assert from_toml(to_toml(found.best.arch)) == found.best.arch
    if found.next is None:
        assert found.ends
        with pytest.raises(ArchError):
            member(arch, by, found.best.phi + 1)
        return
    assert found.next.phi > found.best.phi
    assert not meets(found.next_cost)
    assert all(found.next_cost[budget.key] > budget.limit for budget in found.broken)
    assert found.next_cost == counted(found.next.arch)
    # nothing lies between the two
    for share in (0.25, 0.5, 0.75):
        between = found.best.phi + share * (found.next.phi - found.best.phi)
        assert same(member(arch, by, between).arch) in (
            same(found.best.arch),
            same(found.next.arch),
        )


def _solved(arch: Arch, by: Growth, budgets: list[Budget]) -> Solution | None:
    try:
        return largest(arch, by, budgets, counted)
    except InputError:
        return None


def _smaller(arch: Arch, by: Growth) -> Iterator[Arch]:
    """The base and what is smaller, down to what cannot be built."""
    for steps in range(60):
        try:
            yield member(arch, by, -steps / 4).arch
        except ArchError:
            return


@settings(deadline=None, max_examples=150)
@given(arch=BASE, by=BY, phis=st.tuples(st.floats(-3, 3), st.floats(-3, 3), st.just(0.0)))
def test_a_family_never_shrinks(arch: Arch, by: Growth, phis: tuple[float, ...]) -> None:
    try:
        made = [member(arch, by, phi).arch for phi in sorted(phis)]
    except ArchError:
        reject()
    for small, large in itertools.pairwise(made):
        assert all(
            a.depth <= b.depth and a.width <= b.width
            for a, b in zip(small.stages, large.stages, strict=True)
        )
        assert all(a <= b for a, b in zip(channels(small), channels(large), strict=True))
        assert small.image[1] <= large.image[1]
        assert small.image[2] <= large.image[2]


@settings(deadline=None, max_examples=60)
@given(arch=archs(), by=BY, phi=st.floats(0, 3))
def test_larger_members_can_always_be_built(arch: Arch, by: Growth, phi: float) -> None:
    assert from_toml(to_toml(member(arch, by, phi).arch)).image[1] >= arch.image[1]


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


B1_TO_B7 = (7_794_184, 9_109_994, 12_233_232, 19_341_616, 30_389_784, 43_040_704, 66_347_960)


def test_published_members_stand_beside_the_formulas() -> None:
    base = zoo("efficientnet_b0")
    for phi, params in enumerate(B1_TO_B7, 1):
        found = published(base, growth(), phi)
        assert found is not None
        assert found.arch == zoo(f"efficientnet_b{phi}")
        assert zoo_costs()[found.arch.name].params == params
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


@pytest.mark.parametrize(
    ("base", "rule", "budget", "message"),
    [
        (
            "resnet18",
            "resolution",
            ("params", 1e12),
            "resnet18 by resolution: every member has the same 11,678,912 parameters, so",
        ),
        (
            "resnet20",
            "width",
            ("activations", 1e15),
            "resnet20 by width: at φ = 8 it still meets 1,000,000,000,000,000 activations",
        ),
    ],
)
def test_a_budget_that_bounds_nothing(
    base: str, rule: str, budget: tuple[str, float], message: str
) -> None:
    with pytest.raises(InputError) as caught:
        largest(zoo(base), growth(rule), [Budget(key=budget[0], limit=budget[1])], counted)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("rule", ["depth", "compound", "dwr"])
def test_a_depth_that_takes_the_map_away(rule: str) -> None:
    """LeNet-5's convolutions have no padding: a deeper one flattens fewer values."""
    lenet = zoo("lenet5")
    assert counted(member(lenet, growth("depth"), 1).arch)["params"] < counted(lenet)["params"]
    with pytest.raises(InputError) as caught:
        largest(lenet, growth(rule), [Budget(key="params", limit=50_000)], counted)
    assert str(caught.value) == (
        f"lenet5 by {rule}: each further convolution of stage 1 would take 4 px off the map "
        "(kernel 5, padding 0), so that deeper members are not larger; give the stage more "
        "padding, or take --rule width or --rule resolution"
    )
    assert largest(lenet, growth("width"), [Budget(key="params", limit=50_000)], counted)


def test_the_smallest_that_can_be_built_is_found_between_the_octaves() -> None:
    """Kernels of 15 and 5 without padding need 19 px: 24 and 20 can be built, 16 cannot."""
    stages = [{"block": "conv", "depth": 1, "width": 8, "kernel": kernel, "padding": 0}
              for kernel in (15, 5)]  # fmt: skip
    arch = from_dict({"name": "n", "image": [3, 64, 64], "classes": 2, "stages": stages})
    by = growth("resolution")
    assert member(arch, by, -3).arch.image == (3, 24, 24)
    with pytest.raises(ArchError):
        member(arch, by, -4)
    limit = counted(adapt(arch, image=(20, 20)))["macs"]
    found = largest(arch, by, [Budget(key="macs", limit=limit)], counted)
    assert found.best.arch.image == (3, 20, 20)
    with pytest.raises(InputError, match="no member of n by resolution has at most"):
        largest(arch, by, [Budget(key="macs", limit=limit - 1)], counted)


def test_where_a_family_ends_is_said() -> None:
    huge = from_dict({"name": "n", "image": [3, 8, 8], "classes": 2, "stages": [
        {"block": "conv", "depth": 1, "width": 40_000}]})  # fmt: skip
    found = largest(huge, growth("width"), [Budget(key="params", limit=1e15)], counted)
    assert found.next is None
    assert found.best.arch.stages[0].width == 65536
    assert found.ends is not None
    assert "65536" in found.ends
