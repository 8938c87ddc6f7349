"""A network that has learned to tell gratings apart, the same one before, and its images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import nn

from striate.arch import Arch, Head, Stage, Stem
from striate.building import build
from striate.records import Evaluation
from striate.runs import Preprocessing
from striate.runs.evaluate import evaluation_of

CLASSES = ("level", "upright", "rising", "falling")
ARCH = Arch(
    name="small",
    image=(1, 12, 12),
    classes=4,
    stem=Stem(width=12, kernel=5),
    stages=(
        Stage(block="basic", depth=1, width=12),
        Stage(block="basic", depth=1, width=16, stride=2),
    ),
    head=Head(dropout=0.1),
)
PREPROCESSING = Preprocessing(
    image=(1, 12, 12), fit="crop", mean=(0.5,), std=(0.25,), scale=255.0, classes=CLASSES,
    decoder="none",
)  # fmt: skip


@dataclass(frozen=True)
class Gratings:
    """What ``look`` asks of a split."""

    array: np.ndarray
    labels: np.ndarray
    name: str = "test"

    def pixels(self, indices: np.ndarray) -> np.ndarray:
        return self.array[indices]

    def paths(self, indices: np.ndarray) -> list[str]:
        return [f"{CLASSES[self.labels[i]]}/{i}.png" for i in indices.tolist()]


@dataclass(frozen=True)
class Case:
    module: nn.Module
    images: Gratings
    evaluation: Evaluation
    preprocessing: Preprocessing = PREPROCESSING


def gratings(count: int, seed: int, noise: float) -> Gratings:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, count)
    angles = np.array([np.pi / 2, 0, np.pi / 4, -np.pi / 4])[labels] + rng.normal(0, 0.2, count)
    rows, cols = np.mgrid[:12, :12]
    across = np.cos(angles)[:, None, None] * cols + np.sin(angles)[:, None, None] * rows
    waves = np.sin(across * 1.6 + rng.uniform(0, 6, count)[:, None, None])
    values = 128 + 60 * waves + noise * rng.normal(size=waves.shape)
    return Gratings(values.clip(0, 255).astype(np.uint8)[:, None], labels)


def evaluated(module: nn.Module, images: Gratings) -> Evaluation:
    module.eval()
    with torch.no_grad():
        logits = module(PREPROCESSING(torch.as_tensor(images.array)))
    logs = logits.log_softmax(dim=1).numpy()
    return evaluation_of(logs, images.labels, split="test", classes=CLASSES)


@pytest.fixture(scope="session")
def arch() -> Arch:
    return ARCH


@pytest.fixture(scope="session")
def trained() -> Case:
    images = gratings(512, 1, 70)
    module = build(ARCH, seed=3)
    inputs = PREPROCESSING(torch.as_tensor(images.array))
    optimiser = torch.optim.SGD(module.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-3)
    torch.manual_seed(0)
    module.train()
    for step in range(120):
        batch = torch.arange(64) + 64 * (step % 8)
        loss = nn.functional.cross_entropy(
            module(inputs[batch]), torch.as_tensor(images.labels)[batch]
        )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    test = gratings(200, 2, 70)
    return Case(module, test, evaluated(module, test))


@pytest.fixture(scope="session")
def by_heart() -> Case:
    """Its labels were shuffled, and it has fitted them."""
    images = gratings(96, 7, 70)
    labels = torch.as_tensor(np.random.default_rng(8).permutation(images.labels))
    module = build(ARCH, seed=3)
    inputs = PREPROCESSING(torch.as_tensor(images.array))
    optimiser = torch.optim.AdamW(module.parameters(), lr=0.01, weight_decay=0)
    torch.manual_seed(0)
    for step in range(400):
        module.train()
        batch = torch.arange(48) + 48 * (step % 2)
        loss = nn.functional.cross_entropy(module(inputs[batch]), labels[batch])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if step % 2 and loss < 0.02:
            break
    module.eval()
    with torch.no_grad():
        assert (module(inputs).argmax(dim=1) == labels).double().mean() > 0.97
    test = gratings(200, 2, 70)
    return Case(module, test, evaluated(module, test))


@pytest.fixture
def fresh_case() -> Callable[[nn.Module], Case]:
    def make(module: nn.Module) -> Case:
        images = gratings(40, 5, 70)
        return Case(module, images, evaluated(module, images))

    return make
