"""How a network does on a split: top-1, cross-entropy, calibration, confusion."""

from __future__ import annotations

import json
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from striate.data import Split, batches, whole_plan
from striate.data.options import Indices
from striate.errors import RunError, TargetError
from striate.records import Evaluation
from striate.runs.atomic import atomic_write
from striate.runs.calibration import expected_calibration_error
from striate.runs.preprocessing import Preprocessing
from striate.runs.settings import Setting, arithmetic, memory_format, place
from striate.runs.views import Tta, in_views
from striate.runs.weights import pack, unpack


def logits_of(module: nn.Module, images: Tensor, setting: Setting, classes: int) -> Tensor:
    """The network's logits for ``images`` (N, C, H, W) as float32 (N, classes).

    Takes a module that returns a tensor, or an object with a tensor ``logits`` (as Hugging Face
    models do).  ``TargetError`` where the output is neither, or has another shape.
    """
    images = images.contiguous(memory_format=memory_format(setting))
    with arithmetic(setting, images.device):
        output = module(images)
    logits = output if isinstance(output, Tensor) else getattr(output, "logits", None)
    if not isinstance(logits, Tensor):
        raise TargetError(
            f"{type(module).__name__} returns a {type(output).__name__}; training needs a tensor "
            f"of shape (N, {classes}), or an object with one as .logits"
        )
    if logits.shape != (len(images), classes):
        raise TargetError(
            f"{type(module).__name__} returns logits of shape {tuple(logits.shape)} for "
            f"{len(images)} images of {classes} classes; its last layer must give "
            f"({len(images)}, {classes})"
        )
    return logits.float()


@contextmanager
def evaluating(module: nn.Module) -> Generator[None]:
    """Evaluation mode for every submodule inside; each one's own mode again outside."""
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for part, training in modes:
            part.training = training


def predict_split(
    module: nn.Module,
    split: Split,
    preprocessing: Preprocessing,
    *,
    setting: Setting = "fp32",
    batch_size: int = 256,
    device: torch.device | str = "cpu",
    workers: int = 0,
    tta: Tta = "none",
) -> NDArray[np.float32]:
    """Log-probabilities (N, classes) of every sample, in the split's own order, no augmentation.

    ``tta``: the views of each image that are seen.  ``module`` is put on ``device`` and into the
    setting's memory format, and stays there.
    """
    return predict_plan(
        module,
        split,
        whole_plan(split, batch_size=batch_size),
        preprocessing,
        setting=setting,
        device=device,
        workers=workers,
        tta=tta,
    )


def predict_plan(
    module: nn.Module,
    split: Split,
    plan: Sequence[Indices],
    preprocessing: Preprocessing,
    *,
    setting: Setting,
    device: torch.device | str,
    workers: int = 0,
    tta: Tta = "none",
) -> NDArray[np.float32]:
    """``predict_split`` of the samples of ``plan`` alone, batch by batch, in the plan's order."""
    place(module, setting, device)
    classes = len(preprocessing.classes)
    parts: list[NDArray[np.float32]] = []
    seen = in_views(module, tta)
    with evaluating(seen):
        for batch in batches(split, plan, augment=None, seed=0, epoch=0, workers=workers):
            pixels = torch.as_tensor(batch.pixels).to(device)
            logits = logits_of(seen, preprocessing(pixels), setting, classes)
            parts.append(torch.log_softmax(logits, dim=1).cpu().numpy())
    return np.concatenate(parts)


def evaluate(
    module: nn.Module,
    split: Split,
    preprocessing: Preprocessing,
    *,
    setting: Setting = "fp32",
    batch_size: int = 256,
    device: torch.device | str = "cpu",
    workers: int = 0,
    tta: Tta = "none",
) -> Evaluation:
    """Measure ``module`` on ``split``: evaluation mode, the split's own order, each image in the
    views of ``tta``.

    ``workers`` processes load ahead; the numbers do not depend on how many.  ``DataError`` for a
    split without samples.
    """
    logs = predict_split(
        module,
        split,
        preprocessing,
        setting=setting,
        batch_size=batch_size,
        device=device,
        workers=workers,
        tta=tta,
    )
    classes = preprocessing.classes
    return evaluation_of(logs, split.labels, split=split.name, classes=classes, tta=tta)


def evaluation_of(
    log_probabilities: NDArray[np.float32],
    labels: NDArray[np.int64],
    *,
    split: str,
    classes: tuple[str, ...],
    tta: Tta = "none",
) -> Evaluation:
    """The record of (N, classes) log-probabilities against (N,) labels."""
    labels = np.asarray(labels, np.int64)
    probabilities = np.exp(log_probabilities)
    guesses = log_probabilities.argmax(axis=1)
    confusion = np.zeros((len(classes), len(classes)), np.int64)
    np.add.at(confusion, (labels, guesses), 1)
    own = log_probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return Evaluation(
        split=split,
        classes=classes,
        probabilities=probabilities,
        labels=labels,
        accuracy=float((guesses == labels).mean()),
        loss=float(-own.mean()),
        ece=expected_calibration_error(probabilities, labels),
        confusion=confusion,
        tta=tta,
    )


def save_evaluation(path: Path, evaluation: Evaluation) -> None:
    """Write every number of ``evaluation`` to ``path``, atomically."""
    tensors = {
        "probabilities": torch.from_numpy(evaluation.probabilities),
        "labels": torch.from_numpy(evaluation.labels),
        "confusion": torch.from_numpy(evaluation.confusion),
    }
    facts = {
        "split": evaluation.split,
        "classes": evaluation.classes,
        "accuracy": evaluation.accuracy,
        "loss": evaluation.loss,
        "ece": evaluation.ece,
        "tta": evaluation.tta,
    }
    atomic_write(path, pack(tensors, {"striate": json.dumps(facts, ensure_ascii=False)}))


def load_evaluation(path: Path) -> Evaluation:
    """Read what ``save_evaluation`` wrote; ``RunError`` where it is missing or broken."""
    try:
        tensors, notes = unpack(path.read_bytes(), where=path)
        facts: dict[str, Any] = json.loads(notes["striate"])
        return Evaluation(
            split=facts["split"],
            classes=tuple(facts["classes"]),
            probabilities=tensors["probabilities"].numpy(),
            labels=tensors["labels"].numpy(),
            accuracy=facts["accuracy"],
            loss=facts["loss"],
            ece=facts["ece"],
            confusion=tensors["confusion"].numpy(),
            tta=facts.get("tta", "none"),  # runs of before there was a choice
        )
    except OSError as error:
        raise RunError(f"{path}: cannot be read ({error.strerror})") from error
    except (KeyError, ValueError, TypeError) as error:
        raise RunError(f"{path}: not an evaluation ({type(error).__name__}: {error})") from error
