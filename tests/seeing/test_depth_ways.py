"""The ways of looking along the depth, as ``striate see`` takes them: evidence with its checks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from striate.arch import Arch, Stage, Stem
from striate.building import build
from striate.flow.ways import named_ways
from striate.records import Evidence
from striate.reporting.stream import stream_section
from striate.seeing.looking import subject_of
from striate.seeing.subject import LookOptions, Subject

FEW = LookOptions(images=24, pictures=2)


def _subject(case: Any, **own: Any) -> Subject:
    found = subject_of(
        case.module, case.images, case.preprocessing, case.evaluation, options=FEW, seed=3
    )
    return replace(found, train=case.images, **own)


def _looked(way: str, subject: Subject) -> dict[str, Evidence]:
    (found,) = named_ways([way])
    return {piece.name: piece for piece in found.compute(subject, lambda *_: None)}


def test_a_trained_network_passes_every_check(trained: Any) -> None:
    subject = _subject(trained)
    stream = _looked("stream", subject)
    assert list(stream) == ["stream.strip", "stream.lens", "stream.lesions", "stream.order"]
    # Its two blocks are not alike, so none can take the other's place.
    assert "can change places" in (stream.pop("stream.order").inapplicable or "")
    blocks = ["stages.0.blocks.0", "stages.1.blocks.0"]
    for piece in stream.values():
        assert piece.inapplicable is None
        assert not piece.withheld
    assert stream["stream.strip"].facts["names"] == blocks
    lens, lesions = stream["stream.lens"], stream["stream.lesions"]
    right = (subject.said == trained.images.labels).mean()
    assert lens.arrays["accuracy"][-1] == pytest.approx(right)
    assert lesions.facts["whole"] == pytest.approx(right)
    assert lens.arrays["accuracy"][0] < right - 0.2
    assert lesions.facts["settled_on"] == 24

    depth = _looked("depth", subject)
    assert list(depth) == ["depth.probes", "depth.saturation", "depth.likeness", "depth.shattering"]
    shattered = depth["depth.shattering"]
    assert not shattered.withheld
    assert shattered.arrays["before"][0] > shattered.arrays["twin"][0]
    probes = depth["depth.probes"]
    assert not probes.withheld
    assert probes.arrays["accuracy"][-1] > probes.arrays["before"][-1] + 0.2
    assert depth["depth.saturation"].facts["names"] == ["stem.conv", *blocks, "head.linear"]


def test_blocks_that_are_alike_change_places(fresh_case: Callable[[nn.Module], Any]) -> None:
    stages = (Stage(block="basic", depth=3, width=6), Stage(block="basic", depth=1, width=6))
    arch = Arch(name="alike", image=(1, 12, 12), classes=4, stem=Stem(width=6), stages=stages)
    piece = _looked("stream", _subject(fresh_case(build(arch, seed=0))))["stream.order"]
    assert not piece.withheld
    assert len(piece.facts["blocks"]) == 4
    assert piece.arrays["swaps"].tolist() == [1, 1, 1, 2, 2, 2, 4, 4, 4, 8, 8, 8]
    assert (piece.arrays["tau"][:3] < 1).all()
    assert 0 <= piece.arrays["accuracy"].min() <= piece.arrays["accuracy"].max() <= 1
    page = stream_section([piece])
    assert "4 can change places" in str(page)


def test_the_ledger_and_the_paths_of_the_pictures(trained: Any) -> None:
    subject = _subject(trained)
    ledgers = _looked("ledger", subject)
    assert list(ledgers) == ["ledger.0", "ledger.1"]
    with torch.no_grad():
        own = trained.module(subject.prepared(np.asarray(subject.pictures.pixels)))
    for piece, logits in zip(ledgers.values(), own, strict=True):
        assert not piece.withheld
        top = logits.topk(2)
        sums = piece.arrays["written"].sum(axis=0)
        assert sums == pytest.approx(top.values.numpy(), rel=1e-4)
        names = [subject.preprocessing.classes[int(place)] for place in top.indices]
        assert piece.facts["classes"] == names
    (paths,) = _looked("paths", subject).values()
    assert paths.facts["counts"] == ["1", "2", "1"]
    assert paths.arrays["gradient_shares"].sum() == pytest.approx(1)
    assert not paths.withheld


class _Plain(nn.Module):
    """Without a skip, a norm or a pool."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 4, 3, stride=3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 4)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


def test_without_skips_each_says_why(fresh_case: Callable[[nn.Module], Any]) -> None:
    torch.manual_seed(0)
    subject = replace(_subject(fresh_case(_Plain())), train=None)
    pieces = {
        **_looked("stream", subject),
        **_looked("paths", subject),
        **_looked("depth", subject),
    }
    why = {name: piece.inapplicable for name, piece in pieces.items()}
    assert "there is no stream" in str(why["stream.strip"])
    assert "nothing goes past its blocks" in str(why["stream.lens"])
    assert "nothing can be taken out" in str(why["stream.lesions"])
    assert "one path" in str(why["paths"])
    assert "training images" in str(why["depth.probes"])
    assert why["depth.saturation"] is None
    assert (
        _looked("ledger", subject)["ledger.0"].facts["notes"][0].startswith("This network has no")
    )


class _Moody(_Plain):
    """What it does depends on the image: what is heard with one image is not it with another."""

    def forward(self, x: Tensor) -> Tensor:
        x = x + torch.relu(x) if float(x.flatten()[0]) > 0 else x + torch.tanh(-5 * x)
        return self.layers(x)


def test_a_network_that_changes_its_mind_is_withheld(
    fresh_case: Callable[[nn.Module], Any],
) -> None:
    torch.manual_seed(0)
    case = fresh_case(_Plain())
    first = case.preprocessing(torch.as_tensor(case.images.array))[:, 0, 0, 0]
    sign = 1 if first[0] > 0 else -1
    order = [0, *torch.nonzero(first * sign < 0).flatten().tolist()]
    module = _Moody()
    images = type(case.images)(case.images.array[order], case.images.labels[order])
    evaluation = replace(
        case.evaluation,
        probabilities=case.evaluation.probabilities[order],
        labels=case.evaluation.labels[order],
    )
    subject = _subject(replace(case, module=module, images=images, evaluation=evaluation))
    strip = _looked("stream", subject)["stream.strip"]
    assert strip.inapplicable is None
    assert strip.withheld
    assert strip.checks[0].value > 0.01


class _Strange(_Plain):
    """Returns a tuple."""

    def forward(self, x: Tensor) -> Any:
        return (
            (self.layers(x),)
            if torch.utils._python_dispatch._len_torch_dispatch_stack()
            else (self.layers(x))
        )


def test_a_network_that_cannot_be_heard_says_so(fresh_case: Callable[[nn.Module], Any]) -> None:
    subject = _subject(fresh_case(_Strange()))
    for way in ("stream", "ledger", "paths", "depth"):
        for name, piece in _looked(way, subject).items():
            if name == "depth.probes":
                continue
            assert "cannot be looked at so: _Strange returns tuple" in str(piece.inapplicable)
