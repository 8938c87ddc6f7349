"""A plausible run, made up: enough of every record to fill the page.  No torch."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from made_evidence import along_the_depth, convolution, decisions

from striate.records import (
    Check,
    EpochRecord,
    Evaluation,
    Evidence,
    Field,
    Finding,
    Layer,
    Price,
    ProbeResult,
    StepRecord,
    Totals,
    Trace,
)
from striate.reporting import DataFacts, ReportInput, RunFacts

Make = Callable[..., ReportInput]

# The least contrast (WCAG 2.1, 1.4.3) of any visible text, with what it is.  Colours are read back
# from a canvas, which knows every notation; backgrounds are laid over each other.
CONTRAST = """() => {
  const canvas = document.createElement('canvas'); canvas.width = canvas.height = 1;
  const pen = canvas.getContext('2d', {willReadFrequently: true});
  const rgba = css => { pen.clearRect(0, 0, 1, 1); pen.fillStyle = css; pen.fillRect(0, 0, 1, 1);
    const d = pen.getImageData(0, 0, 1, 1).data; return [d[0], d[1], d[2], d[3] / 255]; };
  const over = (a, b) => [0, 1, 2].map(i => a[i] * a[3] + b[i] * (1 - a[3]));
  const ground = e => { const layers = [];
    for (let at = e; at; at = at.parentElement)
      layers.push(rgba(getComputedStyle(at).backgroundColor));
    return layers.reverse().reduce((below, layer) => over(layer, below), [255, 255, 255]); };
  const light = c => { const [r, g, b] = c.slice(0, 3).map(v => (v /= 255) <= 0.03928
    ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const found = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const e = walk.currentNode.parentElement, style = getComputedStyle(e);
    if (!walk.currentNode.data.trim() || e.closest('script, style, noscript, .skip')
        || style.visibility === 'hidden' || !e.getClientRects().length) continue;
    const below = ground(e), ink = rgba(e.closest('svg') ? style.fill : style.color);
    const [a, b] = [light(over(ink, below)), light(below)].sort((x, y) => y - x);
    found.push([(a + 0.05) / (b + 0.05), walk.currentNode.data.trim().slice(0, 40), style.color]);
  }
  return [found.length, found.sort((x, y) => x[0] - y[0])[0]];
}"""


@pytest.fixture(scope="session")
def contrast() -> str:
    return CONTRAST


# A browser's event loop is gone with its module, before tests of others begin one of their own.
@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A real Chromium; without one, or without what drives it, the test is skipped."""
    chromium = os.environ.get("STRIATE_CHROMIUM") or shutil.which("chromium")
    if chromium is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="needs playwright: pip install 'striate[dev]'"
    )
    with playwright.sync_playwright() as engine:
        found = engine.chromium.launch(
            executable_path=chromium,
            args=["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield found
        found.close()


@pytest.fixture(scope="session")
def make_report() -> Make:
    return made_up


def made_up(
    *,
    classes: int = 10,
    size: int = 32,
    images: int = 600,
    channels: int = 3,
    epochs: int = 12,
    looked: bool = False,
) -> ReportInput:
    """``looked``: with evidence of more ways of looking than ``striate fit`` has."""
    rng = np.random.default_rng(0)
    names = tuple(f"class {index}" for index in range(classes))
    evaluation = _evaluation(rng, names, images)
    pixels = _pixels(rng, 24, channels, size)
    return ReportInput(
        run=RunFacts(
            name="runs/made-up",
            arch="resnet20",
            command=f"striate fit ../data/cifar --image {channels}x{size}x{size} --epochs {epochs}",
            seconds=2143.0,
            setting="bf16-channels-last",
            date="30 May 2025",
            why="resnet20 was chosen: its field covers the image and no layer is unproductive.",
            hardware="2 cores",
            seed=0,
            texts={"recipe.toml": "lr = 0.1\nepochs = 12\n", "arch.toml": 'name = "resnet20"\n'},
            versions={"striate": "0.1.0", "torch": "2.13.0", "python": "3.11"},
        ),
        data=DataFacts(
            name="cifar",
            classes=names,
            image=(channels, size, size),
            counts={"train": 45000, "val": 5000, "test": images},
            class_counts={
                "train": [45000 // classes] * classes,
                "val": [5000 // classes] * classes,
                "test": evaluation.confusion.sum(axis=1).tolist(),
            },
            mean=(0.4914, 0.4822, 0.4465)[:channels],
            std=(0.247, 0.2435, 0.2616)[:channels],
            notes=("10 grey images were repeated over three channels.",),
            examples=pixels[:8],
            example_labels=[index % classes for index in range(8)],
        ),
        trace=_trace(channels, size, classes),
        evaluation=evaluation,
        findings=(
            Finding(
                code="S104",
                name="whole-field",
                severity="warning",
                path="stages.2.blocks.2.conv1",
                source="net.py:41",
                message="its input already sees the whole 32×32 image: 2 layers are unproductive",
                measured={"field_px": 109, "image_px": 32},
                price=Price(params=73_984, macs=4_700_000),
                fix="take two blocks from stage 3",
            ),
        ),
        probe=(
            _probed("fp32", 412, 0.0),
            _probed("fp32-channels-last", 655, 1e-6),
            _probed("bf16", 1200, 0.004),
            _probed("bf16-channels-last", 1931, 0.004, chosen=True),
        ),
        epochs=_epochs(epochs),
        steps=[
            StepRecord(
                epoch=1 + step // 40,
                step=step,
                steps=epochs * 40,
                images=128,
                loss=1.0,
                accuracy=0.5,
                lr=0.1 * min(step / 30, 0.5 + 0.5 * np.cos(np.pi * step / epochs / 40)),
                seconds=0.1,
            )
            for step in range(epochs * 40)
        ],
        evidence=[
            *_evidence(rng, pixels, classes),
            *(
                [
                    *along_the_depth(rng),
                    convolution(rng, pixels[0]),
                    *decisions(rng, pixels[0]),
                ]
                if looked
                else []
            ),
        ],
    )


def withhold(given: ReportInput, name: str, value: float = 0.97) -> ReportInput:
    """The same with one check of the piece of this name failed."""
    failed = Check(
        name="share of the start",
        claim="At most half of what is drawn was there before training",
        value=value,
        limit=0.5,
        passed=False,
    )
    return replace(
        given,
        evidence=[
            replace(piece, checks=(failed, *piece.checks)) if piece.name == name else piece
            for piece in given.evidence
        ],
    )


def _evaluation(rng: np.random.Generator, names: tuple[str, ...], images: int) -> Evaluation:
    classes = len(names)
    labels = rng.integers(0, classes, images)
    logits = rng.normal(size=(images, classes))
    logits[np.arange(images), labels] += 2.5 + np.log(classes)
    # Neighbours are the likeliest confusions.
    logits[np.arange(images), (labels + 1) % classes] += 1 + np.log(classes)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    said = probabilities.argmax(axis=1)
    confusion = np.zeros((classes, classes), np.int64)
    np.add.at(confusion, (labels, said), 1)
    confidence, right = probabilities.max(axis=1), said == labels
    edges = np.linspace(0, 1, 16)
    ece = 0.0
    for low, high in pairwise(edges):
        inside = (confidence > low) & (confidence <= high)
        if inside.any():
            ece += abs(confidence[inside].mean() - right[inside].mean()) * inside.mean()
    return Evaluation(
        split="test",
        classes=names,
        probabilities=probabilities.astype(np.float32),
        labels=labels,
        accuracy=float(right.mean()),
        loss=float(-np.log(probabilities[np.arange(images), labels]).mean()),
        ece=float(ece),
        confusion=confusion,
    )


def _pixels(rng: np.random.Generator, n: int, channels: int, size: int) -> np.ndarray:
    rows, cols = np.mgrid[:size, :size] / size
    out = np.zeros((n, channels, size, size), np.uint8)
    for image in out:
        angle, rate, phase = rng.uniform(0, np.pi), rng.uniform(4, 14), rng.uniform(0, 6)
        wave = np.sin(rate * (np.cos(angle) * rows + np.sin(angle) * cols) + phase)
        disc = ((rows - rng.uniform()) ** 2 + (cols - rng.uniform()) ** 2) < 0.06
        for channel in image:
            channel[:] = 128 + 100 * np.where(disc, rng.uniform(-1, 1), wave * rng.uniform(0.2, 1))
    return out


def _trace(channels: int, size: int, classes: int) -> Trace:
    """A plain chain of 3×3 convolutions in three stages, with the fields of one."""
    image = Field(status="exact", size=(1, 1), least=(1, 1), stride=(1, 1), start=(0, 0))
    layers = [
        Layer(index=0, path="", op="input", inputs=(), shape=(1, channels, size, size), field=image)
    ]
    field, stride, start, side, width = 1, 1, 0, size, channels
    plan = [("stem.conv", 16, 1)]
    for stage, out in enumerate((16, 32, 64)):
        for block in range(3):
            first = 2 if stage and not block else 1
            plan += [
                (f"stages.{stage}.blocks.{block}.conv1", out, first),
                (f"stages.{stage}.blocks.{block}.conv2", out, 1),
            ]
    for path, out, step in plan:
        start -= stride
        field += 2 * stride
        stride *= step
        side //= step
        seen = Field(
            status="exact",
            size=(field, field),
            least=(3, 3),
            stride=(stride, stride),
            start=(start, start),
        )
        layers.append(
            Layer(
                index=len(layers),
                path=path,
                op="conv2d",
                inputs=(len(layers) - 1,),
                shape=(1, out, side, side),
                params=9 * width * out,
                macs=9 * width * out * side * side,
                activations=out * side * side,
                field=seen,
            )
        )
        width = out
    whole = Field(
        status="whole",
        size=(size, size),
        least=(size, size),
        stride=(size, size),
        start=(0, 0),
    )
    layers.append(
        Layer(
            index=len(layers), path="head.pool", op="adaptive_avg_pool2d",
            inputs=(len(layers) - 1,), shape=(1, width, 1, 1), field=whole,
        )
    )  # fmt: skip
    layers.append(
        Layer(
            index=len(layers), path="head.fc", op="linear", inputs=(len(layers) - 1,),
            shape=(1, classes), params=(width + 1) * classes, macs=width * classes,
            activations=classes,
        )
    )  # fmt: skip
    return Trace(
        name="resnet20",
        image=(channels, size, size),
        layers=tuple(layers),
        totals=Totals(
            params=sum(layer.params for layer in layers),
            macs=sum(layer.macs or 0 for layer in layers),
            activations=sum(layer.activations for layer in layers),
            infer_bytes=0,
            train_bytes=0,
        ),
    )


def _probed(setting: str, rate: float, deviation: float, *, chosen: bool = False) -> ProbeResult:
    return ProbeResult(
        setting=setting,
        images_per_second=rate,
        deviation=deviation,
        tolerance=0.03,
        agrees=True,
        chosen=chosen,
    )


def _epochs(count: int) -> list[EpochRecord]:
    return [
        EpochRecord(
            epoch=epoch,
            epochs=count,
            step=epoch * 40,
            train_loss=0.25 + 1.6 * np.exp(-epoch / 3),
            train_accuracy=0.93 - 0.6 * np.exp(-epoch / 3),
            val_loss=0.38 + 1.4 * np.exp(-epoch / 2.5),
            val_accuracy=0.89 - 0.55 * np.exp(-epoch / 2.5),
            best=epoch == count,
            seconds=178.0,
            images_per_second=1900.0,
        )
        for epoch in range(1, count + 1)
    ]


def _evidence(rng: np.random.Generator, pixels: np.ndarray, classes: int) -> list[Evidence]:
    held = Check(
        name="carried on",
        claim="Carried through the rest of the network, these maps give the same logits",
        value=0.0,
        limit=1e-5,
        passed=True,
    )
    looked = {
        "index": 17, "split": "test", "label": "class 3", "predicted": "class 3",
        "confidence": 0.981, "chosen": "Its confidence is the median of those that are right.",
    }  # fmt: skip
    maps = [
        Evidence(
            name=f"maps.{path}",
            title=title,
            arrays={
                "image": pixels[0],
                "maps": np.maximum(rng.normal(size=(12, side, side)), 0).astype(np.float32),
            },
            facts={**looked, "path": path, "channels": 4 * 12, "drawn": list(range(12)),
                   "silent": silent, "left_out": 5 * silent, "limit": 0.5},
            checks=(held,),
        )
        for path, title, side, silent in (
            ("stem", "After the stem", pixels.shape[-1], 0),
            ("stages.0", "After stage 1", pixels.shape[-1], 1),
            ("stages.1", "After stage 2", pixels.shape[-1] // 2, 0),
            ("stages.2", "After stage 3", max(1, pixels.shape[-1] // 4), 3),
        )
    ]  # fmt: skip
    errors = Evidence(
        name="errors",
        title="The most confident mistakes",
        arrays={
            "images": pixels[:12],
            "indices": np.arange(12),
            "labels": np.arange(12) % classes,
            "predicted": (np.arange(12) + 1) % classes,
            "confidence": np.linspace(0.999, 0.8, 12),
            "truth": np.linspace(0.001, 0.1, 12),
        },
        facts={"total": 63},
        checks=(
            replace(held, name="recomputed", claim="Recomputed, every prediction is the same"),
        ),
    )
    filters = Evidence(
        name="filters",
        title="First-layer filters",
        arrays={"weights": rng.normal(size=(16, pixels.shape[1], 3, 3)).astype(np.float32)},
        facts={
            "path": "stem.conv",
            "total": 24,
            "drawn": list(range(2, 18)),
            "left_out": 8,
            "limit": 0.5,
        },
        checks=(
            replace(
                held,
                name="share of the start",
                claim="At most half of what is drawn was there before training",
                value=0.21,
                limit=0.5,
            ),
        ),
    )
    return [filters, *maps, errors]
