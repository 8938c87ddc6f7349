"""Parameters that several layers use, and those that training leaves as they are."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from striate.records import Layer, Trace
from striate.tracing import trace


class Tied(nn.Module):
    """One norm called twice, a head that is the stem's weight, and attention across."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 1, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.cross = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.stem(x))
        x = self.norm(F.relu(x)).flatten(2).transpose(1, 2)
        x = self.cross(x, x[:, :4], x[:, :4])[0]
        return F.linear(x, self.stem.weight.flatten(1).t())


def shared(found: Trace) -> list[Layer]:
    return [layer for layer in found if layer.shares]


def test_a_layer_names_what_it_shares_and_does_not_count_it_again() -> None:
    net = Tied()
    found = trace(net, (3, 8, 8))
    assert found.complete, found.failure
    again, head = shared(found)
    assert (again.op, again.shares, again.params) == ("batch_norm", ("norm.bias", "norm.weight"), 0)
    assert (head.op, head.shares, head.params) == ("linear", ("stem.weight",), 0)
    assert sum(layer.params for layer in found) == sum(p.numel() for p in net.parameters())


def test_parts_of_one_parameter_are_not_shared() -> None:
    """Attention across two inputs takes its projection apart: a third for the queries."""
    found = trace(Tied(), (3, 8, 8))
    assert not [layer for layer in shared(found) if layer.path.startswith("cross")]


def test_a_module_held_under_two_names_is_called_by_the_first() -> None:
    body = nn.Conv2d(4, 4, 3, padding=1)
    net = nn.Sequential(nn.Conv2d(3, 4, 1), body, nn.ReLU(), body)
    found = trace(net, (3, 8, 8))
    assert [layer.shares for layer in shared(found)] == [("1.bias", "1.weight")]
    assert found.as_json()["layers"][-1]["shares"] == ["1.bias", "1.weight"]


def test_frozen_parameters_are_named() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Conv2d(4, 4, 1, bias=False))
    net[1].requires_grad_(False)
    found = trace(net, (3, 8, 8))
    assert found.frozen == ("1.weight", "1.bias")
    assert found.as_json()["frozen"] == ["1.weight", "1.bias"]
    assert trace(nn.Conv2d(3, 4, 1), (3, 8, 8)).frozen == ()


def test_the_table_marks_what_is_shared() -> None:
    body = nn.Conv2d(4, 4, 3, padding=1)
    found = trace(nn.Sequential(nn.Conv2d(3, 4, 1), body, nn.ReLU(), body), (3, 8, 8))
    rows = found.table(columns=["path", "params", "shares"]).splitlines()
    assert [row.split() for row in rows[1:]] == [
        ["image"], ["0", "16"], ["1", "148"], ["1", "shared", "1.bias", "1.weight"],
    ]  # fmt: skip
