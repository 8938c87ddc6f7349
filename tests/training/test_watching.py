"""What is seen of the layers while they are trained, against what was worked out by hand."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import striate.training.loop as loop
from striate.data import Dataset
from striate.records import StepRecord
from striate.runs import RunFolder, read_metrics, read_watched
from striate.training import Recipe, train
from striate.training.watching import NoWatch, Watch

Begun = Callable[..., tuple[Recipe, RunFolder]]


class Small(nn.Module):
    """Of six channels after the first convolution, two are dead and one is stuck for tanh."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 6, 3)
        self.relu = nn.ReLU(inplace=True)
        self.mix = nn.Conv2d(6, 4, 1)
        self.tanh = nn.Tanh()
        self.linear = nn.Linear(4, 3)
        with torch.no_grad():
            self.conv.bias[:2] = -100.0
            self.mix.bias[0] = 50.0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.tanh(self.mix(self.relu(self.conv(x))))
        return self.linear(x.mean(dim=(2, 3)))


def test_the_numbers_of_one_step() -> None:
    torch.manual_seed(0)
    net, x, y = Small(), torch.randn(5, 1, 6, 6), torch.tensor([0, 1, 2, 0, 1])
    before = copy.deepcopy(net)
    watch = Watch(net, 1000)
    with watch.looking(1):
        F.cross_entropy(net(x), y).backward()
        with torch.no_grad():
            for parameter in net.parameters():
                parameter -= 0.1 * parameter.grad
    seen = watch.seen(1, 1)
    assert seen is not None
    assert [one.parameter for one in seen.weights] == ["conv.weight", "mix.weight", "linear.weight"]
    for one in seen.weights:
        old, new = before.get_parameter(one.parameter), net.get_parameter(one.parameter)
        gradient = (old - new).norm().item() / 0.1
        assert one.gradient == pytest.approx(gradient, rel=1e-4)
        assert one.weight == pytest.approx(old.norm().item(), rel=1e-5)
        assert one.update == pytest.approx(0.1 * gradient / old.norm().item(), rel=1e-4)
    assert [(one.path, one.op, one.channels, one.dead, one.saturated) for one in seen.units] == [
        ("relu", "relu", 6, 2, 0),
        ("tanh", "tanh", 4, 0, 1),
    ]
    assert not net.relu._forward_hooks
    assert watch.seen(1, 1) is None


@pytest.mark.parametrize(
    ("steps", "looked"),
    [(15, [1]), (100, [1, 20, 40, 60, 80, 100]), (5000, [1, *range(100, 1000, 100)])],
)
def test_which_steps_are_looked_at(steps: int, looked: list[int]) -> None:
    net = nn.Linear(2, 2)
    watch, found = Watch(net, steps), list[int]()
    for step in range(1, min(steps, 999) + 1):
        with watch.looking(step):
            net(torch.ones(1, 2)).sum().backward()
        if watch.seen(1, step) is not None:
            found.append(step)
    assert found == looked


def test_what_is_not_finite_is_told_as_none() -> None:
    net = nn.Linear(2, 2)
    watch = Watch(net, 100)
    with watch.looking(1):
        (net(torch.ones(1, 2)).sum() * float("inf")).backward()
    seen = watch.seen(1, 1)
    assert seen is not None
    assert seen.weights[0].gradient is None
    assert seen.weights[0].update == 0
    json.loads(json.dumps(seen.weights[0].gradient))


def test_the_bits_are_the_same_without_it(
    net: nn.Module, digits: Dataset, begun: Begun, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched, alone = copy.deepcopy(net), copy.deepcopy(net)
    recipe, folder = begun(epochs=8)
    records = list(train(watched, digits, recipe, folder))
    seen = list(read_watched(folder.paths.metrics))
    assert [(one.epoch, one.step) for one in seen] == [(1, 1), (4, 20), (8, 40)]
    relus = [name for name, part in net.named_modules() if isinstance(part, nn.ReLU)]
    assert {one.path for one in seen[0].units} == set(relus)
    assert list(read_metrics(folder.paths.metrics)) == records
    monkeypatch.setattr(loop, "Watch", lambda *_: NoWatch())
    recipe, folder = begun(epochs=8)
    others = list(train(alone, digits, recipe, folder))
    assert list(read_watched(folder.paths.metrics)) == []
    for one, two in zip(records, others, strict=True):
        if isinstance(one, StepRecord):
            assert (one.loss, one.accuracy) == (two.loss, two.accuracy)
    for name, tensor in watched.state_dict().items():
        assert torch.equal(tensor, alone.state_dict()[name]), name


def test_resumed_it_is_seen_once(net: nn.Module, digits: Dataset, begun: Begun) -> None:
    recipe, folder = begun(epochs=5)
    running = train(copy.deepcopy(net), digits, recipe, folder)
    for record in running:
        if isinstance(record, StepRecord) and record.step == 22:
            break
    running.close()
    list(train(net, digits, recipe, folder, resume=True))
    assert [one.step for one in read_watched(folder.paths.metrics)] == [1, 20]


def test_a_line_that_is_none_of_ours(net: Any, digits: Dataset, begun: Begun) -> None:
    from striate.errors import RunError

    recipe, folder = begun(epochs=1)
    list(train(net, digits, recipe, folder))
    text = folder.paths.metrics.read_text()
    folder.paths.metrics.write_text(text.replace('"weights": [', '"heights": [', 1))
    with pytest.raises(RunError, match=r"metrics\.jsonl, line 1: not a training record"):
        list(read_watched(folder.paths.metrics))
