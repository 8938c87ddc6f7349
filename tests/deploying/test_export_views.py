"""An exported file of a run that judges in views, against the views written out in NumPy, the run's
own evaluation and ``striate predict``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

pytest.importorskip("onnx", reason="needs the extra export (pip install 'striate[export]')")
pytest.importorskip("onnxruntime", reason="needs the extra export")
pytest.importorskip("onnxscript", reason="needs the extra export")

import onnx
import onnxruntime

import striate
from striate.data import open_data
from striate.flow.events import FitOptions
from striate.flow.export import Begun, ExportOptions, export_run
from striate.flow.fit import fit

VIEWS = ((0.25, 1, 1), (0.125, 0, 0), (0.125, 2, 2))
"""Weight of an image and of its mirror image each, and where each begins in one padded by 1."""


def softmax(logits: Any) -> Any:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def test_the_file_sees_the_views_of_the_run(finished: Path, tmp_path: Path) -> None:
    options = FitOptions(
        arch=str(finished.parent / "tiny.toml"), epochs=1, threads=1, setting="fp32",
        changes={"tta": "views"}, out=tmp_path / "run",
    )  # fmt: skip
    fit("digits", options)
    begun, *_ = export_run(tmp_path / "run", ExportOptions(out=tmp_path / "out"))
    said = "the file sees each image six times, mirrored and shifted, as the run does"
    assert isinstance(begun, Begun)
    assert said in begun.said

    run, test = striate.load(tmp_path / "run"), open_data("digits").test
    assert run.evaluation is not None
    kept = run.preprocessing
    mean, std = (np.reshape(one, (1, -1, 1, 1)) for one in (kept.mean, kept.std))
    session = onnxruntime.InferenceSession(tmp_path / "out" / "model.onnx")

    def normal(shares: Any) -> Any:
        return ((shares - mean) / std).astype(np.float32)

    def file_says(images: Any) -> Any:
        return session.run(None, {session.get_inputs()[0].name: images})[0]

    def eager(images: Any) -> Any:
        with torch.no_grad():
            return run.module.eval()(torch.tensor(images)).numpy()

    pixels = test.pixels(np.arange(len(test)))
    images = normal(pixels / test.scale)
    logits = file_says(images)
    padded = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="reflect")
    wanted = sum(
        weight * (eager(view) + eager(view[..., ::-1].copy()))
        for weight, top, left in VIEWS
        for view in [padded[..., top : top + 8, left : left + 8]]
    )
    most = np.abs(wanted).max()
    assert np.abs(logits - wanted).max() < 1e-4 * most
    assert np.abs(eager(images) - wanted).max() > 0.01 * most  # one view alone says otherwise
    np.testing.assert_allclose(softmax(logits), run.evaluation.probabilities, atol=1e-5)

    model = onnx.load(tmp_path / "out" / "model.onnx")
    facts = json.loads({one.key: one.value for one in model.metadata_props}["striate"])
    for index in range(3):
        file, gray = tmp_path / f"{index}.png", pixels[index, 0] * 15
        Image.fromarray(gray).save(file)
        confidences = softmax(file_says(normal(gray[None, None] / 255)) / facts["temperature"])[0]
        (told,) = striate.predict(tmp_path / "run", file)
        assert told.classes[0] == facts["classes"][confidences.argmax()]
        assert told.confidences[0] == pytest.approx(confidences.max(), abs=1e-5)
