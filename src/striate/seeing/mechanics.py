"""Convolution as it is worked out by hand: patch, kernel, products, sum, at every position.

Computed with numpy alone, by adding one shifted and weighted image for each weight of the kernel;
it shares no code with PyTorch, whose ``conv2d`` it equals.

Comes in: an image and a kernel, (H, W) or (C, H, W) and (kh, kw) or (C, kh, kw).
Goes out: ``Mechanics``.  May import: numpy, ``striate.errors``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from striate.errors import InputError

Numbers = NDArray[Any]  # int64 or float64


@dataclass(frozen=True, kw_only=True)
class Position:
    """What happens at one position of the output.

    ``rows`` and ``cols``: the input rows and columns that are looked at; those below 0 or beyond
    the image are padding.  ``patch``, ``kernel``, ``products``: (C, kh, kw).  ``sum``: their total,
    the output value.  ``text``: the whole sum written out, channel by channel, row by row.
    """

    row: int
    col: int
    rows: tuple[int, ...]
    cols: tuple[int, ...]
    patch: Numbers
    kernel: Numbers
    products: Numbers
    sum: int | float
    text: str

    def as_json(self) -> dict[str, Any]:
        return {
            "row": self.row,
            "col": self.col,
            "rows": list(self.rows),
            "cols": list(self.cols),
            "patch": self.patch.tolist(),
            "products": self.products.tolist(),
            "sum": self.sum,
            "text": self.text,
        }


@dataclass(frozen=True, kw_only=True)
class Mechanics:
    """One kernel slid over one image.

    ``image`` (C, H, W) and ``kernel`` (C, kh, kw) as it slides (turned already, where
    ``true_convolution``); ``output`` (OH, OW).  All are integers where both image and kernel are,
    else float64.  ``stride``, ``padding`` and ``dilation`` are (rows, columns).
    """

    image: Numbers
    kernel: Numbers
    output: Numbers
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    true_convolution: bool

    @property
    def positions(self) -> int:
        """How many positions the kernel visits."""
        return self.output.size

    def at(self, row: int, col: int) -> Position:
        """The sum at output position (row, col), counted from 0; InputError when out of range."""
        height, width = self.output.shape
        if not (0 <= row < height and 0 <= col < width):
            raise InputError(
                f"position ({row}, {col}) is outside the {height}×{width} output; "
                f"rows go from 0 to {height - 1}, columns from 0 to {width - 1}"
            )
        _, kh, kw = self.kernel.shape
        top = row * self.stride[0] - self.padding[0]
        left = col * self.stride[1] - self.padding[1]
        rows = tuple(top + i * self.dilation[0] for i in range(kh))
        cols = tuple(left + j * self.dilation[1] for j in range(kw))
        padded = _padded(self.image, self.padding)
        patch = padded[
            :,
            np.array(rows)[:, None] + self.padding[0],
            np.array(cols)[None, :] + self.padding[1],
        ]
        products = patch * self.kernel
        total = self.output[row, col].item()
        terms = " + ".join(
            f"{show(k)}·{show(p)}"
            for k, p in zip(self.kernel.ravel().tolist(), patch.ravel().tolist(), strict=True)
        )
        return Position(
            row=row,
            col=col,
            rows=rows,
            cols=cols,
            patch=patch,
            kernel=self.kernel,
            products=products,
            sum=total,
            text=f"{terms} = {show(total)}",
        )

    def as_json(self) -> dict[str, Any]:
        return {
            "image_shape": list(self.image.shape),
            "kernel": self.kernel.tolist(),
            "stride": list(self.stride),
            "padding": list(self.padding),
            "dilation": list(self.dilation),
            "true_convolution": self.true_convolution,
            "output_shape": list(self.output.shape),
            "output": self.output.tolist(),
        }


def convolve(
    image: NDArray[Any],
    kernel: NDArray[Any],
    *,
    stride: int | tuple[int, int] = 1,
    padding: int | tuple[int, int] = 0,
    dilation: int | tuple[int, int] = 1,
    true_convolution: bool = False,
) -> Mechanics:
    """Slide ``kernel`` over ``image``, multiply and sum at every position.

    ``image``: (H, W) or (C, H, W); ``kernel``: (kh, kw), used on every channel, or (C, kh, kw).
    The products of all channels go into one sum, as for one filter of ``nn.Conv2d``.
    Output size per axis: floor((n + 2·padding − dilation·(k − 1) − 1) / stride) + 1.
    It is cross-correlation, as in PyTorch; ``true_convolution`` turns the kernel by 180° first.

    >>> convolve(example_image(), np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])).at(0, 0).text
    '-1·0 + 0·0 + 1·9 + -2·0 + 0·0 + 2·9 + -1·0 + 0·0 + 1·9 = 36'

    InputError for shapes that do not fit, values that are not finite, and a kernel that is larger
    than the padded image.
    """
    pixels = _planes(image, "image")
    weights = _planes(kernel, "kernel")
    if len(weights) == 1 and len(pixels) > 1:
        weights = np.repeat(weights, len(pixels), axis=0)
    if len(weights) != len(pixels):
        raise InputError(
            f"the kernel has {len(weights)} channels and the image has {len(pixels)}; "
            "give a kernel with one channel or with as many as the image"
        )
    step = _pair(stride, "stride", least=1)
    pad = _pair(padding, "padding", least=0)
    spread = _pair(dilation, "dilation", least=1)
    if true_convolution:
        weights = weights[:, ::-1, ::-1]
    if not (pixels.dtype == weights.dtype == np.int64):
        pixels, weights = pixels.astype(np.float64), weights.astype(np.float64)

    spans = [spread[axis] * (weights.shape[1 + axis] - 1) + 1 for axis in (0, 1)]
    room = [pixels.shape[1 + axis] + 2 * pad[axis] for axis in (0, 1)]
    if spans[0] > room[0] or spans[1] > room[1]:
        raise InputError(
            f"the kernel spans {spans[0]}×{spans[1]} pixels and the padded image has "
            f"{room[0]}×{room[1]}; use a smaller kernel or dilation, or more padding"
        )
    height, width = ((room[axis] - spans[axis]) // step[axis] + 1 for axis in (0, 1))
    padded = _padded(pixels, pad)
    output = np.zeros((height, width), pixels.dtype)
    for i in range(weights.shape[1]):
        for j in range(weights.shape[2]):
            top, left = i * spread[0], j * spread[1]
            seen = padded[
                :,
                top : top + (height - 1) * step[0] + 1 : step[0],
                left : left + (width - 1) * step[1] + 1 : step[1],
            ]
            output += np.tensordot(weights[:, i, j], seen, axes=1)
    return Mechanics(
        image=pixels,
        kernel=weights,
        output=output,
        stride=step,
        padding=pad,
        dilation=spread,
        true_convolution=true_convolution,
    )


def example_image() -> NDArray[np.int64]:
    """The 5×5 image that explains it best: columns 0, 0, 9, 9, 9, one vertical edge."""
    return np.tile(np.array([0, 0, 9, 9, 9]), (5, 1))


def show(value: float) -> str:
    """A number as it is written in a sum: integers whole, others to 4 significant digits.

    >>> show(9.0), show(-2), show(1 / 16), show(1e-9)
    ('9', '-2', '0.0625', '1e-09')
    """
    return str(int(value)) if float(value).is_integer() else f"{value:.4g}"


def _planes(array: NDArray[Any], what: str) -> Numbers:
    """The array as (C, H, W): int64 where it holds integers exactly, else float64."""
    given = np.asarray(array)
    if given.ndim not in (2, 3) or given.size == 0:
        raise InputError(
            f"the {what} has shape {'×'.join(map(str, given.shape)) or '()'}; "
            "give (height, width) or (channels, height, width), none of them 0"
        )
    if given.dtype.kind not in "buif":
        raise InputError(f"the {what} holds {given.dtype}; give integers or real numbers")
    planes = given if given.ndim == 3 else given[None]
    if planes.dtype.kind == "f" and not np.isfinite(planes).all():
        raise InputError(f"the {what} holds NaN or infinity; give finite numbers")
    numbers = planes.astype(np.float64)
    # Below 2**28 a sum of even 128 products cannot overflow 64 bits.
    if (numbers == np.floor(numbers)).all() and np.abs(numbers).max() < 2**28:
        return numbers.astype(np.int64)
    return numbers


def _padded(pixels: Numbers, padding: tuple[int, int]) -> Numbers:
    return np.pad(pixels, ((0, 0), (padding[0],) * 2, (padding[1],) * 2))


def _pair(value: int | tuple[int, int], name: str, *, least: int) -> tuple[int, int]:
    pair = (value, value) if isinstance(value, int) else value
    if min(pair) < least:
        raise InputError(f"{name} {value} is too small; use {least} or more")
    return pair
