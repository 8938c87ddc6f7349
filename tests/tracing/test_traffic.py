"""Bytes read and written, summed by hand, and arithmetic intensity."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from striate.tracing import trace


def test_every_tensor_of_an_operation_counts_once() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.Flatten())
    found = trace(net, (3, 8, 8), batch=2)
    image, feature_map, weight = 2 * 3 * 64 * 4, 2 * 4 * 36 * 4, (4 * 3 * 9 + 4) * 4
    assert [(layer.read_bytes, layer.written_bytes) for layer in found] == [
        (0, 0),
        (image + weight, feature_map),
        (feature_map + 4 * 4 * 4, feature_map),
        (feature_map, feature_map),  # in place: nothing new, and yet written
        (0, 0),
    ]
    totals = found.totals
    assert totals.read_bytes == sum(layer.read_bytes for layer in found)
    assert totals.written_bytes == sum(layer.written_bytes for layer in found)
    conv = found.layers[1]
    assert conv.intensity == pytest.approx(2 * 36 * 4 * 27 / (image + weight + feature_map))
    assert totals.intensity == pytest.approx(
        found.totals.macs / (totals.read_bytes + totals.written_bytes)
    )
    assert found["0"].intensity == conv.intensity


class Odd(nn.Module):
    def forward(self, x: Tensor) -> list[Tensor]:
        table = torch.zeros(100, 8, device=x.device) + x.mean()
        return [
            x * x,  # one tensor, read once
            x[:, :, :1].expand(-1, -1, 8, -1) + 1,  # a row, read once
            table[torch.arange(5, device=x.device)],  # five rows of a hundred
            x.flatten(2).transpose(1, 2).reshape(1, -1),  # a copy, though it is called a view
            torch.empty_like(x).copy_(x),
        ]


def test_what_is_seen_twice_or_in_part() -> None:
    found = trace(Odd(), (3, 8, 8))
    assert found.complete, found.failure
    whole = 3 * 64 * 4
    moved = {layer.op: (layer.read_bytes, layer.written_bytes) for layer in found}
    assert moved["mul"] == (whole, whole)
    assert moved["add"] == (whole, whole)
    assert moved["index"] == (5 * 8 * 4 + 5 * 8, 5 * 8 * 4)
    assert moved["reshape"] == (whole, whole)
    assert moved["copy"] == (whole, whole)
    assert moved["transpose"] == moved["flatten"] == (0, 0)


def test_what_is_not_understood_has_no_intensity() -> None:
    class Waves(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.fft.rfft2(x).abs()

    found = trace(Waves(), (3, 8, 8))
    assert found.layers[1].intensity is None
    assert found[""].intensity is None
