"""Test-time views: which they are, and that everybody who judges keeps to them."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from striate.data import Dataset, open_data
from striate.errors import RecipeError
from striate.runs import Preprocessing, evaluate, in_views, known_tta, predict_split
from striate.runs.evaluate import load_evaluation, save_evaluation


class Watcher(nn.Module):
    """Its logits are weighted sums of pixels, so that a mean of logits is one of images."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[torch.Tensor] = []
        generator = torch.Generator().manual_seed(0)
        self.weight = nn.Parameter(torch.randn(10, 64, generator=generator))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.seen.append(x)
        return x.flatten(1) @ self.weight.T


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return open_data("digits")


@pytest.fixture
def images() -> torch.Tensor:
    return torch.randn(3, 1, 8, 8, generator=torch.Generator().manual_seed(1))


def test_flip_is_the_mean_of_an_image_and_its_mirror(images: torch.Tensor) -> None:
    module = Watcher()
    found = in_views(module, "flip")(images)
    assert len(module.seen) == 2
    expected = (module(images) + module(torch.flip(images, dims=(3,)))) / 2
    torch.testing.assert_close(found, expected)


def test_views_are_airbenchs_six(images: torch.Tensor) -> None:
    module = Watcher()
    found = in_views(module, "views")(images)
    assert len(module.seen) == 6
    rows = torch.tensor([1, *range(7)])  # by one pixel down: what comes in is a reflection
    down_right = images[:, :, rows][:, :, :, rows]
    rows = torch.tensor([*range(1, 8), 6])
    up_left = images[:, :, rows][:, :, :, rows]
    weights = ((images, 0.25), (down_right, 0.125), (up_left, 0.125))
    expected = sum(
        weight * (module(view) + module(view.flip(3))) for view, weight in weights
    )  # fmt: skip
    torch.testing.assert_close(found, expected)


def test_an_evaluation_says_in_which_views(
    digits: Dataset, tmp_path_factory: pytest.TempPathFactory
) -> None:
    module, preprocessing = Watcher(), Preprocessing.of(digits)
    plain = evaluate(module, digits.val, preprocessing)
    flipped = evaluate(module, digits.val, preprocessing, tta="flip")
    assert (plain.tta, flipped.tta) == ("none", "flip")
    assert flipped.loss != plain.loss
    logs = predict_split(in_views(module, "flip"), digits.val, preprocessing)
    torch.testing.assert_close(torch.from_numpy(logs).exp(), torch.tensor(flipped.probabilities))
    path = tmp_path_factory.mktemp("kept") / "evaluation.safetensors"
    save_evaluation(path, flipped)
    assert load_evaluation(path).tta == "flip"


def test_names_and_the_module_itself() -> None:
    module = Watcher()
    assert in_views(module, "none") is module
    assert known_tta("views") == "views"
    with pytest.raises(RecipeError, match=r"tta = 'flips': no such way; did you mean flip\?"):
        known_tta("flips")
