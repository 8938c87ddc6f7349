"""Pixels from the bytes of one image."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from striate.data.images.bad import BadImage
from striate.data.images.exif import upright
from striate.data.images.header import Header, open_with_pillow, pillow_says, read_header
from striate.data.images.png import decode_deep_png, read_png_header
from striate.data.options import Decoder, Pixels
from striate.errors import DataError

JpegDecoder = Literal["pillow", "simplejpeg"]


def choose_decoder(asked: Decoder) -> JpegDecoder:
    """Who decodes plain JPEG: ``auto`` is simplejpeg where it is installed, else Pillow."""
    if asked == "pillow":
        return "pillow"
    try:
        import simplejpeg
    except ImportError as error:
        if asked == "auto":
            return "pillow"
        raise DataError(
            "decoder simplejpeg is not installed; pip install simplejpeg, or take decoder pillow"
        ) from error
    del simplejpeg
    return "simplejpeg"


def decode(data: bytes, decoder: JpegDecoder, header: Header | None = None) -> Pixels:
    """(C, h, w), uint8 or uint16, C 1 or 3, upright; BadImage where it cannot be decoded."""
    header = header or read_header(data)
    if header.route == "jpeg" and decoder == "simplejpeg":
        pixels = _by_simplejpeg(data, colour=header.colour)
    elif header.route == "deep-png":
        pixels = _over_white(decode_deep_png(data, read_png_header(data)))
    else:
        pixels = _by_pillow(data, header)
    pixels = upright(pixels.transpose(2, 0, 1), header.turned)
    if pixels.shape[1:] != (header.height, header.width):
        raise BadImage("has another size than its header says")
    return pixels


def _by_simplejpeg(data: bytes, *, colour: bool) -> Pixels:
    import simplejpeg

    try:
        return simplejpeg.decode_jpeg(data, "RGB" if colour else "GRAY")
    except ValueError as error:
        raise BadImage(f"cannot be decoded ({error})") from error


def _by_pillow(data: bytes, header: Header) -> Pixels:
    """(h, w, C)."""
    image = open_with_pillow(data)
    with pillow_says():
        image.load()
        if header.deep:
            return _deep(np.asarray(image), turned_over="from-white" in header.traits)
        if "alpha" in header.traits:
            mode = "RGBA" if header.colour else "LA"
            return _over_white(np.asarray(image.convert(mode)))
        pixels = np.asarray(image.convert("RGB" if header.colour else "L"))
    return pixels if header.colour else pixels[:, :, None]


def _deep(values: NDArray[Any], *, turned_over: bool) -> NDArray[np.uint16]:
    # Mode I (16-bit PGM) holds its values in 32 bits.
    plain = values.astype(np.uint16)[:, :, None]
    return np.uint16(65535) - plain if turned_over else plain


def _over_white(pixels: Pixels) -> Pixels:
    """(h, w, C + 1) composited over white: (value · alpha + greatest · (greatest − alpha)) /
    greatest, to the nearest integer.  (h, w, 3) of no alpha comes back as it is.
    """
    if pixels.shape[2] == 3:
        return pixels
    greatest = np.int64(np.iinfo(pixels.dtype).max)
    values, alpha = pixels[:, :, :-1].astype(np.int64), pixels[:, :, -1:].astype(np.int64)
    mixed = values * alpha + greatest * (greatest - alpha)
    return ((mixed + greatest // 2) // greatest).astype(pixels.dtype)
