"""TrivialAugment, RandAugment and erasing, against arithmetic that is not Pillow's."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image

from striate.data import Augment, DataOptions, Dataset, load_batch, open_data
from striate.data.policy import RAND, TRIVIAL, Op, applied
from striate.data.split import HeldPixels
from striate.errors import DataError

Grays = NDArray[np.uint8]


@pytest.fixture(scope="module")
def shapes() -> Dataset:
    return open_data("shapes", DataOptions(count=400, image=(16, 20)))


@pytest.fixture
def colours() -> Grays:
    """(H, W, 3): a smooth image of all values."""
    rng = np.random.default_rng(0)
    coarse = torch.from_numpy(rng.uniform(0, 255, (1, 3, 4, 5)))
    fine = F.interpolate(coarse, (24, 32), mode="bilinear", align_corners=True)
    return fine[0].permute(1, 2, 0).numpy().round().astype(np.uint8)


def changed(pixels: Grays, name: str, amount: float) -> NDArray[np.float64]:
    image = applied(Image.fromarray(pixels), Op(name, 0), amount, (9, 9, 9))
    return np.asarray(image).astype(np.float64)


def luma(pixels: Grays) -> NDArray[np.float64]:
    return pixels @ np.array([0.299, 0.587, 0.114])


def test_tones(colours: Grays) -> None:
    exact = colours.astype(np.float64)
    np.testing.assert_array_equal(changed(colours, "identity", 1), exact)
    np.testing.assert_array_equal(
        changed(colours, "solarise", 100), np.where(exact >= 156, 255 - exact, exact)
    )
    np.testing.assert_array_equal(changed(colours, "solarise", 0), exact)
    np.testing.assert_array_equal(changed(colours, "solarise", 256), 255 - exact)
    np.testing.assert_array_equal(changed(colours, "posterise", 6), exact // 64 * 64)
    for amount in (-0.9, 0.4):
        bright = np.clip(exact * (1 + amount), 0, 255)
        assert np.abs(changed(colours, "brightness", amount) - bright).max() <= 1
        gray = luma(colours)[:, :, None]
        pale = np.clip(gray + (1 + amount) * (exact - gray), 0, 255)
        assert np.abs(changed(colours, "colour", amount) - pale).max() <= 2
        mean = gray.mean()
        flat = np.clip(mean + (1 + amount) * (exact - mean), 0, 255)
        assert np.abs(changed(colours, "contrast", amount) - flat).max() <= 2
        for name in ("brightness", "colour", "contrast", "sharpness"):
            np.testing.assert_array_equal(changed(colours, name, 0), exact)
    least, most = exact.min(axis=(0, 1)), exact.max(axis=(0, 1))
    wide = 255 * (exact - least) / (most - least)
    assert np.abs(changed(colours, "autocontrast", 0) - wide).max() <= 1
    # Equalised values of each channel are distributed evenly.
    for channel in changed(colours, "equalise", 0).reshape(-1, 3).T:
        shares = np.sort(channel) / 255
        assert np.abs(shares - np.linspace(0, 1, len(shares))).max() < 0.05


@pytest.mark.parametrize(
    ("name", "amount", "matrix"),
    [
        # In torch's affine_grid both axes go from -1 to 1.
        ("rotate", 30, lambda h, w: [[np.cos(np.pi / 6), -h / w / 2, 0],
                                     [w / h / 2, np.cos(np.pi / 6), 0]]),
        ("shear-x", 0.3, lambda h, w: [[1, 0.3 * h / w, 0], [0, 1, 0]]),
        ("shear-y", -0.3, lambda h, w: [[1, 0, 0], [-0.3 * w / h, 1, 0]]),
        ("translate-x", 0.25, lambda h, w: [[1, 0, -0.5], [0, 1, 0]]),
        ("translate-y", -0.4, lambda h, w: [[1, 0, 0], [0, 1, 0.8]]),
    ],
)  # fmt: skip
def test_places(colours: Grays, name: str, amount: float, matrix: object) -> None:
    height, width = colours.shape[:2]
    theta = torch.tensor([matrix(height, width)], dtype=torch.float64)
    planes = torch.from_numpy(colours).permute(2, 0, 1)[None].double()
    size = [1, 3, height, width]
    grid = F.affine_grid(theta, size, align_corners=False)
    exact = F.grid_sample(planes, grid, align_corners=False)[0]
    # Where a neighbour lies outside, the two fill differently.
    inside = (grid[0].abs() < 1 - 2 / torch.tensor([width, height])).all(dim=-1).numpy()
    difference = changed(colours, name, amount) - exact.permute(1, 2, 0).numpy()
    assert np.abs(difference[inside]).max() <= 2.5
    outside = (grid[0].abs() > 1 + 2 / torch.tensor([width, height])).any(dim=-1).numpy()
    assert (changed(colours, name, amount)[outside] == 9).all()
    assert inside.sum() > 200


def test_the_spaces_are_those_of_the_papers() -> None:
    wide = {op.name: (op.most, op.both) for op in TRIVIAL}
    narrow = {op.name: (op.most, op.both) for op in RAND}
    assert len(wide) == len(narrow) == 14
    assert wide["rotate"] == (135, True)
    assert narrow["rotate"] == (30, True)
    assert (wide["posterise"], narrow["posterise"]) == ((6, False), (4, False))  # 8 → 2, 8 → 4 bits
    assert (wide["colour"], narrow["shear-y"]) == ((0.99, True), (0.3, True))
    assert narrow["translate-x"][0] * 331 == pytest.approx(150)


def test_trivial_takes_every_change_at_every_strength(shapes: Dataset) -> None:
    """From the images alone: how many are left as they were, and of how many kinds the rest is."""
    split = shapes.train
    plain = split.pixels(np.arange(len(split)))
    left = 0
    for epoch in range(1, 6):
        out = load_batch(
            split, np.arange(len(split)), augment=Augment(policy="trivial"), seed=0, epoch=epoch
        ).pixels
        left += int((out == plain).all(axis=(1, 2, 3)).sum())
    # One in fourteen is the identity, and one in 31 of ten others has no strength; autocontrast
    # and posterising by less than half a bit change nothing of some images.
    share = left / (5 * len(split))
    assert 1 / 14 < share < 0.35


def test_rand_makes_as_many_changes_as_asked(shapes: Dataset) -> None:
    def distance(**options: int) -> float:
        augment = Augment(policy="rand", **options)
        draws = np.arange(len(shapes.train))
        out = load_batch(shapes.train, draws, augment=augment, seed=0, epoch=1).pixels
        return float(np.abs(out.astype(float) - shapes.train.pixels(draws)).mean())

    assert distance(ops=1, strength=9) < distance(ops=3, strength=9)
    assert distance(ops=2, strength=3) < distance(ops=2, strength=25)


def test_an_image_does_not_depend_on_its_batch(shapes: Dataset) -> None:
    augment = Augment(policy="rand", ops=2, strength=20, erase=0.5)
    together = load_batch(shapes.train, np.arange(40), augment=augment, seed=3, epoch=2).pixels
    for i in range(40):
        alone = load_batch(shapes.train, np.array([i]), augment=augment, seed=3, epoch=2).pixels
        np.testing.assert_array_equal(alone[0], together[i])


def test_digits_keep_their_scale() -> None:
    train = open_data("digits").train
    draws = np.arange(400)
    out = load_batch(train, draws, augment=Augment(policy="trivial"), seed=0, epoch=1).pixels
    plain = train.pixels(draws)
    assert out.max() <= 16
    same = Counter((out == plain).all(axis=(1, 2, 3)).tolist())
    assert same[True] > 28  # one in fourteen is the identity: the scale is taken back exactly
    assert same[False] > 200


def test_erasing_covers_a_rectangle_of_the_asked_share(shapes: Dataset) -> None:
    white = np.full((len(shapes.train), 3, 16, 20), 255, np.uint8)
    split = replace(shapes.train, store=HeldPixels(array=white), fill=(1, 2, 3))
    draws = np.arange(len(split))
    out = load_batch(split, draws, augment=Augment(erase=0.25), seed=0, epoch=1).pixels
    covered = (out != 255).any(axis=1)
    count = int(covered.any(axis=(1, 2)).sum())
    assert abs(count - len(split) / 4) < 5 * np.sqrt(len(split) * 3 / 16)
    shares = set[int]()
    for image, mask in zip(out, covered, strict=True):
        if mask.any():
            down, across = np.nonzero(mask)
            assert len(down) == (np.ptp(down) + 1) * (np.ptp(across) + 1)
            assert image[:, down[0], across[0]].tolist() == [1, 2, 3]
            shares.add(len(down))
    assert min(shares) >= 0.005 * 320
    assert 0.3 * 320 < max(shares) <= 0.45 * 320


def test_what_cannot_be_changed_so(shapes: Dataset) -> None:
    deep = replace(shapes, counts=np.zeros((3, 65536), np.int64))
    with pytest.raises(
        DataError, match='augment policy "trivial": the images have 16 bits a value'
    ):
        Augment(policy="trivial").refuse_for(deep)
    Augment(flip=True, translate=3, erase=0.5).refuse_for(deep)
    four = replace(shapes, image=(4, 16, 20))
    with pytest.raises(DataError, match="the images have 4 channels"):
        Augment(policy="rand").refuse_for(four)
    with pytest.raises(DataError, match="augment translate 16 is not smaller than the 16x20 image"):
        Augment(translate=16).refuse_for(shapes)
    with pytest.raises(DataError, match="augment strength 31 is none; use 0 to 30"):
        Augment(strength=31)
    with pytest.raises(DataError, match="augment ops 0 would change nothing; use 1 or more"):
        Augment(ops=0)
