"""A run as ONNX files that have passed every check, with a card that says so.

Nothing appears under its name before all checks of all files are passed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import nn

from striate.data import Dataset
from striate.deploying.card import Facts, write_card
from striate.deploying.confidence import Confidence
from striate.deploying.exporters import Exporter, Quantiser, static_quantiser, torch_exporter
from striate.deploying.gates import (
    Floats,
    Reference,
    Runtime,
    check_graph,
    check_int8,
    check_runtime,
    check_test_split,
    reference,
    refused,
)
from striate.deploying.onnx_graph import Model, embed, fold_norms, strip_traces
from striate.deploying.round_trip import check_round_trip
from striate.errors import DataError, OutputError
from striate.records import ExportCheck, Exported
from striate.runs import LoadedRun, atomic_write, place
from striate.runs.atomic import refuse_unwritable

WHOLE, SMALL, CARD = "model.onnx", "model.int8.onnx", "README.md"
MOST_BYTES = 2**31 - 1
"""What a protobuf file can hold."""
CALIBRATION = 256
"""Training images on which int8's ranges are measured."""


@dataclass(frozen=True, kw_only=True)
class Makers:
    """What makes the files and runs them; tests put broken ones in their place."""

    exporter: Exporter = torch_exporter
    quantiser: Quantiser = static_quantiser
    runtime: type[Runtime] = Runtime


def export_events(
    run: LoadedRun,
    dataset: Dataset,
    confidence: Confidence,
    out: Path,
    *,
    int8: bool = False,
    makers: Makers,
) -> Iterator[ExportCheck | Exported]:
    """Every check as it is passed, then what was written into the folder ``out``.

    ``dataset``: the run's own.  ``ExportError`` names the check that failed and its number.
    """
    refuse_taken(out, int8=int8)
    if run.result is None:
        raise DataError(f"{run.path}: has no result yet; finish it with --resume {run.path}")
    module = place(run.module, "fp32", "cpu").eval()
    ref = reference(module, run.preprocessing, dataset.test, run.result.accuracy)
    facts = _facts(run, confidence)
    model = makers.exporter(module, run.preprocessing.image)
    left, whole = _ready(model, facts, WHOLE)
    checks: list[ExportCheck] = []
    logits = np.empty((0, 0), np.float32)
    for check in _whole(model, whole, ref, confidence, makers):
        if isinstance(check, ExportCheck):
            checks.append(check)
            yield check
        else:
            logits = check
    contents, accuracy = {WHOLE: whole}, {WHOLE: _accuracy(logits, ref)}
    if int8:
        images = _calibration(dataset, run)
        small = makers.quantiser(whole, images)
        _, content = _ready(small, {**facts, "int8_images": len(images)}, SMALL)
        for check in _small(small, content, ref, confidence, makers, logits):
            if isinstance(check, ExportCheck):
                checks.append(check)
                yield check
            else:
                accuracy[SMALL] = _accuracy(check, ref)
        contents[SMALL] = content
    norms = sum(isinstance(part, nn.BatchNorm2d) for part in module.modules())
    card = write_card(
        Facts(
            run=run,
            dataset=dataset,
            confidence=confidence,
            sizes={name: len(content) for name, content in contents.items()},
            accuracy=accuracy,
            checks=tuple(checks),
        )
    )
    contents[CARD] = card.encode()
    _write(out, contents)
    yield Exported(
        run=str(run.path),
        files=tuple(str(out / name) for name in contents),
        bytes=tuple(map(len, contents.values())),
        accuracy=accuracy,
        folded=norms - left,
        left=left,
        checks=tuple(checks),
    )


def refuse_taken(out: Path, *, int8: bool) -> None:
    """OutputError where a file would be overwritten, or the folder cannot be made."""
    if out.exists() and not out.is_dir():
        raise OutputError(f"--out {out}: is a file, not a folder; choose another --out")
    refuse_unwritable(out)
    for name in (WHOLE, CARD, *([SMALL] if int8 else [])):
        if (out / name).exists():
            raise OutputError(
                f"{out / name}: exists already; take it away, or choose another --out"
            )


def _facts(run: LoadedRun, confidence: Confidence) -> dict[str, Any]:
    """What the file itself holds for whoever uses it."""
    preprocessing = run.preprocessing
    assert run.result is not None
    return {
        "format": 1,
        "network": run.info.network,
        "classes": list(preprocessing.classes),
        "image": list(preprocessing.image),
        "fit": preprocessing.fit,
        "mean": list(preprocessing.mean),
        "std": list(preprocessing.std),
        "pixels": "divided by 255 (65535 where the file has 16 bits), less mean, divided by std",
        "resize": "Pillow's bilinear filter",
        "temperature": confidence.temperature,
        "test_accuracy": run.result.accuracy,
    }


def _ready(model: Model, facts: dict[str, Any], file: str) -> tuple[int, bytes]:
    """The graph, cleaned, folded and with its facts, and how many norms are left in it."""
    strip_traces(model)
    left = fold_norms(model)[1]
    embed(model, facts)
    size = int(model.ByteSize())
    if size > MOST_BYTES:
        raise refused(file, "size", f"{size:,} bytes, and one file holds {MOST_BYTES:,}")
    return left, cast(bytes, model.SerializeToString())


def _whole(
    model: Model, content: bytes, ref: Reference, confidence: Confidence, makers: Makers
) -> Iterator[ExportCheck | Floats]:
    yield check_graph(model, WHOLE)
    ran = check_runtime(makers.runtime, content, WHOLE, ref)
    yield ran
    checks, logits = check_test_split(makers.runtime, content, WHOLE, ref, ran.measured or 0.0)
    yield from checks
    yield check_round_trip(content, WHOLE, ref, confidence.temperature, exact=True)
    yield logits


def _small(
    model: Model,
    content: bytes,
    ref: Reference,
    confidence: Confidence,
    makers: Makers,
    whole: Floats,
) -> Iterator[ExportCheck | Floats]:
    yield check_graph(model, SMALL)
    checks, logits = check_int8(makers.runtime, content, SMALL, ref, whole)
    yield from checks
    yield check_round_trip(content, SMALL, ref, confidence.temperature, exact=False)
    yield logits


def _accuracy(logits: Floats, ref: Reference) -> float:
    return float((logits.argmax(axis=1) == ref.test.labels).mean())


def _calibration(dataset: Dataset, run: LoadedRun) -> list[Floats]:
    """Training images, evenly taken by id, without augmentation; each (1, C, H, W)."""
    count = min(CALIBRATION, len(dataset.train))
    rows = np.unique(np.linspace(0, len(dataset.train) - 1, count).astype(np.int64))
    pixels = torch.as_tensor(dataset.train.pixels(rows))
    images = cast(Floats, run.preprocessing(pixels).numpy())
    return [image[None] for image in images]


def _write(out: Path, contents: dict[str, bytes]) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"{out}: cannot be made ({error.strerror}); choose another --out"
        ) from error
    written: list[Path] = []
    try:
        for name, content in contents.items():
            atomic_write(out / name, content)
            written.append(out / name)
    except BaseException:
        for path in written:  # all or nothing
            path.unlink(missing_ok=True)
        raise
