"""``--arch auto``: what is promised of every choice, over sizes, amounts of data and budgets."""

from __future__ import annotations

from dataclasses import replace

import pytest

from striate.building import build
from striate.checking import check
from striate.errors import ArchError
from striate.flow.choose import PARAMS_PER_IMAGE, WIDTHS, Need, choose
from striate.tracing import trace

IMAGES = [(1, 8, 8), (1, 28, 28), (3, 32, 32), (3, 48, 64), (3, 96, 96), (3, 224, 224)]


def need(image: tuple[int, int, int], images: int = 2_000, seconds: float = 600) -> Need:
    return Need(image=image, classes=7, train_images=images, seconds=seconds, epochs=30, cores=2)


@pytest.mark.parametrize("image", IMAGES, ids=str)
def test_the_field_covers_the_image_and_no_layer_is_idle(image: tuple[int, int, int]) -> None:
    choice = choose(need(image))
    assert choice.arch.image == image
    assert choice.arch.classes == 7
    found = trace(build(choice.arch), image)  # anew: from real weights, not the choice's own
    assert check(found) == []
    fields = [layer.field for layer in found if layer.op == "conv2d"]
    assert max(field.size[0] for field in fields if field) >= image[1]
    assert max(field.size[1] for field in fields if field) >= image[2]
    assert found.totals == choice.trace.totals
    side = min(image[1:])
    assert f"covers the {image[1]}×{image[2]} image" in choice.why
    assert min(found.last("conv2d").shape[2:]) >= min(4, side)


def test_more_images_and_more_time_never_give_a_narrower_net() -> None:
    widths = [choose(need((3, 32, 32), images)).arch.stem.width for images in (50, 500, 5_000)]
    assert widths == sorted(widths)
    assert widths[0] < widths[-1]
    times = [
        choose(need((3, 32, 32), 50_000, seconds)).arch.stem.width for seconds in (6, 600, 60_000)
    ]
    assert times == sorted(times)
    assert times[0] < times[-1]


def test_parameters_follow_the_images() -> None:
    for images in (200, 2_000, 20_000):
        choice = choose(need((3, 32, 32), images, seconds=1e9))
        smallest = choice.arch.stem.width == WIDTHS[0]
        assert smallest or choice.trace.totals.params <= PARAMS_PER_IMAGE * images


def test_nothing_in_it_is_random() -> None:
    assert choose(need((3, 64, 64))) == choose(need((3, 64, 64)))


@pytest.mark.parametrize("image", [(1, 1, 1), (1, 2, 2), (3, 1, 64)], ids=str)
def test_an_image_that_no_design_suits(image: tuple[int, int, int]) -> None:
    with pytest.raises(ArchError, match=r"--arch auto: no design suits .* images; give larger"):
        choose(replace(need(image)))
