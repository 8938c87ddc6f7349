"""What is measured of a network, against the same measured by hand; a run's folder as TARGET."""

from __future__ import annotations

import json
from collections.abc import Callable
from math import log
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from striate.checking import Given, check
from striate.errors import InputError
from striate.flow.check import inspect_target
from striate.flow.check_types import Asked
from striate.flow.events import FitOptions
from striate.flow.fit import fit
from striate.flow.health import measure
from striate.flow.run_health import examine
from striate.records import Health
from striate.runs import RunPaths, load_run, save_weights
from striate.tracing import trace

IMAGE = (3, 8, 8)
Quick = Callable[..., FitOptions]


class Small(nn.Module):
    """Functional activations, one module called twice, and sums written in two ways."""

    def __init__(self, how: str = "plain") -> None:
        super().__init__()
        self.how = how
        self.stem = nn.Conv2d(3, 16, 3, padding=1)
        self.a, self.b = nn.Conv2d(16, 16, 3, padding=1), nn.Conv2d(16, 16, 3, padding=1)
        self.act, self.norm = nn.ReLU(), nn.BatchNorm2d(16)
        self.head = nn.Linear(16, 5)

    def branch(self, x: Tensor) -> Tensor:
        return self.b(self.act(self.norm(self.a(x))))

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.stem(x))
        branch = self.branch(x)
        if self.how == "into the branch":
            branch += x
            x = branch
        else:
            x = x + branch
        return self.head(torch.tanh(self.act(x)).mean((2, 3)))


def images(number: int = 32) -> tuple[Tensor, Tensor]:
    drawn = torch.randn(number, *IMAGE, generator=torch.Generator().manual_seed(1))
    return drawn, torch.arange(number) % 5


def network(how: str = "plain") -> Small:
    torch.manual_seed(0)
    return Small(how).eval()


def measured(net: nn.Module, **more: object) -> Health:
    inputs, labels = images()
    return measure(net, trace(net, IMAGE), inputs, labels, classes=5, **more)  # pyright: ignore[reportArgumentType]  # start and first_loss


def test_units_are_counted_wherever_the_activation_is_called() -> None:
    net = network()
    with torch.no_grad():
        net.stem.bias[:5] = -50
        net.norm.bias[:7] = -50
    inputs, _ = images()
    stem = F.relu(net.stem(inputs))
    inner = net.act(net.norm(net.a(stem)))
    outer = net.act(stem + net.b(inner))
    dead = [int((one.detach().amax(dim=(0, 2, 3)) <= 0).sum()) for one in (stem, inner, outer)]
    found = [unit for unit in measured(net).units if unit.op == "relu"]
    assert [unit.path for unit in found] == ["", "act", "act"]
    assert [unit.dead for unit in found] == dead
    assert dead[:2] == [5, 7]
    assert all(unit.channels == 16 for unit in found)


def test_saturated_units_stand_at_an_end() -> None:
    net = network()
    with torch.no_grad():
        net.b.bias[:6] = 50  # tanh of 50 is 1
    (tanh,) = (unit for unit in measured(net).units if unit.op == "tanh")
    assert tanh.saturated == 6
    assert {unit.saturated for unit in measured(net).units if unit.op == "relu"} == {0}


@pytest.mark.parametrize("how", ["plain", "into the branch"])
def test_a_branch_is_measured_against_its_sum_and_left_out(how: str) -> None:
    net = network(how)
    with torch.no_grad():
        net.b.weight *= 0.01
        net.b.bias *= 0.01
    inputs, _ = images()
    with torch.no_grad():
        x = F.relu(net.stem(inputs))
        branch = net.branch(x)
        share = (branch.flatten(1).norm(dim=1) / (x + branch).flatten(1).norm(dim=1)).mean()
        whole = net(inputs)
        without = net.head(torch.tanh(net.act(x)).mean((2, 3)))
    (found,) = measured(net).branches
    assert found.path == "b"
    assert found.share == pytest.approx(float(share), rel=1e-4)
    moved = (without - whole).abs().mean() / whole.std(dim=0, unbiased=False).mean()
    assert found.shift == pytest.approx(float(moved), rel=1e-3)
    flipped = (without.argmax(1) != whole.argmax(1)).float().mean()
    assert found.flipped == pytest.approx(float(flipped))


def test_where_a_branch_began_is_measured_on_the_network_before_training() -> None:
    start = network()
    nn.init.zeros_(start.b.weight)
    nn.init.zeros_(start.b.bias)  # pyright: ignore[reportArgumentType]  # it has one
    assert [branch.began for branch in measured(network(), start=start).branches] == [0.0]
    assert [branch.began for branch in measured(network()).branches] == [None]


