"""``striate conv``: one kernel slid over one image."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from striate.errors import InputError, OutputError
from striate.seeing.grey import Grey, to_grey
from striate.seeing.kernels import Kernel, read_kernel
from striate.seeing.mechanics import Mechanics, convolve, example_image


@dataclass(frozen=True, kw_only=True)
class ConvResult:
    """The convolution, the kernel it used and, for an image file, the picture of its output."""

    mechanics: Mechanics
    kernel: Kernel
    picture: Path | None
    grey: Grey | None


def conv(
    image: Path | None,
    *,
    kernel: str,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
    true_convolution: bool = False,
    out: Path | None = None,
) -> ConvResult:
    """Slide ``kernel`` over ``image`` (the 5×5 example without one); write the map as a PNG.

    The PNG goes to ``out``, by default ``NAME.KERNEL.png`` beside the image.
    """
    found = read_kernel(kernel)
    pixels = example_image() if image is None else _pixels(image)
    result = convolve(
        pixels,
        found.weights,
        stride=stride,
        padding=padding,
        dilation=dilation,
        true_convolution=true_convolution,
    )
    if image is None and out is None:
        return ConvResult(mechanics=result, kernel=found, picture=None, grey=None)
    if out is None:
        assert image is not None
        out = image.with_name(f"{image.stem}.{found.name}.png")
        if out.exists():
            raise OutputError(f"{out}: exists already; name another file with --out")
    if out.suffix.lower() != ".png":
        raise InputError(f"--out {out}: the feature map is written as PNG; end the name in .png")
    from striate.runs.atomic import atomic_write  # loads torch, which the example does without

    grey = to_grey(result.output)
    atomic_write(out, _png(grey.pixels))
    return ConvResult(mechanics=result, kernel=found, picture=out, grey=grey)


def _pixels(path: Path) -> NDArray[np.integer[Any]]:
    """An image file's own values, (C, H, W), by the same rules as every data set."""
    from striate.data import read_original  # loads torch, which the example does without

    return read_original(path)


def _png(pixels: NDArray[np.uint8]) -> bytes:
    from io import BytesIO

    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()
