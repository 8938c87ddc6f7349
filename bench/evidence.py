"""Do the checks tell a network that learned from one that learned by heart?

On the data set ``shapes``, whose objects' places are known, small networks are trained on its
labels and on shuffled labels until they have fitted them; held-out images of each are explained by
every method of ``striate see``; and it is counted how many maps are shown, how often a map's
greatest value lies on the planted object (the pointing game, Zhang et al. 2018) beside the middle
of the image, and what the favourite patches of selective channels show.  No check is told which
network it looks at, nor any label.

The images are twice as wide as high: in a square one an object large enough to be told apart
nearly always covers the middle, and pointing there would be right.

    OMP_NUM_THREADS=1 python bench/evidence.py [--seeds 3] [--images 16] [--count 3000] [--quick]

A trained network is kept in ``runs/``, and what was found out about one until the code that did
changes: kill it anywhere and start it again.  When all are explained the record is written.
``--quick`` prints its rows and writes nothing.  About 9 minutes on one core.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from common import ROOT, command, commit, hardware, sources, today, versions, write
from evidence_record import Network, Row, record
from striate.arch import Arch, Head, Stage, Stem, to_toml
from striate.building import build
from striate.data import DataOptions, Dataset, open_data
from striate.runs import Preprocessing, evaluate
from striate.seeing.decision import decision
from striate.seeing.explaining import METHODS
from striate.seeing.faithful import centred, enlarged
from striate.seeing.patches import patches
from striate.seeing.subject import LookOptions, Pictures, Subject
from striate.tracing import trace

SIZE = (24, 48)
ARCH = Arch(
    name="small",
    image=(3, *SIZE),
    classes=10,
    stem=Stem(width=24, kernel=3, stride=2),
    stages=(
        Stage(block="basic", depth=1, width=24),
        Stage(block="basic", depth=2, width=64, stride=2),
    ),
    head=Head(),
)
BATCH = 64
HONEST_EPOCHS = 24
MOST_EPOCHS = 80  # on shuffled labels; it stops once they are fitted
FITTED = 0.999


@dataclass(frozen=True, kw_only=True)
class Trained:
    """``fitted``: accuracy on the labels it was trained with.  ``key``: of how it was trained."""

    module: nn.Module
    fitted: float
    key: str


def kept(dataset: Dataset, *, shuffled: bool, seed: int, count: int) -> Trained:
    """The network that was trained before with all the same, or trained now."""
    facts = (to_toml(ARCH), shuffled, seed, count, HONEST_EPOCHS, MOST_EPOCHS, FITTED)
    key = hashlib.sha256(repr((*facts, dataset.fingerprint)).encode()).hexdigest()[:16]
    file = ROOT / "runs" / f"evidence-{key}.pt"
    if not file.exists():
        made, fitted = trained(dataset, shuffled=shuffled, seed=seed)
        file.parent.mkdir(exist_ok=True)
        beside = file.with_suffix(".part")
        torch.save({"weights": made.state_dict(), "fitted": fitted}, beside)
        beside.rename(file)
    found = torch.load(file, weights_only=True)
    module = build(ARCH, seed=seed).eval()
    module.load_state_dict(found["weights"])
    return Trained(module=module, fitted=found["fitted"], key=key)


def trained(dataset: Dataset, *, shuffled: bool, seed: int) -> tuple[nn.Module, float]:
    """A network fitted to the training split's labels, or to the same labels shuffled; how well."""
    inputs = Preprocessing.of(dataset)(
        torch.as_tensor(dataset.train.pixels(np.arange(len(dataset.train))))
    )
    labels = torch.as_tensor(dataset.train.labels)
    generator = torch.Generator().manual_seed(seed)
    if shuffled:
        labels = labels[torch.randperm(len(labels), generator=generator)]
    module = build(ARCH, seed=seed)
    epochs = MOST_EPOCHS if shuffled else HONEST_EPOCHS
    batches = len(inputs) // BATCH
    optimiser = torch.optim.AdamW(
        module.parameters(), lr=0.004, weight_decay=0 if shuffled else 0.05
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, 0.004, total_steps=epochs * batches, pct_start=0.15
    )
    fitted = 0.0
    for _ in range(epochs):
        module.train()
        order = torch.randperm(len(inputs), generator=generator)
        for batch in order[: batches * BATCH].split(BATCH):
            taken = inputs[batch] if shuffled else _moved(inputs[batch], generator)
            loss = F.cross_entropy(module(taken), labels[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
        fitted = _accuracy(module, inputs, labels)
        if shuffled and fitted >= FITTED:
            break
    return module, fitted


def _moved(inputs: Tensor, generator: torch.Generator) -> Tensor:
    """The batch moved by up to three pixels."""
    down, right = torch.randint(-3, 4, (2,), generator=generator).tolist()
    padded = F.pad(inputs, (3, 3, 3, 3), mode="replicate")
    height, width = inputs.shape[2:]
    return padded[:, :, 3 + down : 3 + down + height, 3 + right : 3 + right + width]


def _accuracy(module: nn.Module, inputs: Tensor, labels: Tensor) -> float:
    module.eval()
    with torch.no_grad():
        said = torch.cat([module(part).argmax(dim=1) for part in inputs.split(256)])
    return float((said == labels).double().mean())


def known(dataset: Dataset, found: Trained, seed: int, images: int) -> Network:
    """What ``looked_at`` found, kept for as long as the code that looks stays the same."""
    digest = sources("src/striate/seeing", "src/striate/building", "src/striate/data/sources")
    file = ROOT / "runs" / f"evidence-{found.key}-{images}-{digest}.json"
    if not file.exists():
        made = looked_at(dataset, found, seed, images)
        beside = file.with_suffix(".part")
        beside.write_text(json.dumps(asdict(made)), encoding="utf-8")
        beside.rename(file)
    held = json.loads(file.read_text(encoding="utf-8"))
    return Network(**held | {"rows": tuple(Row(**row) for row in held["rows"])})


def looked_at(dataset: Dataset, found: Trained, seed: int, images: int) -> Network:
    """Evenly spaced images of the test split, explained by every method; and the patches."""
    preprocessing, split = Preprocessing.of(dataset), dataset.test
    picked = np.linspace(0, len(split) - 1, images).round().astype(np.int64)
    subject = Subject(
        module=found.module,
        start=build(ARCH, seed=seed),
        images=split,
        preprocessing=preprocessing,
        evaluation=evaluate(found.module, split, preprocessing),
        setting="fp32",
        options=LookOptions(),
        fresh=lambda number: build(ARCH, seed=1000 + number),
        given=Pictures(
            names=tuple(map(str, picked)),
            pixels=split.pixels(picked),
            labels=np.full(len(picked), -1, np.int64),
            why=("evenly spaced",) * len(picked),
        ),
        trace=trace(found.module, dataset.image, name=ARCH.name),
    )
    truth = split.truth(picked)
    middle = divmod(int(centred(SIZE).argmax()), SIZE[1])
    pieces = decision(subject, _quiet)
    rows: list[Row] = []
    for method in METHODS:
        own = [piece for piece in pieces if piece.name.split(".")[-1] == method.name]
        boxed: list[bool] = []
        covered: list[bool] = []
        for piece in own:
            if "map" in piece.arrays:
                large = enlarged(torch.as_tensor(piece.arrays["map"])[None], SIZE)[0]
                row, column = divmod(int(large.argmax()), SIZE[1])
                number = piece.facts["number"]
                boxed.append(_inside(truth.boxes[number], row, column))
                covered.append(bool(truth.masks[number, row, column]))
        failed = Counter(c.name for piece in own for c in piece.checks if not c.passed)
        rows.append(
            Row(
                method=method.name,
                maps=len(own),
                shown=sum(not piece.withheld and piece.inapplicable is None for piece in own),
                pointing=float(np.mean(boxed)) if boxed else None,
                on_mask=float(np.mean(covered)) if covered else None,
                failed=dict(failed),
            )
        )
    on_object, of_class = _favourites(subject, dataset)
    return Network(
        fitted=found.fitted,
        rows=tuple(rows),
        middle=float(np.mean([_inside(box, *middle) for box in truth.boxes])),
        on_object=on_object,
        of_class=of_class,
    )


def _inside(box: NDArray[np.int64], row: int, column: int) -> bool:
    top, left, bottom, right = box.tolist()
    return top <= row < bottom and left <= column < right


def _favourites(subject: Subject, dataset: Dataset) -> tuple[float | None, float | None]:
    """Of the favourite patches of selective channels, the shares that show the planted object.

    First: in how many the cut and the object meet, at the first layer, whose cuts are small.
    Second, at the last: how many are of an image that was drawn as the class that the channel is
    said to answer to.  None where nothing is shown.
    """
    split = dataset.test
    pieces = [one for one in patches(subject, _quiet) if one.arrays and not one.withheld]
    if not pieces:
        return None, None
    meets: list[bool] = []
    for numbers, cuts in zip(pieces[0].arrays["indices"], pieces[0].arrays["boxes"], strict=True):
        for mask, (top, left, bottom, right) in zip(
            split.truth(numbers).masks, cuts.tolist(), strict=True
        ):
            meets.append(bool(mask[max(top, 0) : bottom, max(left, 0) : right].any()))
    drawn = split.labels[pieces[-1].arrays["indices"]]
    said = [dataset.classes.index(name) for name in pieces[-1].facts["classes"]]
    of_class = drawn == np.array(said)[:, None]
    return float(np.mean(meets)), float(of_class.mean())


def _quiet(_done: int, _total: int) -> None:
    """Nobody looks on."""


def main(arguments: Sequence[str]) -> None:
    """Train what is not kept, explain, and write the record."""
    asked = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    asked.add_argument("--seeds", type=int, default=3)
    asked.add_argument("--images", type=int, default=16)
    asked.add_argument("--count", type=int, default=3000, help="pictures, of all splits")
    asked.add_argument("--quick", action="store_true", help="print the rows and write no record")
    given = asked.parse_args(arguments)
    torch.set_num_threads(1)
    dataset = open_data(f"shapes:{SIZE[0]}x{SIZE[1]}", DataOptions(count=given.count))
    found: list[tuple[int, Network, Network]] = []
    for seed in range(1, given.seeds + 1):
        pair: list[Network] = []
        for shuffled in (False, True):
            net = kept(dataset, shuffled=shuffled, seed=seed, count=given.count)
            pair.append(known(dataset, net, seed, given.images))
            print(f"seed {seed} {'by heart' if shuffled else 'honest'}: {pair[-1]}", flush=True)
        found.append((seed, pair[0], pair[1]))
    if given.quick:
        return
    head, changed = commit()
    made = record(
        found,
        images=given.images,
        trained_on=len(dataset.train),
        command=command(),
        commit=head,
        changed=changed,
        date=today(),
        hardware=hardware(),
        versions=versions(),
    )
    write(made, "evidence")


if __name__ == "__main__":
    main(sys.argv[1:])