def test_a_strong_branch_is_not_left_out() -> None:
    net = network()
    with torch.no_grad():
        net.b.weight *= 10
    (found,) = measured(net).branches
    assert found.share > 0.5
    assert (found.flipped, found.shift) == (None, None)


def test_gradients_are_those_of_autograd() -> None:
    net = network()
    inputs, labels = images()
    F.cross_entropy(net(inputs), labels).backward()
    expected = {
        name: (float(value.grad.norm()), float(value.detach().norm()))
        for name, value in net.named_parameters()
        if value.dim() > 1 and value.grad is not None
    }
    net.zero_grad()
    health = measured(net)
    assert health.started == ()
    assert {one.parameter for one in health.ended} == set(expected)
    for one in health.ended:
        assert (one.gradient, one.weight) == pytest.approx(expected[one.parameter], rel=1e-4)


def test_logits_and_accuracies() -> None:
    net = network()
    inputs, labels = images()
    logits = net(inputs).detach()
    health = measured(net, first_loss=1.7)
    assert health.spread == pytest.approx(float(logits.std(0, unbiased=False).mean()), rel=1e-4)
    assert health.level == pytest.approx(float(logits.mean(0).std(unbiased=False)), rel=1e-4)
    assert sum(health.said) == health.images == 32
    assert health.accuracy == pytest.approx(float((logits.argmax(1) == labels).float().mean()))
    net.norm.train()
    with torch.no_grad():
        fresh = net(inputs)
    assert health.batch_accuracy == pytest.approx(float((fresh.argmax(1) == labels).float().mean()))
    assert health.first_loss == 1.7


def test_the_network_is_as_it_was() -> None:
    net = network().train()
    net.norm.eval()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    measured(net, start=network())
    assert net.training
    assert not net.norm.training
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert all(value.grad is None for value in net.parameters())
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in net.modules())


def test_what_is_not_finite_is_said_and_nothing_else() -> None:
    net = network()
    with torch.no_grad():
        net.a.weight[0, 0, 0, 0] = float("inf")
        net.stem.bias[:8] = -50
    health = measured(net)
    assert (health.spread, health.branches, health.ended) == (None, (), ())
    assert health.broken == ("act",)
    findings = check(trace(net, IMAGE), select=("AF",), given=Given(health=health))
    assert [(one.code, one.path) for one in findings] == [("AF708", "act")]


# Runs


@pytest.fixture
def run(quick: Quick) -> Path:
    fit("digits", quick())
    return Path("run")


def codes(run: Path) -> set[str]:
    found = inspect_target(str(run), Asked(select=("AF",)))
    return {finding.code for finding in found.findings}


def changed(run: Path, change: Callable[[nn.Module], None]) -> None:
    """Other weights in a run's folder."""
    module = load_run(run).module
    with torch.no_grad():
        change(module)
    save_weights(RunPaths(run).weights, module)


def test_a_run_is_examined_on_its_own_images(run: Path) -> None:
    found = examine(run, None, Given(batch=7))
    health = found.given.health
    assert health is not None
    lines = map(json.loads, RunPaths(run).metrics.read_text().splitlines())
    first = next(line for line in lines if line["kind"] == "step")
    assert health.first_loss == first["loss"]
    assert abs(health.first_loss - log(10)) < 1
    assert found.trace.image == (1, 8, 8)
    assert (health.classes, health.images) == (10, sum(health.said))
    watched = [
        line
        for line in map(json.loads, RunPaths(run).metrics.read_text().splitlines())
        if line["kind"] == "health"
    ]
    assert (
        [(one.epoch, one.step) for one in health.watched]
        == [(line["epoch"], line["step"]) for line in watched]
        == [(1, 1), (1, 20)]
    )
    assert health.started
    assert {one.parameter for one in health.started} == {one.parameter for one in health.ended}
    assert (found.given.batch, found.given.optimiser) == (7, "momentum")
    assert examine(run, "8x8", Given()).given.batch == 64


def test_another_image_than_the_runs_is_refused(run: Path) -> None:
    with pytest.raises(InputError) as raised:
        examine(run, "3x64x64", Given())
    assert str(raised.value) == (
        "--image 3x64x64: run is a run, which is checked at the size it was trained on, 1x8x8; "
        "leave --image out"
    )


def test_a_run_that_answers_nothing(run: Path) -> None:
    def flatten(module: nn.Module) -> None:
        for name, value in module.named_parameters():
            if "head" in name and value.dim() == 2:
                value *= 1e-6

    changed(run, flatten)
    assert codes(run) == {"AF706"}


def test_a_run_that_is_broken(run: Path) -> None:
    changed(run, lambda module: next(module.parameters()).fill_(float("nan")))
    assert codes(run) == {"AF708"}
