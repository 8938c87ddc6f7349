"""The tail's verdict: by the rule, on networks of every make; what it saves, by counting."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from torch import nn

from striate.arch import Arch, Stage, Stem
from striate.building import build
from striate.records import Evidence
from striate.seeing.looking import subject_of
from striate.seeing.subject import Subject
from striate.seeing.tail import tail
from striate.tracing import trace

NONE = Evidence(name="x", title="", inapplicable="Not here.")


class Skips(nn.Module):
    """Somebody's own network with four blocks on a stream."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 6, 3, padding=1)
        self.body = nn.ModuleList(nn.Conv2d(6, 6, 3, padding=1, bias=False) for _ in range(4))
        self.head = nn.Linear(6, 4)

    def forward(self, x):
        x = self.stem(x)
        for block in self.body:
            x = x + block(x.relu())
        return self.head(x.mean((2, 3)))


def subject(fresh_case, module: nn.Module) -> Subject:
    case = fresh_case(module)
    made = subject_of(
        module, case.images, case.preprocessing, case.evaluation, start=lambda: module
    )
    return replace(made, trace=trace(module, (1, 12, 12)))


def probes(names: list[str], accuracy: list[float], images: int = 100) -> Evidence:
    return Evidence(
        name="depth.probes",
        title="",
        arrays={"accuracy": np.array(accuracy)},
        facts={
            "names": names, "images": images, "trained_on": 512, "split": "test", "whole": 0.9,
        },
    )  # fmt: skip


def residual(*depths: int, **own) -> Arch:
    stages = tuple(
        Stage(block="basic", depth=depth, width=6 + 2 * at, stride=1 + (at > 0), **own)
        for at, depth in enumerate(depths)
    )
    return Arch(name="small", image=(1, 12, 12), classes=4, stem=Stem(width=6), stages=stages)


NAMES = ["stem.conv", "stages.0.blocks.0", "stages.0.blocks.1", "stages.1.blocks.0",
         "stages.1.blocks.1", "head.linear"]  # fmt: skip


@pytest.mark.parametrize(
    ("accuracy", "drop"),
    [
        # Best 0.9 on 100 images: one standard error is 0.03.
        ([0.3, 0.5, 0.6, 0.8, 0.9, 0.9], 0),
        ([0.3, 0.5, 0.6, 0.88, 0.9, 0.9], 1),
        ([0.3, 0.5, 0.6, 0.86, 0.9, 0.9], 0),
        ([0.3, 0.5, 0.871, 0.2, 0.2, 0.9], 2),
        ([0.3, 0.9, 0.5, 0.5, 0.5, 0.2], 3),
    ],
)
def test_the_rule(fresh_case, accuracy: list[float], drop: int) -> None:
    module = build(residual(2, 2), seed=0)
    piece = tail(subject(fresh_case, module), probes(NAMES, accuracy), NONE, NONE)
    assert piece.facts["drop"] == drop
    # Of 102 images 91 right, by the rule of succession.
    assert piece.facts["limit"] == pytest.approx(0.9 - (91 / 102 * 11 / 102 / 100) ** 0.5)
    if not drop:
        assert piece.facts["saved"] is None
        return
    depths = {1: (2, 1), 2: (2,), 3: (1,)}[drop]
    left = trace(build(residual(*depths)), (1, 12, 12)).totals
    whole = trace(module, (1, 12, 12)).totals
    saved = piece.facts["saved"]
    assert (saved["params"], saved["macs"]) == (whole.params - left.params, whole.macs - left.macs)
    assert saved["macs_share"] == pytest.approx(1 - left.macs / whole.macs)


def test_a_plain_networks_blocks_end_with_their_last_layer(fresh_case) -> None:
    module = build(residual(2, 2, skip=False), seed=0)
    names = [f"{name}.{conv}" for name in NAMES[1:-1] for conv in ("conv1", "conv2")]
    accuracy = [0.1, 0.2, 0.3, 0.4, 0.9, 0.5, 0.9, 0.9]  # the first of a block's layers is not it
    piece = tail(subject(fresh_case, module), probes(names, accuracy), NONE, NONE)
    assert piece.arrays["probe"].tolist() == [0.2, 0.4, 0.5, 0.9]
    assert piece.facts["drop"] == 0


def test_somebodys_own_network(fresh_case) -> None:
    names = [f"body.{at}" for at in range(4)]
    lens = Evidence(
        name="stream.lens", title="", arrays={"accuracy": np.array([0.1, 0.2, 0.3, 0.4, 0.5])},
        facts={"names": ["before the first block", *names]},
    )  # fmt: skip
    module = Skips()
    piece = tail(subject(fresh_case, module), probes(names, [0.2, 0.9, 0.9, 0.9]), lens, NONE)
    assert piece.facts["drop"] == 2
    assert not piece.facts["own"]
    assert piece.facts["saved"]["params"] == 2 * 6 * 6 * 9
    assert piece.facts["saved"]["macs"] == 2 * 6 * 6 * 9 * 144
    assert piece.arrays["stopped"].tolist() == [0.2, 0.3, 0.4, 0.5]


def test_what_has_no_tail_says_why(fresh_case) -> None:
    bare = nn.Sequential(nn.Flatten(), nn.Linear(144, 4))
    piece = tail(subject(fresh_case, bare), probes(["1"], [0.5]), NONE, NONE)
    assert "none of striate's own and has no skips" in (piece.inapplicable or "")
    piece = tail(subject(fresh_case, bare), replace(NONE, inapplicable="No images."), NONE, NONE)
    assert piece.inapplicable == "No images."
