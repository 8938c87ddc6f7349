"""Phases and rates of fine-tuning: by hand, to the bit, and the same after any interruption."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from striate.building import build
from striate.data import Dataset
from striate.errors import Interrupted, RecipeError
from striate.records import EpochRecord, StepRecord
from striate.runs import RunFolder, state_of
from striate.training import Phases, Recipe, first_steps, layers_of, lr_at, scales, train
from striate.training.optimiser import make_optimiser, set_lr

Begun = Callable[..., tuple[Recipe, RunFolder]]

TUNED = {
    "finetune.head_first": 0.2,  # of 15 steps: 3
    "finetune.frozen_stem": 0.6,  # 9, inside the second epoch
    "finetune.rate": 0.1,
    "finetune.layer_decay": 0.5,
}
"""Of a network with a stem, one block and a head, in three epochs of five steps."""


def tuned(**changes: Any) -> Recipe:
    usual = {"lr": 0.8, "warmup": 0.2, "schedule": "linear", "epochs": 3}
    return Recipe().with_({**usual, **TUNED, **changes}).with_({"steps": 10})


def three_layers() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Conv2d(2, 2, 3), nn.Flatten(), nn.Linear(32, 3)
    )


def test_rates_by_hand() -> None:
    # Layers: conv, norm, conv, linear.  Ten steps; the last layer is alone for two, the stem waits
    # for six.  The rate rises for two steps from where a layer begins; its fall is that of all:
    # 0.8 until step 3, then an eighth of it less with each step.
    phases = Phases(three_layers(), tuned())
    fall = [1, 1, 1, 7 / 8, 6 / 8, 5 / 8, 4 / 8, 3 / 8, 2 / 8, 1 / 8]
    head = [0.5, *fall[1:]]
    body = [0, 0, 0.5, *fall[3:]]
    stem = [0, 0, 0, 0, 0, 0, 0.5 * fall[6], *fall[7:]]
    for step in range(1, 11):
        at = step - 1
        assert phases.rates(step) == pytest.approx(
            (0.8 * 0.025 * stem[at], 0.8 * 0.05 * body[at], 0.8 * 0.1 * body[at], 0.8 * head[at])
        ), step
    assert [sorted(phases.frozen(step)) for step in (1, 2, 3, 6, 7, 10)] == [
        [0, 1, 2], [0, 1, 2], [0], [0], [], [],
    ]  # fmt: skip


def test_groups_of_the_optimiser_have_their_layers_rates() -> None:
    module = three_layers()
    recipe = tuned(weight_decay=0.25)
    optimiser = make_optimiser(module, recipe)
    phases = Phases(module, recipe)
    set_lr(optimiser, lr_at(recipe, 8, 10), phases.rates(8))
    names = {id(parameter): name for name, parameter in module.named_parameters()}
    found = {
        names[id(parameter)]: (group["lr"], group["weight_decay"])
        for group in optimiser.param_groups
        for parameter in group["params"]
    }
    top = 0.8 * 3 / 8
    assert found == {
        "0.weight": (pytest.approx(0.025 * top), 0.25),
        "0.bias": (pytest.approx(0.025 * top), 0.0),
        "1.weight": (pytest.approx(0.05 * top), 0.0),
        "1.bias": (pytest.approx(0.05 * top), 0.0),
        "2.weight": (pytest.approx(0.1 * top), 0.25),
        "2.bias": (pytest.approx(0.1 * top), 0.0),
        "4.weight": (pytest.approx(top), 0.25),
        "4.bias": (pytest.approx(top), 0.0),
    }


@pytest.mark.parametrize("schedule", ["cosine", "linear"])
def test_a_late_start_has_its_own_rise_and_the_common_fall(schedule: str) -> None:
    recipe = Recipe().with_({"lr": 0.8, "warmup": 0.2, "schedule": schedule})
    early = [lr_at(recipe, step, 20) for step in range(1, 21)]
    late = [lr_at(recipe, step, 20, start=8) for step in range(1, 21)]
    assert late[:8] == [0.0] * 8
    assert late[8:12] == pytest.approx([early[8 + k] * (k + 1) / 4 for k in range(4)])
    assert late[12:] == early[12:]
    overlapping = [lr_at(recipe, step, 20, start=2) for step in range(1, 21)]
    assert overlapping[:4] == pytest.approx([0, 0, 0.2, 0.4])  # while the others still rise
    assert overlapping[6:] == early[6:]
    assert all(a > b for a, b in pairwise(late[12:]))


def test_without_a_warm_up_a_layer_begins_at_its_full_rate() -> None:
    recipe = Recipe().with_({"lr": 0.8, "warmup": 0.0, "schedule": "linear"})
    assert [lr_at(recipe, step, 4, start=2) for step in range(1, 5)] == pytest.approx(
        [0.0, 0.0, 0.4, 0.2]
    )


def test_nothing_to_wait_for_and_one_rate_are_training_as_it_was(
    digits: Dataset, net: nn.Module, begun: Begun
) -> None:
    plain, folder = begun()
    for _ in train(net, digits, plain, folder):
        pass
    neutral, other = begun(**{"finetune.rate": 1.0})
    again = build(net.arch, seed=0)
    for _ in train(again, digits, neutral, other):
        pass
    assert neutral.finetune is not None
    assert same(state_of(net), state_of(again)) == set(state_of(net))


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> set[str]:
    return {name for name in one if torch.equal(one[name], other[name])}


def copied(module: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in state_of(module).items()}


def test_what_waits_stays_the_same_to_the_bit(
    digits: Dataset, net: nn.Module, begun: Begun
) -> None:
    """Weights, and the statistics and counters of norms too; then everything moves."""
    recipe, folder = begun(**TUNED, weight_decay=0.1)
    first = first_steps(recipe.finetune, layers_of(net), 15)
    assert first == (9, 3, 0)
    before = copied(net)
    floats = {name for name in before if not name.endswith("num_batches_tracked")}
    head = {"head.linear.weight", "head.linear.bias"}
    stem = {name for name in before if name.startswith("stem")}
    unchanged: dict[int, set[str]] = {}
    counted: dict[int, int] = {}
    for event in train(net, digits, recipe, folder):
        if isinstance(event, StepRecord):
            unchanged[event.step] = same(before, state_of(net))
            counted[event.step] = int(state_of(net)["stem.norm.num_batches_tracked"])
    for step in (1, 2, 3):
        assert unchanged[step] == set(before) - head, step
    for step in (4, 6, 9):
        assert unchanged[step] == stem, step
    assert not unchanged[10] & (floats - stem)
    assert not unchanged[15] & floats
    assert [counted[step] for step in (9, 10, 15)] == [0, 1, 6]
    assert all(parameter.requires_grad for parameter in net.parameters())


def test_a_stem_that_is_never_trained_is_kept_as_it_was(
    digits: Dataset, net: nn.Module, begun: Begun
) -> None:
    recipe, folder = begun(**{**TUNED, "finetune.frozen_stem": 1.0})
    before = copied(net)
    for _ in train(net, digits, recipe, folder):
        pass
    # The average of weights that never move is those weights, to the bit.
    assert same(before, state_of(net)) == {name for name in before if name.startswith("stem")}


def test_a_linear_probe_trains_the_last_layer_alone(
    digits: Dataset, net: nn.Module, begun: Begun
) -> None:
    recipe, folder = begun(**{"finetune.head_first": 1.0})
    before = copied(net)
    for _ in train(net, digits, recipe, folder):
        pass
    changed = set(before) - same(before, state_of(net))
    assert changed == {"head.linear.weight", "head.linear.bias"}


def test_what_the_user_froze_stays_frozen(digits: Dataset, net: nn.Module, begun: Begun) -> None:
    recipe, folder = begun(**TUNED)
    net.stages[0].blocks[0].conv1.weight.requires_grad_(False)
    before = copied(net)
    for _ in train(net, digits, recipe, folder):
        pass
    assert "stages.0.blocks.0.conv1.weight" in same(before, state_of(net))
    assert not net.stages[0].blocks[0].conv1.weight.requires_grad


def test_a_last_layer_that_cannot_be_trained(net: nn.Module) -> None:
    net.head.linear.requires_grad_(False)
    with pytest.raises(RecipeError, match=r"head\.linear is the last layer, and nothing in it is"):
        Phases(net, tuned())


@pytest.mark.parametrize("at", [2, 3, 5, 9, 12])
@pytest.mark.parametrize("optimiser", ["sgd", "adamw"])
def test_stopped_in_any_phase_it_goes_on_to_the_same_bits(
    digits: Dataset, net: nn.Module, begun: Begun, at: int, optimiser: str
) -> None:
    recipe, folder = begun(**asked(optimiser))
    first, module, alone = (build(net.arch, seed=0) for _ in range(3))
    stopped = False
    try:
        for event in train(first, digits, recipe, folder):
            if isinstance(event, StepRecord) and event.step == at:
                os.kill(os.getpid(), signal.SIGTERM)
            if isinstance(event, EpochRecord) and event.step == at:
                stopped = True
                break
    except Interrupted:
        stopped = True
    assert stopped
    steps = [
        event.step
        for event in train(module, digits, recipe, folder, resume=True)
        if isinstance(event, StepRecord)
    ]
    assert steps[-1] == 15
    assert steps[0] in (at + 1, at + 2)  # the signal lets one more step end
    recipe, folder = begun(**asked(optimiser))
    for _ in train(alone, digits, recipe, folder):
        pass
    assert same(state_of(alone), state_of(module)) == set(state_of(alone))


def asked(optimiser: str) -> dict[str, Any]:
    lr = 0.05 if optimiser == "sgd" else 0.002
    return {**TUNED, "optimiser": optimiser, "lr": lr, "clip": 1.0}


def test_scales_by_hand() -> None:
    layers = layers_of(nn.Sequential(*(nn.Linear(2, 2) for _ in range(4))))
    recipe = Recipe().with_({"finetune.rate": 0.5, "finetune.layer_decay": 0.1})
    assert recipe.finetune is not None
    assert scales(recipe.finetune, layers) == pytest.approx((0.005, 0.05, 0.5, 1.0))
    alone = layers_of(nn.Linear(2, 2))
    assert scales(recipe.finetune, alone) == (1.0,)
    assert first_steps(recipe.finetune, alone, 10) == (0,)
