"""What is measured on the validation split: the temperature, and what is familiar."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import striate
from striate.data import DataOptions, open_data
from striate.deploying import (
    Confidence,
    Predictor,
    load_confidence,
    measure_confidence,
    save_confidence,
)
from striate.deploying.familiar import limit, looks
from striate.errors import InputError, RunError
from striate.runs import RunPaths, evaluating, fit_temperature, predict_split
from striate.runs.features import features_and_logits


def test_fit_keeps_what_was_measured_on_the_validation_split(finished: Path) -> None:
    kept = load_confidence(RunPaths(finished).confidence)
    run, data = striate.load(finished), open_data("digits")
    logs = predict_split(run.module, data.val, run.preprocessing)
    assert kept.calibration is not None
    assert kept.calibration.images == len(data.val)
    temperature = fit_temperature(logs, data.val.labels)
    assert temperature is not None
    assert kept.temperature == pytest.approx(temperature, rel=1e-4)
    assert kept.calibration.loss[1] <= kept.calibration.loss[0] + 1e-3


def test_it_reads_back_what_it_wrote(finished: Path, tmp_path: Path) -> None:
    kept = load_confidence(RunPaths(finished).confidence)
    save_confidence(tmp_path / "again", kept)
    again = load_confidence(tmp_path / "again")
    assert again.calibration == kept.calibration
    assert again.familiar is not None
    assert kept.familiar is not None
    assert again.familiar.limits == kept.familiar.limits
    assert (again.familiar.features == kept.familiar.features).all()
    nothing = Confidence(calibration=None, familiar=None, why_not="so")
    save_confidence(tmp_path / "nothing", nothing)
    assert load_confidence(tmp_path / "nothing") == nothing


@pytest.mark.parametrize("content", [b"", b"junk", None])
def test_a_broken_file_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "confidence.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(RunError, match=r"confidence\.safetensors: "):
        load_confidence(path)


def test_without_validation_images_nothing_is_calibrated() -> None:
    data = open_data("digits", DataOptions(val=0))
    found = measure_confidence(nn.Sequential(nn.Flatten(), nn.Linear(64, 10)), data)
    assert found == Confidence(
        calibration=None, familiar=None, why_not="the run has no validation images"
    )
    assert found.temperature == 1


def test_distances_by_brute_force(finished: Path) -> None:
    kept = load_confidence(RunPaths(finished).confidence).familiar
    assert kept is not None
    run, data = striate.load(finished), open_data("digits")
    inputs = run.preprocessing(torch.as_tensor(data.val.pixels(np.arange(5))))
    with evaluating(run.module):
        features, logits = features_and_logits(run.module, inputs, 10)
        assert torch.equal(logits, run.module(inputs))
        # the features are what the last layer reads
        assert torch.equal(run.module.head.linear(features), logits)  # type: ignore[union-attr, operator]
    for row, away in zip(features.numpy(), kept.features_away(features), strict=True):
        unit = row / np.linalg.norm(row)
        every = [
            np.linalg.norm(unit - one / np.linalg.norm(one))
            for one in kept.features.astype(np.float64)
        ]
        assert away == pytest.approx(min(every), abs=1e-3)
    found = looks(inputs)
    for row, away in zip(found, kept.looks_away(found), strict=True):
        every = [np.linalg.norm((row - one) / kept.spread) for one in kept.looks]
        assert away == pytest.approx(min(every), abs=1e-6)


def test_looks_by_hand() -> None:
    image = torch.tensor([[[[0.0, 2.0], [4.0, 6.0]]]])
    brightness, contrast, detail = looks(image)[0]
    assert brightness == 3
    assert contrast == pytest.approx(math.log(math.sqrt(5) + 1e-3))
    assert detail == pytest.approx(math.log((2 + 2 + 4 + 4) / 4 + 1e-3))
    assert np.isfinite(looks(torch.zeros(1, 3, 1, 1))).all()


def test_the_limit_holds_what_it_says() -> None:
    distances = np.random.default_rng(0).permutation(np.arange(1.0, 1000.0))
    assert limit(distances) == 995  # the ⌈0.995 · 1000⌉-th of 999
    assert limit(np.array([3.0, 1.0, 2.0])) == 3


def test_strange_images_are_unlike_and_the_test_split_is_not(finished: Path) -> None:
    run, data = striate.load(finished), open_data("digits")
    predictor = Predictor(
        run.module, run.preprocessing, load_confidence(RunPaths(finished).confidence)
    )

    def share(pixels: np.ndarray) -> float:
        inputs = run.preprocessing(torch.as_tensor(pixels))
        said = predictor(inputs, [str(i) for i in range(len(pixels))])
        return float(np.mean([bool(one.unlike) for one in said]))

    own = data.test.pixels(np.arange(len(data.test)))
    noise = np.random.default_rng(0).integers(0, 17, (200, 1, 8, 8), dtype=np.uint8)
    assert share(own) < 0.05
    assert share(noise) > 0.95
    assert share((16 - own).astype(np.uint8)) > 0.95
    assert share(np.zeros((2, 1, 8, 8), np.uint8)) == 1


class Tail(nn.Module):
    """Ends with a 1 × 1 convolution and a mean, as SqueezeNet does."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Conv2d(1, 4, 3)
        self.decide = nn.Conv2d(4, 10, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.decide(self.body(x).relu()).mean(dim=(2, 3))


def test_features_of_networks_that_end_otherwise() -> None:
    image = torch.randn(2, 1, 8, 8)
    tail = Tail()
    features, _ = features_and_logits(tail, image, 10)
    assert torch.allclose(features, tail.body(image).relu().mean(dim=(2, 3)))
    plain = nn.Sequential(nn.Flatten(), nn.AdaptiveAvgPool1d(10))
    features, logits = features_and_logits(plain, image, 10)
    assert torch.equal(features, logits)


def test_logits_that_are_no_numbers_are_no_prediction(finished: Path) -> None:
    run = striate.load(finished)
    with torch.no_grad():
        next(iter(run.module.parameters())).fill_(float("nan"))
    predictor = Predictor(
        run.module, run.preprocessing, load_confidence(RunPaths(finished).confidence)
    )
    with pytest.raises(InputError, match=r"a.png: the network's logits are not finite"):
        predictor(torch.zeros(1, 1, 8, 8), ["a.png"])
