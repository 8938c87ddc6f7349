"""What ``striate advise`` measures: data, stages, what a budget buys, what a run has learned."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from striate.arch import Arch
from striate.building import Network, build
from striate.checking import Given, check
from striate.data import Dataset, Split
from striate.errors import DataError, InputError
from striate.flow.advise_words import NOUNS
from striate.flow.costs import Costs
from striate.flow.latency import runs
from striate.flow.load import load
from striate.flow.run_health import examine
from striate.records import EpochRecord, Finding, Trace
from striate.records.advice import DataFacts, Remark, RunFacts, StageFacts, StepFacts
from striate.runs import LoadedRun, evaluating, logits_of
from striate.scaling import RULES, Budget, Solution, growth, largest, same
from striate.scaling.budgets import amount

AT_ONCE = 256
TRAIN_SAMPLE = 2000
"""Training images on which a run is measured again, at most."""
REMARKS = ("FL201", "FL202", "RE402", "CO602", "CO605", "AF701", "AF702", "AF703")


def data_facts(dataset: Dataset) -> DataFacts:
    """What the data room knows of the images."""
    counts = np.bincount(dataset.train.labels, minlength=len(dataset.classes))
    return DataFacts(
        name=dataset.name,
        train=len(dataset.train),
        val=len(dataset.val),
        classes=len(dataset.classes),
        fewest=int(counts.min()),
        image=dataset.image,
        least=dataset.sizes.least,
        median=dataset.sizes.median,
        greatest=dataset.sizes.greatest,
    )


def stage_facts(arch: Arch, trace: Trace) -> tuple[StageFacts, ...]:
    """The stem, every stage and the head.  ``trace``: of one image."""
    seconds = _seconds(arch)
    found: list[StageFacts] = []
    for path, taken in seconds.items():
        part = trace[path]
        field, shape = part.field, part.shape
        mapped = field is not None and path != "head"
        exact = field is not None and field.status in ("exact", "bound")
        found.append(
            StageFacts(
                path=path,
                size=(shape[2], shape[3]) if mapped and len(shape) == 4 else None,
                status=field.status if field is not None and mapped else None,
                field=field.size if field is not None and mapped and exact else None,
                least=field.least if field is not None and mapped and exact else None,
                params=part.params,
                macs=part.macs,
                activations=part.activations,
                train_bytes=part.saved_bytes,
                seconds=taken,
            )
        )
    return tuple(found)


def step_facts(arch: Arch, budgets: Sequence[Budget], costs: Costs) -> tuple[StepFacts, ...]:
    """By each rule, the largest member that meets ``budgets``."""
    found: list[StepFacts] = []
    for rule in RULES:
        try:
            solved = largest(arch, growth(rule), budgets, costs)
        except InputError as error:
            found.append(StepFacts(rule=rule, why_not=str(error).partition(";")[0]))
            continue
        unchanged = same(solved.best.arch) == same(arch)
        found.append(
            StepFacts(
                rule=rule,
                phi=solved.best.phi,
                image=solved.best.arch.image,
                cost={**solved.cost, "latency": costs.seconds(solved.best.arch)},
                binds=tuple(budget.key for budget in solved.broken),
                why_not=_why_no_step(solved) if unchanged else None,
            )
        )
    return tuple(found)


def _why_no_step(solved: Solution) -> str:
    if solved.ends is not None:
        return f"the next larger member cannot be built: {solved.ends}"
    parts = [
        f"{amount(one.key, solved.next_cost[one.key])} {NOUNS[one.key]} where "
        f"{amount(one.key, one.limit)} are allowed"
        for one in solved.broken
    ]
    return f"the next larger member has {' and '.join(parts)}"


def remarks(findings: Sequence[Finding]) -> tuple[Remark, ...]:
    """Those of the linter's findings that say something of an axis."""
    return tuple(
        Remark(code=one.code, path=one.path, message=one.message, measured=dict(one.measured))
        for one in findings
        if one.code in REMARKS
    )


def run_facts(path: Path, dataset: Dataset) -> tuple[RunFacts, tuple[Finding, ...]]:
    """How the run at ``path`` does on images it has learned from and on others, and its health."""
    if len(dataset.val) == 0:
        raise DataError(f"{path}: its data have no validation images, so nothing can be told of it")
    run = load(path)
    examined = examine(path, None, Given())
    health = examined.given.health
    assert health is not None
    findings = tuple(check(examined.trace, given=examined.given))
    learned = _sampled(len(dataset.train))
    train = _accuracy(run, dataset.train, learned)
    val = _accuracy(run, dataset.val, np.arange(len(dataset.val)))
    return (
        RunFacts(
            path=str(path),
            epochs=len([record for record in run.metrics if isinstance(record, EpochRecord)]),
            train_accuracy=train,
            train_images=len(learned),
            val_accuracy=val,
            val_images=len(dataset.val),
            looked=health.images,
            channels=sum(units.channels for units in health.units),
            dead=sum(units.dead for units in health.units),
            saturated=sum(units.saturated for units in health.units),
            branches=len(health.branches),
            idle=sum(finding.code == "AF703" for finding in findings),
        ),
        findings,
    )


def _sampled(images: int) -> NDArray[np.int64]:
    """All indices of so many images, or every k-th, so that ``TRAIN_SAMPLE`` are left."""
    taken = min(images, TRAIN_SAMPLE)
    return np.linspace(0, images - 1, taken).round().astype(np.int64)


def _accuracy(run: LoadedRun, split: Split, picked: NDArray[np.int64]) -> float:
    """Top-1 of the kept weights on those images of ``split``, without augmentation."""
    right, classes = 0, len(run.preprocessing.classes)
    with evaluating(run.module):
        for part in np.array_split(picked, -(-len(picked) // AT_ONCE)):
            images = run.preprocessing(torch.as_tensor(split.pixels(part)))
            said = logits_of(run.module, images, "fp32", classes).argmax(dim=1).numpy()
            right += int((said == split.labels[part]).sum())
    return right / len(picked)


def _seconds(arch: Arch) -> Mapping[str, float]:
    """The median time of the stem, of every stage and of the head, for one image."""
    network = build(arch).eval()
    parts = _parts(network)
    took: dict[str, list[float]] = {path: [] for path in parts}
    begun: dict[str, float] = {}

    def enter(path: str) -> Any:
        def hook(_module: nn.Module, _inputs: object) -> None:
            begun[path] = time.perf_counter()

        return hook

    def leave(path: str) -> Any:
        def hook(_module: nn.Module, _inputs: object, _output: object) -> None:
            took[path].append(time.perf_counter() - begun[path])

        return hook

    for path, part in parts.items():
        part.register_forward_pre_hook(enter(path))
        part.register_forward_hook(leave(path))
    image = torch.zeros(1, *arch.image)
    with evaluating(network), torch.inference_mode():
        counted = list(_counted(network, image))
    return {
        path: statistics.median(one for one, counts in zip(times, counted, strict=True) if counts)
        for path, times in took.items()
    }


def _counted(network: nn.Module, image: Tensor) -> Iterator[bool]:
    """Run it as often as latency is measured, and say which runs count."""
    for counts in runs():
        network(image)
        yield counts


def _parts(network: Network) -> dict[str, nn.Module]:
    stem = {} if network.stem is None else {"stem": network.stem}
    stages = {f"stages.{number}": stage for number, stage in enumerate(network.stages)}
    return {**stem, **stages, "head": network.head}
