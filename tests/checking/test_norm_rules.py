"""NA501 to NA517 beyond their examples: what each must see, and what it must leave alone."""

from __future__ import annotations

from collections.abc import Callable
from math import e, exp, log
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from striate.checking import Given, check
from striate.records import Edit
from striate.tracing import trace

Draw = Callable[..., Any]


def said(net: nn.Module, image: tuple[int, int, int] = (3, 8, 8), **given: Any) -> dict[str, str]:
    """The path of each code found, over the group NA."""
    findings = check(trace(net, image), select=("NA",), given=Given(**given))
    return {finding.code: finding.path for finding in findings}


def classifier(*tail: nn.Module, classes: int = 10) -> nn.Sequential:
    body = [nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*body, nn.Linear(16, classes), *tail)


@pytest.mark.parametrize(
    ("tail", "code", "path"),
    [
        ([nn.Softmax(1)], "NA505", "5"),
        ([nn.Sigmoid()], "NA505", "5"),
        ([nn.LogSoftmax(1)], "NA514", "5"),
        ([nn.ReLU()], "NA506", "5"),
        ([nn.Tanh()], "NA506", "5"),
        ([nn.BatchNorm1d(10), nn.LeakyReLU()], "NA506", "6"),
        ([nn.Dropout(0.2)], "NA509", "5"),
        ([nn.LayerNorm(10)], "NA510", "5"),
        ([nn.Softmax(0)], "NA516", "5"),
    ],
)
def test_what_does_not_belong_on_class_scores(tail: list[nn.Module], code: str, path: str) -> None:
    assert said(classifier(*tail)) == {code: path}


def test_a_relu_before_the_probabilities_is_on_the_logits_too() -> None:
    assert said(classifier(nn.ReLU(), nn.LogSoftmax(1))) == {"NA506": "5", "NA514": "6"}


@pytest.mark.parametrize("tail", [[nn.Dropout(0.0)], [nn.Softplus()], [nn.Identity()]])
def test_what_may_stand_behind_scores(tail: list[nn.Module]) -> None:
    assert said(classifier(*tail)) == {}


def test_squeezenet_may_average_its_scores_behind_a_relu() -> None:
    net = nn.Sequential(
        nn.Conv2d(3, 16, 3), nn.ReLU(), nn.Conv2d(16, 10, 1), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(),
    )  # fmt: skip
    assert said(net) == {}


@pytest.mark.parametrize("end", [nn.Sigmoid(), nn.Tanh()])
def test_a_picture_may_be_kept_in_its_range(end: nn.Module) -> None:
    assert said(nn.Sequential(nn.Conv2d(3, 16, 3), nn.ReLU(), nn.Conv2d(16, 3, 3), end)) == {}


def test_na505_names_the_least_loss_that_a_softmax_leaves() -> None:
    (finding,) = check(trace(classifier(nn.Softmax(1)), (3, 8, 8)), select=("NA505",))
    sure = torch.zeros(1, 10)
    sure[0, 4] = 1.0
    least = float(cross_entropy(sure, torch.tensor([4])))
    assert finding.measured["least_loss"] == pytest.approx(least, abs=1e-4)
    assert finding.measured["least_loss"] == pytest.approx(log(1 + 9 / e), abs=1e-4)
    assert finding.edits == (Edit(path="5", argument=None),)
    assert not finding.safe


def test_na510_and_na506_say_true_bounds() -> None:
    """A layer norm leaves no class above 76 % of ten; a tanh none above 1 / (1 + 9 / e²)."""
    scores = torch.zeros(1, 10)
    scores[0, 0] = 1e6
    normed = torch.softmax(nn.LayerNorm(10)(scores), dim=1).max()
    assert 0.755 < float(normed.detach()) < 0.76
    bent = torch.softmax(torch.tanh(torch.cat([scores[:, :1], -1e6 * torch.ones(1, 9)], 1)), 1)
    assert float(bent.max()) == pytest.approx(1 / (1 + 9 * exp(-2)), abs=1e-6)


def test_na502_knows_the_batch() -> None:
    perceptron = nn.Sequential(
        nn.Flatten(), nn.Linear(192, 32, bias=False), nn.BatchNorm1d(32), nn.ReLU(),
        nn.Linear(32, 10),
    )  # fmt: skip
    assert said(perceptron) == said(perceptron, batch=64) == {}
    assert said(perceptron, batch=1) == {"NA502": "2"}
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        perceptron.train()(torch.zeros(1, 3, 8, 8))


def test_na503_proposes_groups_that_divide() -> None:
    net = nn.Sequential(
        nn.Conv2d(3, 48, 3, bias=False), nn.GroupNorm(48, 48), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(48, 10),
    )  # fmt: skip
    (finding,) = check(trace(net, (3, 8, 8)), select=("NA",))
    assert finding.edits == (Edit(path="1", argument="num_groups", value=3),)


@pytest.mark.parametrize("groups", [1, 3, 24])
def test_na503_leaves_groups_of_several_channels(groups: int) -> None:
    net = nn.Sequential(
        nn.Conv2d(3, 48, 3, bias=False), nn.GroupNorm(groups, 48), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(48, 10),
    )  # fmt: skip
    assert said(net) == {}


