"""A small net, counted by hand."""

from __future__ import annotations

import torch
from torch import nn

from striate.tracing import trace


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.fc = nn.Linear(8, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.norm(self.conv(x)))
        return self.fc(x.mean((2, 3)))


def test_every_operation_is_a_layer() -> None:
    found = trace(Small, (3, 32, 32))
    assert [layer.op for layer in found] == [
        "input", "conv2d", "batch_norm", "relu", "mean", "linear",
    ]  # fmt: skip
    assert [layer.path for layer in found] == ["", "conv", "norm", "", "", "fc"]
    assert [layer.params for layer in found] == [0, 3 * 8 * 9 + 8, 16, 0, 0, 90]
    assert found.totals.macs == 16 * 16 * 8 * 27 + 80
    conv = found.layers[1]
    assert conv.defined is not None
    assert conv.defined.endswith("test_basic.py:14")
    assert conv.source is not None
    assert conv.source.endswith("test_basic.py:19")
