"""Odd networks and odd images: every way of looking works, or says in one line why it cannot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from striate.data import Dataset, open_data
from striate.flow.see import see_network
from striate.flow.ways import WAYS
from striate.records import Evidence
from striate.reporting.evidence import way_of
from striate.reporting.pictures import Photos
from striate.reporting.ways import DRAWINGS, Frame
from striate.seeing.subject import LookOptions
from striate.tracing import trace


class Plain(nn.Module):
    """Convolutions without skips, and a flatten instead of global pooling."""

    def __init__(self, channels: int, side: int, classes: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, 6, 3, stride=2, padding=1), nn.ReLU(),
            nn.Conv2d(6, 8, 3, stride=2, padding=1), nn.ReLU(),
        )  # fmt: skip
        self.head = nn.Linear(8 * (-(-side // 4)) ** 2, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x).flatten(1))


class Dense(nn.Module):
    """No convolution at all."""

    def __init__(self, channels: int, side: int, classes: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Flatten(), nn.Linear(channels * side * side, 16), nn.ReLU(), nn.Linear(16, classes)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class Skips(nn.Module):
    """A strided stem, two blocks with functional skips, global pooling."""

    def __init__(self, channels: int, side: int, classes: int) -> None:
        super().__init__()
        step = max(1, side // 8)
        self.stem = nn.Conv2d(channels, 8, step, stride=step)
        self.first = nn.Conv2d(8, 8, 3, padding=1)
        self.second = nn.Conv2d(8, 8, 3, padding=1)
        self.head = nn.Linear(8, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.stem(x))
        x = x + torch.relu(self.first(x))
        x = x + torch.relu(self.second(x))
        return self.head(x.mean(dim=(2, 3)))


Make = Callable[[int, int, int], nn.Module]
CASES: dict[str, tuple[Make, int, int, int]] = {
    "no skips, no global pooling, 8 px, gray": (Plain, 1, 8, 10),
    "no convolutions": (Dense, 1, 8, 10),
    "256 px": (Skips, 3, 256, 2),
    "two classes": (Skips, 1, 8, 2),
    "a thousand classes": (Skips, 3, 16, 1000),
}


def _data(channels: int, side: int, classes: int, tmp_path: object) -> Dataset:
    rng = np.random.default_rng(0)
    count = 8 if side > 100 else max(classes, 40)
    images = rng.integers(0, 255, (count, side, side, channels), np.uint8)
    labels = np.arange(count) % classes
    images[labels == 0, : side // 2] //= 2
    where = f"{tmp_path}/odd.npz"
    split = {}
    for name in ("train", "val", "test"):
        split |= {f"{name}_images": images, f"{name}_labels": labels}
    np.savez(where, **split)
    return open_data(where)


@pytest.mark.parametrize("case", CASES)
def test_every_way_works_or_says_why_not(case: str, tmp_path: object) -> None:
    make, channels, side, classes = CASES[case]
    dataset = _data(channels, side, classes, tmp_path)
    torch.manual_seed(0)
    module = make(channels, side, classes)
    options = LookOptions(pictures=1, images=8, errors=4)
    frame = Frame(
        classes=dataset.classes,
        photos=Photos(pixel_range=(0, 255)),
        trace=trace(module, dataset.image),
    )
    seen = see_network(module, dataset, options=options)
    found: dict[str, list[Evidence]] = {}
    for piece in seen:
        found.setdefault(way_of(piece), []).append(piece)
        why = piece.inapplicable
        assert why is None or (why.strip().endswith(".") and "\n" not in why), (piece.name, why)
    assert set(found) == {way.name for way in WAYS} - {"beside"}  # there is no second network
    for drawing in DRAWINGS:
        if drawing.way not in found:
            continue
        for embed in (True, False):
            shown = replace(frame, photos=Photos(pixel_range=(0, 255), embed=embed))
            html = drawing.draw(found[drawing.way], shown)
            for piece in found[drawing.way]:
                if piece.inapplicable is not None and piece.name != "errors.pairs":
                    assert piece.inapplicable.split("<")[0][:30] in html, piece.name
    parts = {piece.name: piece for piece in seen}
    if make is Dense:
        assert parts["mechanics"].inapplicable
        assert parts["fields"].inapplicable
        assert parts["decision.0.hirescam"].inapplicable
    if make is not Skips:
        assert "skip" in (parts["stream.strip"].inapplicable or "")
    else:
        assert parts["stream.strip"].inapplicable is None
