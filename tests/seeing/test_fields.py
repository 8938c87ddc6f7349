"""Effective fields: Luo's law, and nothing outside what the trace allows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from striate.seeing.fields import fields, squared_gradients, width_of, width_of_ones
from striate.seeing.looking import subject_of
from striate.seeing.places import Place, block_places
from striate.tracing import trace

Kernels = Sequence[tuple[int, int, int]]


def ones(kernels: Kernels) -> nn.Sequential:
    layers = []
    for size, spread, stride in kernels:
        conv = nn.Conv2d(1, 1, size, stride=stride, dilation=spread, bias=False)
        nn.init.ones_(conv.weight)
        layers.append(conv)
    return nn.Sequential(*layers).double()


@pytest.mark.parametrize(
    "kernels",
    [
        [(3, 1, 1)] * 5,
        [(3, 1, 1)] * 20,
        [(5, 1, 1)] * 8,
        [(7, 1, 1), (3, 1, 1), (5, 1, 1)],
        [(3, 1, 1), (3, 2, 1), (3, 4, 1)],
        [(3, 1, 2), (3, 1, 1), (3, 1, 2), (3, 1, 1), (3, 1, 1)],
    ],
    ids=str,
)
def test_kernels_of_ones_spread_as_luo_says(kernels: Kernels) -> None:
    """The gradient's measured width against the law's, to 2 %."""
    module = ones(kernels)
    side = 97
    image = torch.randn(3, 1, side, side, generator=torch.Generator().manual_seed(0)).double()
    shape = module(image).shape
    place = Place(
        path=str(len(kernels) - 1), layout="channels-first", size=tuple(shape[2:]), channels=1
    )
    squares = squared_gradients(module, place, module, image)
    measured = width_of(np.sqrt(squares.mean(axis=0)))
    jump, steps = 1, []
    for size, spread, stride in kernels:
        steps.append((size, spread, jump))
        jump *= stride
    expected = width_of_ones(steps)
    assert measured == pytest.approx((expected, expected), rel=0.02)


def test_the_law_by_hand() -> None:
    # One kernel of three ones: places -1, 0 and 1, whose variance is 2/3.
    assert width_of_ones([(3, 1, 1)]) == pytest.approx((2 / 3) ** 0.5)
    # Behind a stride of 2 its neighbours are two pixels apart.
    assert width_of_ones([(1, 1, 1), (3, 1, 2)]) == pytest.approx((8 / 3) ** 0.5)


def test_after_training_the_field_is_narrower_than_the_trace_allows(trained) -> None:
    subject = subject_of(
        trained.module, trained.images, trained.preprocessing, trained.evaluation, seed=3
    )
    found = trace(trained.module, (1, 12, 12))
    (piece,) = fields(replace(subject, trace=found), lambda done, total: None)
    assert not piece.withheld, [(c.name, c.value) for c in piece.checks]
    rows = piece.facts["layers"]
    assert [row["path"] for row in rows] == ["stages.0", "stages.1"]
    for row in rows:
        assert 0 < row["after"]["share"] <= 1
        assert row["after"]["width"] > 0.5
    values = {check.name: check.value for check in piece.checks}
    assert values["outside"] == 0.0
    # A stage of one block hands on what its block does.
    assert [one["path"] for one in piece.facts["blocks"]] == [
        "stages.0.blocks.0",
        "stages.1.blocks.0",
    ]
    for row, block in zip(rows, piece.facts["blocks"], strict=True):
        for when in ("before", "after"):
            assert block[when]["width"] == pytest.approx(row[when]["width"])


def test_blocks_of_others_are_the_members_of_their_lists(trained) -> None:
    class Other(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(
                nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU()),
                nn.ReLU(),
                nn.Conv2d(4, 4, 3, padding=1, stride=2),
            )
            self.head = nn.Linear(4, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(self.body(x).mean(dim=(2, 3)))

    subject = subject_of(Other(), trained.images, trained.preprocessing, trained.evaluation, seed=3)
    assert [place.path for place in block_places(subject)] == ["body.0", "body.2"]
    assert [place.path for place in block_places(subject, most=2)] == ["body.0", "body.2"]


def test_a_field_that_is_too_small_is_caught(trained) -> None:
    """A trace of a network with smaller kernels: the gradient leaves its boxes."""
    subject = subject_of(
        trained.module, trained.images, trained.preprocessing, trained.evaluation, seed=3
    )
    narrow = nn.Module()
    narrow.stages = nn.ModuleList([nn.Conv2d(1, 12, 1), nn.Conv2d(12, 16, 1, stride=2)])
    narrow.forward = lambda x: narrow.stages[1](narrow.stages[0](x)).mean((2, 3))  # type: ignore[method-assign]  # a forward in a line
    (piece,) = fields(replace(subject, trace=trace(narrow, (1, 12, 12))), lambda done, total: None)
    assert piece.withheld
    assert {c.name: c.passed for c in piece.checks}["outside"] is False
