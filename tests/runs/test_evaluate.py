"""Evaluation against scikit-learn and against the network asked image by image."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.metrics import confusion_matrix, log_loss
from torch import Tensor, nn

from striate.data import Dataset, open_data
from striate.errors import DataError, RunError, TargetError
from striate.runs import (
    Preprocessing,
    Setting,
    evaluate,
    evaluating,
    load_evaluation,
    logits_of,
    memory_format,
    place,
    save_evaluation,
)


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return open_data("digits")


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(), nn.Flatten(),
        nn.Linear(144, 10),
    )  # fmt: skip


def test_numbers_are_those_of_scikit_learn(digits: Dataset) -> None:
    module, preprocessing = net(), Preprocessing.of(digits)
    module.train()
    found = evaluate(module, digits.val, preprocessing, batch_size=50)
    assert all(part.training for part in module.modules())

    labels, rows = digits.val.labels, []
    module.eval()
    for i in range(len(labels)):  # one image at a time, by hand
        pixels = digits.val.pixels(np.array([i])).astype(np.float64)
        images = (pixels / 16 - digits.mean[0]) / digits.std[0]
        with torch.no_grad():
            rows.append(module(torch.tensor(images, dtype=torch.float32)).softmax(1).numpy()[0])
    expected = np.stack(rows)
    np.testing.assert_allclose(found.probabilities, expected, atol=1e-5)
    assert found.accuracy == (expected.argmax(1) == labels).mean()
    assert found.loss == pytest.approx(log_loss(labels, expected, labels=range(10)), rel=1e-4)
    np.testing.assert_array_equal(
        found.confusion, confusion_matrix(labels, expected.argmax(1), labels=range(10))
    )
    assert (found.split, found.classes, len(found)) == ("val", tuple("0123456789"), 179)


@pytest.mark.parametrize("setting", ["fp32", "fp32-channels-last", "bf16", "bf16-channels-last"])
def test_settings_decide_type_and_memory_order(digits: Dataset, setting: Setting) -> None:
    class Watcher(nn.Conv2d):
        seen: tuple[torch.dtype, bool] | None = None

        def forward(self, x: Tensor) -> Tensor:
            out = super().forward(x)
            self.seen = (out.dtype, x.is_contiguous(memory_format=memory_format(setting)))
            return out

    torch.manual_seed(0)
    first = Watcher(1, 4, 3)
    module = nn.Sequential(first, nn.Flatten(), nn.Linear(144, 10))
    found = evaluate(module, digits.val, Preprocessing.of(digits), setting=setting)
    assert first.seen == (torch.bfloat16 if "bf16" in setting else torch.float32, True)
    assert first.weight.dtype == torch.float32
    assert found.probabilities.dtype == np.float32
    plain = evaluate(module, digits.val, Preprocessing.of(digits))
    tolerance = 0.03 if "bf16" in setting else 1e-5
    np.testing.assert_allclose(found.probabilities, plain.probabilities, atol=tolerance)


def test_place_reorders_four_dimensions_alone() -> None:
    module = place(nn.Sequential(nn.Conv2d(4, 4, 3), nn.Conv1d(4, 4, 3)), "fp32-channels-last")
    assert module[0].weight.is_contiguous(memory_format=torch.channels_last)
    assert module[1].weight.is_contiguous()
    assert place(module, "bf16")[0].weight.is_contiguous()


def test_outputs_that_are_no_logits() -> None:
    images = torch.zeros(2, 3, 4, 4)

    class Gives(nn.Module):
        def __init__(self, value: object) -> None:
            super().__init__()
            self.value = value

        def forward(self, x: Tensor) -> object:
            return self.value

    good = torch.zeros(2, 5)
    assert torch.equal(logits_of(Gives(SimpleNamespace(logits=good)), images, "fp32", 5), good)
    with pytest.raises(TargetError, match=r"Gives returns a dict; training needs a tensor"):
        logits_of(Gives({}), images, "fp32", 5)
    with pytest.raises(TargetError, match=r"\(2, 5\) for 2 images of 4 classes"):
        logits_of(Gives(good), images, "fp32", 4)


def test_each_part_gets_its_own_mode_back() -> None:
    module = nn.Sequential(nn.Dropout(), nn.Dropout())
    module[0].eval()
    with evaluating(module):
        assert not module[1].training
    assert (module.training, module[0].training, module[1].training) == (True, False, True)


def test_stored_and_read_back(digits: Dataset, tmp_path: Path) -> None:
    found = evaluate(net(), digits.val, Preprocessing.of(digits))
    save_evaluation(tmp_path / "e", found)
    back = load_evaluation(tmp_path / "e")
    assert (back.split, back.classes) == (found.split, found.classes)
    assert (back.accuracy, back.loss, back.ece) == (found.accuracy, found.loss, found.ece)
    for name in ("probabilities", "labels", "confusion"):
        np.testing.assert_array_equal(getattr(back, name), getattr(found, name))
    (tmp_path / "e").write_bytes(b"")
    with pytest.raises(RunError, match="not a whole safetensors file"):
        load_evaluation(tmp_path / "e")
    with pytest.raises(RunError, match="cannot be read"):
        load_evaluation(tmp_path / "none")


def test_an_empty_split(digits: Dataset) -> None:
    from dataclasses import replace

    empty = replace(digits.val, ids=digits.val.ids[:0], labels=digits.val.labels[:0])
    with pytest.raises(DataError, match="the val split has no images"):
        evaluate(net(), empty, Preprocessing.of(digits))