@pytest.mark.parametrize(
    "norm", [nn.InstanceNorm2d(16), nn.GroupNorm(16, 16), nn.InstanceNorm2d(16, affine=True)]
)
def test_na511_what_it_says_is_constant_is(norm: nn.Module) -> None:
    net = nn.Sequential(
        nn.Conv2d(3, 16, 3), norm, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10)
    )
    assert said(net) == {"NA511": "1"}
    torch.manual_seed(0)
    answers = net(torch.randn(8, 3, 8, 8))
    assert float(answers.std(dim=0).max().detach()) < 1e-5


def test_na511_an_activation_saves_something_of_the_image() -> None:
    net = nn.Sequential(
        nn.Conv2d(3, 16, 3), nn.InstanceNorm2d(16), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10),
    )  # fmt: skip
    assert said(net) == {}
    torch.manual_seed(0)
    assert float(net(torch.randn(8, 3, 8, 8)).std(dim=0).max().detach()) > 1e-3


@pytest.mark.parametrize(
    ("first", "second", "safe"),
    [
        (nn.ReLU(), nn.ReLU(), True),
        (nn.Sigmoid(), nn.ReLU(), True),
        (nn.ReLU(), nn.Tanh(), False),
        (nn.GELU(), nn.ReLU(), False),
    ],
)
def test_na513_is_safe_where_the_second_changes_nothing(
    first: nn.Module, second: nn.Module, *, safe: bool
) -> None:
    net = nn.Sequential(
        nn.Conv2d(3, 16, 3), first, second, nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(16, 10),
    )  # fmt: skip
    (finding,) = check(trace(net, (3, 8, 8)), select=("NA",))
    assert (finding.code, finding.path, finding.safe) == ("NA513", "2", safe)
    x = torch.linspace(-4, 4, 101)
    assert torch.equal(second(first(x)), first(x)) is safe


def test_na512_a_second_batch_norm_changes_nothing_in_training() -> None:
    torch.manual_seed(0)
    x = torch.randn(16, 4, 5, 5) * 3 + 2
    once, twice = nn.BatchNorm2d(4), nn.Sequential(nn.BatchNorm2d(4), nn.BatchNorm2d(4))
    assert torch.allclose(once(x), twice(x), atol=1e-4)
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3, bias=False), *twice, nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 10),
    )  # fmt: skip
    (finding,) = check(trace(net, (3, 8, 8)), select=("NA",))
    assert (finding.code, finding.path, finding.safe) == ("NA512", "2", True)


class Gated(nn.Module):
    """Every activation is a gate: a product of a map and its sigmoid."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, 16, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(16)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.norm(self.conv(x))
        return x * x.sigmoid()


def test_na507_gates_are_not_activations() -> None:
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10)]
    assert said(nn.Sequential(Gated(3), *[Gated(16) for _ in range(8)], *head)) == {}


@pytest.mark.parametrize(("depth", "fires"), [(4, False), (5, True)])
def test_na507_counts_sigmoids(draw: Draw, depth: int, *, fires: bool) -> None:
    d = draw(3, 8, 8)
    x = d.start
    for _ in range(depth):
        x = d.op("sigmoid", d.norm(d.conv(x, 16)))
    d.head(x)
    codes = [finding.code for finding in check(d.trace(), select=("NA507",))]
    assert codes == ["NA507"] * fires


def test_na507_a_skip_carries_the_gradient_past(draw: Draw) -> None:
    d = draw(3, 8, 8)
    x = d.conv(d.start, 16)
    for _ in range(10):
        x = d.add(x, d.conv(d.op("sigmoid", d.conv(x, 16)), 16))
    d.head(x)
    assert check(d.trace(), select=("NA507",)) == []


def test_na508_names_the_variance() -> None:
    net = nn.Sequential(
        nn.Conv2d(3, 16, 3), nn.ReLU(), nn.Dropout2d(0.2), nn.Conv2d(16, 16, 3, bias=False),
        nn.BatchNorm2d(16), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10),
    )  # fmt: skip
    (finding,) = check(trace(net, (3, 8, 8)), select=("NA",))
    assert (finding.code, finding.path, finding.severity) == ("NA508", "2", "info")
    torch.manual_seed(0)
    x = torch.randn(200_000)
    ratio = float(nn.functional.dropout(x, 0.2).var() / x.var())
    assert ratio == pytest.approx(1.25, abs=0.02)
    assert "up to 1.2 times" in finding.message


def test_na515_needs_siblings(draw: Draw) -> None:
    def network(with_activation: int) -> list[str]:
        d = draw(3, 8, 8)
        x = d.relu(d.conv(d.start, 16))
        for number in range(with_activation + 1):
            deep = d.norm(d.conv(x, 16, groups=16))
            x = d.relu(d.conv(deep if number == 1 else d.relu(deep), 16, 1))
        d.head(x)
        return [finding.code for finding in check(d.trace(), select=("NA",))]

    assert network(3) == []
    assert network(4) == ["NA515"]


def test_na517_attention_is_multiplied() -> None:
    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.scores = nn.Conv2d(3, 16, 3), nn.Conv2d(16, 16, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.conv(x).relu()
            return x * self.scores(x).softmax(dim=1)

    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10)]
    assert said(nn.Sequential(Attention(), *head)) == {}
