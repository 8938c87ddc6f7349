"""Options that cannot be are refused, with the mend."""

from __future__ import annotations

from typing import Any

import pytest

from striate.data import Augment, DataOptions
from striate.errors import DataError


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fit": "crp"}, "fit 'crp' is unknown; did you mean crop?"),
        ({"bad_images": "skipp"}, "bad_images 'skipp' is unknown; did you mean skip?"),
        ({"decoder": "cv2"}, "decoder 'cv2' is unknown; choose from auto, pillow, simplejpeg"),
        ({"val": 0.6, "test": 0.4}, "val 0.6 and test 0.4 leave nothing to train on; use shares"),
        ({"val": -0.1}, "val -0.1 and test 0.2 leave nothing"),
        ({"image": (3, 0, 10)}, "image 3x0x10 is no image size; use HxW or CxHxW"),
        ({"image": (2, 8, 8)}, "image 2x8x8 is no image size"),
        ({"image": (8,)}, "image 8 is no image size"),
        ({"group": "p("}, "group 'p(' is no regular expression: missing ), unterminated"),
        ({"count": 0}, "count 0 is no number of images; use 1 or more"),
        ({"share": 0}, "share 0 of the training images: use 1, or less, above 0"),
        ({"share": 1.5}, "share 1.5 of the training images"),
        ({"cache_bytes": -1}, "cache of -1 bytes cannot be; use 0 or more"),
    ],
)
def test_impossible_options(options: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError) as caught:
        DataOptions(**options)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("key", ["translate", "cutout"])
def test_impossible_augmentation(key: str) -> None:
    with pytest.raises(DataError, match=f"augment {key} -1 is negative; use 0 or more"):
        Augment(**{key: -1})


def test_image_size_with_and_without_channels() -> None:
    assert DataOptions(image=(8, 9)).side == (8, 9)
    assert DataOptions(image=(8, 9)).channels is None
    assert DataOptions(image=(1, 8, 9)).side == (8, 9)
    assert DataOptions(image=(1, 8, 9)).channels == 1
    assert DataOptions().side is None
