"""Bringing an image to a size.

Every resize is Pillow's bilinear filter, whose support grows with the factor, so that shrinking
does not alias.  Its weights are never negative, so no value leaves the range of its neighbours
and nothing is clipped.  8-bit images are resized in 8 bits, 16-bit ones through float32 and
rounded to the nearest integer.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from striate.data.options import Fit, Pixels

Box = tuple[float, float, float, float]
"""Top, left, bottom, right in pixels; need not be whole."""


def fit_image(image: Pixels, target: tuple[int, int], policy: Fit) -> Pixels:
    """``image`` (C, h, w) at ``target`` (H, W).

    ``crop``: the largest centred part of the target's shape (so the short side meets the target).
    ``pad``: the whole image, centred on zeros.  ``stretch``: the whole image, its shape changed.
    An image that has the target's size comes back as it is.
    """
    channels, height, width = image.shape
    if (height, width) == target:
        return image
    if policy == "stretch":
        return resize(image, target, (0, 0, height, width))
    if policy == "crop":
        factor = min(height / target[0], width / target[1])
        box_h, box_w = target[0] * factor, target[1] * factor
        top, left = (height - box_h) / 2, (width - box_w) / 2
        return resize(image, target, (top, left, top + box_h, left + box_w))
    factor = min(target[0] / height, target[1] / width)
    inner = max(1, round(height * factor)), max(1, round(width * factor))
    top, left = (target[0] - inner[0]) // 2, (target[1] - inner[1]) // 2
    out = np.zeros((channels, *target), dtype=image.dtype)
    out[:, top : top + inner[0], left : left + inner[1]] = resize(
        image, inner, (0, 0, height, width)
    )
    return out


def resize(image: Pixels, target: tuple[int, int], box: Box) -> Pixels:
    """The part ``box`` of ``image`` (C, h, w) at ``target`` (H, W), in the image's own depth."""
    channels, height, width = image.shape
    # Sums of floats may stick out of the image by a rounding error; Pillow refuses such a box.
    left_top_right_bottom = (
        max(box[1], 0.0), max(box[0], 0.0), min(box[3], width), min(box[2], height)
    )  # fmt: skip
    size = (target[1], target[0])
    if image.dtype == np.uint8 and channels == 3:
        across = Image.fromarray(np.ascontiguousarray(image.transpose(1, 2, 0)))
        small = across.resize(size, Image.Resampling.BILINEAR, box=left_top_right_bottom)
        return np.asarray(small).transpose(2, 0, 1)
    out = np.empty((channels, *target), dtype=image.dtype)
    for number, channel in enumerate(image):
        exact = channel if image.dtype == np.uint8 else channel.astype(np.float32)
        plane = Image.fromarray(np.ascontiguousarray(exact))
        small = plane.resize(size, Image.Resampling.BILINEAR, box=left_top_right_bottom)
        out[number] = np.rint(np.asarray(small)) if image.dtype != np.uint8 else np.asarray(small)
    return out


def to_channels(image: Pixels, channels: int) -> Pixels:
    """``image`` (C, h, w) with 1 or 3 channels.

    Gray to colour repeats the channel.  Colour to gray is the luma of ITU-R BT.601 in Pillow's
    integer form: (19595 R + 38470 G + 7471 B + 32768) / 65536, rounded down.
    """
    if image.shape[0] == channels:
        return image
    if image.shape[0] == 1:
        return np.repeat(image, channels, axis=0)
    weights = np.array([19595, 38470, 7471], dtype=np.uint64).reshape(3, 1, 1)
    luma = (image.astype(np.uint64) * weights).sum(axis=0, keepdims=True) + np.uint64(32768)
    return (luma >> np.uint64(16)).astype(image.dtype)
