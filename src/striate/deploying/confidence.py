"""How far a run's predictions may be believed: measured once, kept with the run."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from striate.data import Dataset
from striate.deploying.familiar import Familiar, measure_familiar
from striate.errors import RunError
from striate.records import Calibration
from striate.runs import (
    Preprocessing,
    Tta,
    at_temperature,
    atomic_write,
    expected_calibration_error,
    fit_temperature,
    place,
    predict_split,
)
from striate.runs.weights import pack, unpack

NO_VALIDATION = "the run has no validation images"
NO_BETTER = "on the validation images the network is no better than chance"
NOT_FINITE = "on the validation images the network gives numbers that are not finite"


@dataclass(frozen=True, kw_only=True)
class Confidence:
    """What was measured on the validation split; ``why_not`` says why something was not."""

    calibration: Calibration | None
    familiar: Familiar | None
    why_not: str | None = None

    @property
    def temperature(self) -> float:
        """What logits are divided by: 1 where there is no calibration."""
        return 1.0 if self.calibration is None else self.calibration.temperature


def measure_confidence(
    module: nn.Module,
    dataset: Dataset,
    *,
    device: str = "cpu",
    batch_size: int = 256,
    tta: Tta = "none",
) -> Confidence:
    """Fit the temperature, and measure what is familiar, on the validation split, in fp32; the
    temperature of what the network says of each image in the views of ``tta``.

    The validation split chose the weights that are kept; the test split stays untouched by every
    choice.  ``module`` is put on ``device``, and stays there.
    """
    preprocessing = Preprocessing.of(dataset)
    if len(dataset.val) == 0:
        return Confidence(calibration=None, familiar=None, why_not=NO_VALIDATION)
    place(module, "fp32", device)
    logs = predict_split(
        module, dataset.val, preprocessing, device=device, batch_size=batch_size, tta=tta
    )  # fmt: skip
    if not np.isfinite(logs).all():
        return Confidence(calibration=None, familiar=None, why_not=NOT_FINITE)
    familiar = measure_familiar(module, dataset.train, dataset.val, preprocessing, device=device)
    labels = dataset.val.labels
    temperature = fit_temperature(logs, labels)
    if temperature is None:
        return Confidence(calibration=None, familiar=familiar, why_not=NO_BETTER)
    before, after = at_temperature(logs, 1.0), at_temperature(logs, temperature)
    rows = np.arange(len(labels))

    def loss(probabilities: np.ndarray[Any, np.dtype[np.float32]]) -> float:
        return float(-np.log(np.maximum(probabilities[rows, labels], 1e-38)).mean())

    calibration = Calibration(
        temperature=temperature,
        images=len(labels),
        loss=(loss(before), loss(after)),
        ece=(
            expected_calibration_error(before, labels),
            expected_calibration_error(after, labels),
        ),
    )
    return Confidence(calibration=calibration, familiar=familiar)


def save_confidence(path: Path, confidence: Confidence) -> None:
    """Write ``confidence`` to ``path``, atomically."""
    atomic_write(path, confidence_bytes(confidence))


def confidence_bytes(confidence: Confidence) -> bytes:
    """The content of a run's ``confidence.safetensors``."""
    facts: dict[str, Any] = {"why_not": confidence.why_not, "calibration": None}
    tensors: dict[str, torch.Tensor] = {}
    if confidence.calibration is not None:
        facts["calibration"] = confidence.calibration.as_json()
    familiar = confidence.familiar
    if familiar is not None:
        facts["familiar"] = {"limits": list(familiar.limits), "images": familiar.images}
        for name in ("looks", "spread", "features"):
            tensors[name] = torch.from_numpy(getattr(familiar, name))
    return pack(tensors, {"striate": json.dumps(facts)})


def load_confidence(path: Path) -> Confidence:
    """Read what ``save_confidence`` wrote; ``RunError`` where it is missing or broken."""
    try:
        tensors, notes = unpack(path.read_bytes(), where=path)
        facts: dict[str, Any] = json.loads(notes["striate"])
        calibration = familiar = None
        if facts["calibration"] is not None:
            plain = facts["calibration"]
            calibration = Calibration(
                temperature=float(plain["temperature"]),
                images=int(plain["images"]),
                loss=(float(plain["loss"][0]), float(plain["loss"][1])),
                ece=(float(plain["ece"][0]), float(plain["ece"][1])),
            )
        if "familiar" in facts:
            first, second = facts["familiar"]["limits"]
            familiar = Familiar(
                looks=tensors["looks"].numpy(),
                spread=tensors["spread"].numpy(),
                features=tensors["features"].numpy(),
                limits=(float(first), float(second)),
                images=int(facts["familiar"]["images"]),
            )
        return Confidence(calibration=calibration, familiar=familiar, why_not=facts["why_not"])
    except OSError as error:
        raise RunError(f"{path}: cannot be read ({error.strerror})") from error
    except (KeyError, ValueError, TypeError, IndexError) as error:
        raise RunError(
            f"{path}: broken ({type(error).__name__}: {error}); take it away, and it is measured "
            "again"
        ) from error
