"""Do the checks tell a network that learned from one that learned by heart?

Trains, on the data set ``shapes``, whose objects' places are known, one small network on its
labels and one on shuffled labels until it has fitted them; explains held-out images of both by
every method of ``striate see``; and counts the maps that pass their checks, and how often a map's
greatest value lies on the planted object (the pointing game, Zhang et al. 2018), beside the
centred Gaussian.

    python bench/evidence.py [--images 60] [--epochs 30] [--fitted 80] [--count 3000] [--json]

Hardware, versions and n are printed with the numbers.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from striate.arch import Arch, Head, Stage, Stem
from striate.building import build
from striate.data import DataOptions, Dataset, open_data
from striate.records import Evidence
from striate.runs import Preprocessing, evaluate
from striate.seeing.decision import decision
from striate.seeing.explaining import METHODS
from striate.seeing.faithful import centred, enlarged
from striate.seeing.subject import LookOptions, Pictures, Subject

ARCH = Arch(
    name="small",
    image=(3, 32, 32),
    classes=10,
    stem=Stem(width=24, kernel=3, stride=2),
    stages=(
        Stage(block="basic", depth=1, width=24),
        Stage(block="basic", depth=1, width=48, stride=2),
        Stage(block="basic", depth=1, width=96, stride=2),
    ),
    head=Head(),
)


@dataclass(frozen=True, kw_only=True)
class Rate:
    """One method on one network.

    ``passed``: share of its maps that are shown.  ``pointing``: share of the maps whose greatest
    value lies on the object; ``middle``: the same of the centred Gaussian.
    """

    network: str
    method: str
    maps: int
    passed: float
    pointing: float
    middle: float


@dataclass(frozen=True, kw_only=True)
class Trained:
    """``fitted``: accuracy on the labels it was trained with."""

    module: nn.Module
    fitted: float


def trained(dataset: Dataset, *, shuffled: bool, epochs: int, seed: int = 1) -> Trained:
    """A network fitted to the training split's labels, or to the same labels shuffled."""
    preprocessing = Preprocessing.of(dataset)
    inputs = preprocessing(torch.as_tensor(dataset.train.pixels(np.arange(len(dataset.train)))))
    labels = torch.as_tensor(dataset.train.labels)
    generator = torch.Generator().manual_seed(seed)
    if shuffled:
        labels = labels[torch.randperm(len(labels), generator=generator)]
    module = build(ARCH, seed=seed)
    steps = epochs * (len(inputs) // 64)
    optimiser = torch.optim.AdamW(
        module.parameters(), lr=0.004, weight_decay=0 if shuffled else 0.05
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, 0.004, total_steps=steps, pct_start=0.15
    )
    module.train()
    for _ in range(epochs):
        order = torch.randperm(len(inputs), generator=generator)
        for start in range(0, 64 * (len(inputs) // 64), 64):
            batch = order[start : start + 64]
            taken = inputs[batch] if shuffled else _shifted(inputs[batch], generator)
            loss = F.cross_entropy(module(taken), labels[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    module.eval()
    with torch.no_grad():
        said = torch.cat([module(part).argmax(dim=1) for part in inputs.split(256)])
    return Trained(module=module, fitted=float((said == labels).double().mean()))


def _shifted(inputs: Tensor, generator: torch.Generator) -> Tensor:
    """The batch moved by up to three pixels."""
    down, right = torch.randint(-3, 4, (2,), generator=generator).tolist()
    padded = F.pad(inputs, (3, 3, 3, 3), mode="replicate")
    side = inputs.shape[2]
    return padded[:, :, 3 + down : 3 + down + side, 3 + right : 3 + right + side]


def explained(dataset: Dataset, module: nn.Module, images: int) -> list[Evidence]:
    """The pieces of ``decision`` for evenly spaced images of the test split."""
    preprocessing = Preprocessing.of(dataset)
    split = dataset.test
    picked = np.linspace(0, len(split) - 1, images).round().astype(np.int64)
    subject = Subject(
        module=module,
        start=build(ARCH, seed=1),
        images=split,
        preprocessing=preprocessing,
        evaluation=evaluate(module, split, preprocessing),
        setting="fp32",
        options=LookOptions(),
        fresh=lambda number: build(ARCH, seed=1000 + number),
        given=Pictures(
            names=tuple(map(str, picked)),
            pixels=split.pixels(picked),
            labels=np.full(len(picked), -1, np.int64),
            why=("evenly spaced",) * len(picked),
        ),
    )
    return decision(subject, _quiet)


def _quiet(_done: int, _total: int) -> None:
    """Nobody looks on."""


def rates(dataset: Dataset, module: nn.Module, images: int, *, network: str) -> list[Rate]:
    """Every method's share of maps shown, and its pointing game."""
    pieces = explained(dataset, module, images)
    split = dataset.test
    masks = split.truth(np.linspace(0, len(split) - 1, images).round().astype(np.int64)).masks
    size = dataset.image[1:]
    middle = np.unravel_index(int(centred(size).argmax()), size)
    found: list[Rate] = []
    for method in METHODS:
        own = [piece for piece in pieces if piece.name.split(".")[-1] == method.name]
        hits: list[bool] = []
        for piece in own:
            if "map" in piece.arrays:
                large = enlarged(torch.as_tensor(piece.arrays["map"])[None], size)[0]
                row, column = divmod(int(large.argmax()), size[1])
                hits.append(bool(masks[piece.facts["number"], row, column]))
        found.append(
            Rate(
                network=network,
                method=method.name,
                maps=len(own),
                passed=float(np.mean([not p.withheld and p.inapplicable is None for p in own])),
                pointing=float(np.mean(hits)) if hits else float("nan"),
                middle=float(masks[:, middle[0], middle[1]].mean()),
            )
        )
    return found


def main(arguments: list[str]) -> None:
    """Print one line for each network and method, or one JSON document."""
    from common import hardware, versions

    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--images", type=int, default=60)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--fitted", type=int, default=80, help="epochs on shuffled labels")
    parser.add_argument("--count", type=int, default=3000)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    dataset = open_data("shapes", DataOptions(count=given.count))
    found: list[Rate] = []
    fitted: dict[str, float] = {}
    for network, shuffled, epochs in (
        ("honest", False, given.epochs),
        ("shuffled", True, given.fitted),
    ):
        net = trained(dataset, shuffled=shuffled, epochs=epochs)
        fitted[network] = net.fitted
        found += rates(dataset, net.module, given.images, network=network)
    if given.json:
        document = {"fitted": fitted, "rates": [asdict(rate) for rate in found]}
        print(json.dumps(document | {"hardware": hardware().model_dump(), "versions": versions()}))
        return
    print(hardware(), versions())
    for rate in found:
        print(
            f"{rate.network:9} {rate.method:11} fitted {fitted[rate.network]:.3f}  "
            f"shown {rate.passed:.3f} of {rate.maps}  pointing {rate.pointing:.3f} "
            f"(middle {rate.middle:.3f})"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
