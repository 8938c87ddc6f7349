"""The card of an exported run: what it is, what it was measured to do, what it is for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from striate.arch import to_toml
from striate.data import Dataset
from striate.deploying.confidence import Confidence
from striate.records import Evaluation, ExportCheck
from striate.records.wording import size
from striate.runs import LoadedRun

_MOST_CLASSES = 30


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the card is written from.  ``sizes``, ``accuracy``: by file name."""

    run: LoadedRun
    dataset: Dataset
    confidence: Confidence
    sizes: Mapping[str, int]
    accuracy: Mapping[str, float]
    checks: tuple[ExportCheck, ...]


def write_card(facts: Facts) -> str:
    """``README.md`` in the hub's form: a header in YAML, then text.  No image of the data."""
    run, dataset = facts.run, facts.dataset
    name = run.arch.name if run.arch is not None else run.info.network
    result = run.result
    assert result is not None
    params = sum(parameter.numel() for parameter in run.module.parameters())
    image = " × ".join(map(str, run.preprocessing.image))
    count = len(run.preprocessing.classes)
    usage = Path(__file__).with_name("use_onnx.py").read_text(encoding="utf-8").strip()
    parts = [
        _header(name, dataset.name, facts.accuracy),
        f"# {name} on {dataset.name}\n",
        (f"An image classifier of {count} classes, trained and exported as ONNX by striate.\n"),
        "## Files\n",
        "| file | size | accuracy on the test split |\n|---|---|---|",
        *(
            f"| `{file}` | {size(length)} | {facts.accuracy[file]:.2%} |"
            for file, length in facts.sizes.items()
        ),
        "",
        "## Network\n",
        f"{params:,} parameters, images of {image}.\n",
        *([f"```toml\n{to_toml(run.arch).strip()}\n```\n"] if run.arch is not None else []),
        "## Data\n",
        (
            f"{dataset.name}: {len(dataset.train):,} images to train on, {len(dataset.val):,} to "
            f"choose the weights, {len(dataset.test):,} to test.\n"
        ),
        said_classes(run.preprocessing.classes),
        "## Measured\n",
        (
            f"On the {len(dataset.test):,} test images, which no choice has looked at: accuracy "
            f"{result.accuracy:.2%}, cross-entropy {result.loss:.4f}, expected calibration error "
            f"{result.ece:.2%} before calibration.\n"
        ),
        said_calibrated(facts.confidence),
        *([said_worst(run.evaluation)] if run.evaluation is not None else []),
        "## Checks\n",
        "Passed before the files were written:\n",
        "| file | check | found |\n|---|---|---|",
        *(f"| `{one.file}` | {one.name} | {one.says} |" for one in facts.checks),
        "",
        "## Use\n",
        (
            "The file holds its preprocessing, its class names and its temperature. With "
            "onnxruntime, numpy and Pillow:\n"
        ),
        f"```python\n{usage}\n```\n",
        "## Intended use and limits\n",
        (
            f"For images like those of {dataset.name}: its {count} classes and no others. Of any "
            "image, whatever it shows, it names one of them. The figures above hold for images "
            "drawn as the test images were; measure again on your own before decisions that matter "
            "to people depend on it. JPEG files are decoded by Pillow here, which may differ from "
            "another decoder by a pixel value or two."
        ),
    ]
    return "\n".join(parts) + "\n"


def _header(name: str, data: str, accuracy: Mapping[str, float]) -> str:
    """What the hub indexes; strings as JSON, which YAML reads."""
    value = next(iter(accuracy.values()))
    title = json.dumps(f"{name} on {data}", ensure_ascii=False)
    return "\n".join([
        "---",
        "library_name: onnx",
        "pipeline_tag: image-classification",
        "tags: [image-classification, onnx, striate]",
        "metrics: [accuracy]",
        "model-index:",
        f"- name: {title}",
        "  results:",
        "  - task: {type: image-classification}",
        (f"    dataset: {{name: {json.dumps(data, ensure_ascii=False)}, type: image-folder, "
        "split: test}"),
        f"    metrics: [{{type: accuracy, value: {value:.6g}}}]",
        "---",
        "",
    ])  # fmt: skip


def said_classes(classes: tuple[str, ...]) -> str:
    """The classes by name, the first few of many."""
    shown = ", ".join(f"`{name}`" for name in classes[:_MOST_CLASSES])
    more = f" and {len(classes) - _MOST_CLASSES} more" if len(classes) > _MOST_CLASSES else ""
    return f"Classes: {shown}{more}.\n"


def said_calibrated(confidence: Confidence) -> str:
    """What was done to confidence, and what it was worth."""
    found = confidence.calibration
    if found is None:
        return f"Confidence is not calibrated: {confidence.why_not}.\n"
    return (
        f"Confidence is calibrated: logits are divided by {found.temperature:.3f}, fitted on "
        f"{found.images:,} validation images (expected calibration error there {found.ece[0]:.2%} "
        f"before, {found.ece[1]:.2%} after).\n"
    )


def said_worst(evaluation: Evaluation) -> str:
    """The class that is found least often, so that a mean does not hide it."""
    counts = evaluation.confusion.sum(axis=1)
    present = np.flatnonzero(counts)
    recall = evaluation.confusion.diagonal()[present] / counts[present]
    least = int(recall.argmin())
    name = evaluation.classes[int(present[least])]
    return f"Least often found: `{name}`, {recall[least]:.1%} of its test images.\n"
