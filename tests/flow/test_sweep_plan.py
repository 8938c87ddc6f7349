"""The designs of a sweep before anything is trained: placed, priced, checked, each once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import striate
from striate.arch import adapt, from_dict, from_toml, to_toml, zoo
from striate.errors import InputError, RecipeError, StriateError
from striate.flow.events import FitOptions
from striate.flow.sweep_options import SweepOptions, amount, parse_amounts, parse_seeds
from striate.flow.sweep_plan import Plan, plan_sweep

TRAINING = FitOptions(epochs=2, setting="fp32")


def plan(*axes: str, data: str = "digits", **more: Any) -> Plan:
    given = {"arch": ("resnet20",), "axes": axes, "seeds": (0, 1), "training": TRAINING}
    return plan_sweep(data, SweepOptions(**{**given, **more}))


def test_a_grid_is_every_combination_and_costs_are_traced() -> None:
    made = plan("depth=8,14", "width=4,8")
    assert [point.name for point in made.points] == [
        "resnet20-depth8-width4",
        "resnet20-depth8-width8",
        "resnet20-depth14-width4",
        "resnet20-depth14-width8",
    ]
    for point, design in zip(made.points, made.designs, strict=True):
        arch = from_toml(point.toml)
        assert arch == design.arch
        totals = striate.trace(striate.build(arch), arch.image).totals
        assert (point.params, point.macs) == (totals.params, totals.macs)
        assert point.activations == totals.activations
    assert made.points[1].axes == {"depth": 8, "width": 8}


def test_tasks_are_cheap_first_seed_after_seed_and_have_keys_of_their_own() -> None:
    made = plan("depth=14,8")
    order = [(made.designs[task.design].point.axes["depth"], task.seed) for task in made.tasks]
    assert order == [(8, 0), (14, 0), (8, 1), (14, 1)]
    assert len({task.key for task in made.tasks}) == 4
    assert [t.key for t in plan("depth=14,8").tasks] == [t.key for t in made.tasks]


@pytest.mark.parametrize(
    "more",
    [
        {"training": FitOptions(epochs=3, setting="fp32")},
        {"training": FitOptions(epochs=2, setting="fp32", lr=0.01)},
        {"seeds": (5, 6)},
        {"share": 0.5},
    ],
)
def test_another_recipe_seed_or_data_is_another_training(more: dict[str, Any]) -> None:
    keys = {task.key for task in plan("depth=8").tasks}
    assert keys.isdisjoint(task.key for task in plan("depth=8", **more).tasks)


def test_a_machines_settings_are_not() -> None:
    keys = [task.key for task in plan("depth=8").tasks]
    other = FitOptions(epochs=2, setting="bf16", threads=3, workers=2)
    assert keys == [task.key for task in plan("depth=8", training=other).tasks]


def test_what_grows_to_a_budget_meets_it_and_says_by_which_rule() -> None:
    made = plan(macs=(1e6, 2e6), vary=("depth", "width"))
    assert [point.name for point in made.points] == [
        "resnet20-depth-1M", "resnet20-width-1M", "resnet20-depth-2M", "resnet20-width-2M",
    ]  # fmt: skip
    for point in made.points:
        assert 0.5 * point.axes["macs"] < point.macs <= point.axes["macs"]
    base = adapt(zoo("resnet20"), image=(1, 8, 8), classes=10)
    deep, wide = (design.arch for design in made.designs[:2])
    assert [stage.width for stage in deep.stages] == [stage.width for stage in base.stages]
    assert [stage.depth for stage in wide.stages] == [stage.depth for stage in base.stages]


def test_axes_and_a_budget_together_walk_along_equal_cost() -> None:
    made = plan("depth=8,14", macs=(1e6,), vary=("width",))
    widths = [design.arch.stages[0].width for design in made.designs]
    assert widths[0] > widths[1]
    assert all(0.8e6 < point.macs <= 1e6 for point in made.points)


def test_the_same_network_under_two_names_is_trained_once() -> None:
    made = plan("width=16,x1")
    assert len(made.points) == 1
    assert made.points[0].also == ("resnet20-widthx1",)
    assert len(made.tasks) == 2


def test_several_families_have_axes_of_their_own() -> None:
    made = plan(
        "resnet20:depth=8",
        "deit_tiny_patch16-small:depth=2,4",
        arch=("resnet20", "deit_tiny_patch16-small"),
        training=FitOptions(epochs=1, setting="fp32", image="32x32"),
    )
    assert [point.name for point in made.points] == [
        "resnet20-depth8",
        "deit_tiny_patch16-small-depth2",
        "deit_tiny_patch16-small-depth4",
    ]
    assert {design.recipe.optimiser for design in made.designs} == {"sgd", "adamw"}
    assert not any(design.recipe.recover for design in made.designs), "rates stay comparable"


def test_an_image_axis_opens_the_data_at_each_size() -> None:
    made = plan("image=8,12")
    assert [point.image for point in made.points] == [(1, 8, 8), (1, 12, 12)]
    assert made.points[1].macs > 2 * made.points[0].macs


def test_what_the_linter_refuses_is_never_trained(tmp_path: Path) -> None:
    """A norm over one value alone raises in training (SH100, an error)."""
    row = {"block": "conv", "depth": 1, "width": 2, "kernel": 8, "stride": 8, "padding": 0}
    arch = from_dict(
        {"name": "n", "image": [1, 8, 8], "classes": 10, "norm": "layer", "stages": [row]}
    )
    path = tmp_path / "n.toml"
    path.write_text(to_toml(arch))
    made = plan("width=1,2", arch=(str(path),))
    refused = {point.name: point.refused for point in made.points if point.refused is not None}
    assert list(refused) == ["n-width1"]
    assert refused["n-width1"] is not None
    assert refused["n-width1"].startswith("SH100 forward-fails: ")
    assert {made.designs[task.design].point.name for task in made.tasks} == {"n-width2"}


def test_what_cannot_be_built_is_said_and_the_others_are_trained() -> None:
    made = plan("image=8,64", arch=("alexnet",))
    assert made.points[0].refused is not None
    assert "use an image of at least 63x63" in made.points[0].refused
    assert [design.point.name for design in made.designs] == ["alexnet-image64"]


@pytest.mark.parametrize(
    ("axes", "more", "said"),
    [
        ((), {}, "nothing is varied; give an axis"),
        (("depht=8",), {}, "--axis depht: no such axis; did you mean depth?"),
        (("depth=9",), {}, "the nearest are 8 or 14"),
        (("heads=2",), {}, "resnet20 has no such axis"),
        (("depth=8", "depth=14"), {}, "--axis depth: is given twice"),
        (("vit:depth=8",), {}, "no base is called vit"),
        (("depth=8",), {"vary": ("width",)}, "--vary width: grows designs to a budget"),
        ((), {"macs": (1e6,), "vary": ("wide",)}, "--vary wide: no such rule"),
        ((), {"macs": (1e6,), "params": (1e6,)}, "leave one out"),
        ((), {"macs": (10.0,), "vary": ("depth", "width")}, "at most 10 MACs"),
        (("depth=8",), {"workers": 0}, "--workers 0: give at least 1"),
        (("depth=8",), {"lease": 1}, "--lease 1: give at least 4"),
        (("depth=8",), {"arch": ("resnet200",)}, "resnet200: no such network"),
        (("depth=8",), {"data": "nowhere"}, "'nowhere' is neither built in"),
        (("depth=8",), {"name": "a/b"}, "--name a/b: use letters"),
        (("depth=8",), {"arch": ("resnet20", "resnet20")}, "one base is given twice"),
    ],
)
def test_wrong_input_is_one_line(axes: tuple[str, ...], more: dict[str, Any], said: str) -> None:
    with pytest.raises(StriateError) as caught:
        plan(*axes, **more)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_minutes_are_refused() -> None:
    with pytest.raises(RecipeError, match="compared after equal epochs"):
        plan("depth=8", training=FitOptions(minutes=1.0))


def test_lists_are_read() -> None:
    assert parse_seeds("0:2") == parse_seeds("0,1,2") == (0, 1, 2)
    assert parse_amounts("20M, 1.5G", "--macs") == (2e7, 1.5e9)
    assert [amount(value) for value in (2e7, 1.5e9)] == ["20M", "1.5G"]


@pytest.mark.parametrize("text", ["", "a", "2:1", "1,1", "0:99", "-1", "99999999999"])
def test_wrong_seeds(text: str) -> None:
    with pytest.raises(InputError, match="--seeds"):
        parse_seeds(text)


@pytest.mark.parametrize("text", ["", "0", "40X", "1M,1M", "-3M"])
def test_wrong_amounts(text: str) -> None:
    with pytest.raises(InputError, match="--macs"):
        parse_amounts(text, "--macs")
