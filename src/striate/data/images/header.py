"""What is known of an image before it is decoded, and by whom it will be."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from PIL import Image, ImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.PpmImagePlugin import PpmImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from striate.data.images.bad import BadImage
from striate.data.images.exif import orientation
from striate.data.images.jpeg import bare_jpeg, is_jpeg, read_jpeg_header
from striate.data.images.png import is_png, read_png_header

Trait = Literal["1-bit", "palette", "alpha", "cmyk", "16-bit", "rotated", "from-white"]
TRAITS: tuple[Trait, ...] = (
    "1-bit", "palette", "alpha", "cmyk", "16-bit", "rotated", "from-white",
)  # fmt: skip

Route = Literal["jpeg", "deep-png", "pillow"]

# Importing these registers them: Pillow would do it at the first image, in some thread.
_READERS: tuple[type[ImageFile.ImageFile], ...] = (
    BmpImageFile, GifImageFile, JpegImageFile, PngImageFile, PpmImageFile,
    TiffImageFile, WebPImageFile,
)  # fmt: skip
_FORMATS = tuple(str(reader.format) for reader in _READERS)
_GRAY = ("1", "L", "LA", "I;16", "I;16B", "I;16L", "I")
_COLOUR = ("P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr")
_BITS_PER_SAMPLE, _PHOTOMETRIC, _ORIENTATION = 258, 262, 274

_MAGIC = {
    b"\xff\xd8\xff": "JPEG", b"\x89PNG": "PNG", b"GIF8": "GIF", b"BM": "BMP", b"II*\0": "TIFF",
    b"MM\0*": "TIFF", b"RIFF": "WebP",
}  # fmt: skip

MOST_PIXELS = 89_478_485
"""Where Pillow begins to warn of files made to fill the memory."""

# All that Pillow is known to raise on broken files.  Warning: where warnings are made errors.
_PILLOW_RAISES = (
    OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, OverflowError, TypeError,
    AttributeError, struct.error, zlib.error, Image.DecompressionBombError, Warning,
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Header:
    """``height`` and ``width`` are upright, ``turned`` is the EXIF orientation still to be undone.

    ``colour``: decodes to 3 channels, else to 1.  ``deep``: decodes to uint16.
    """

    height: int
    width: int
    colour: bool
    deep: bool
    turned: int
    route: Route
    traits: frozenset[Trait]


@contextmanager
def pillow_says() -> Generator[None]:
    """Turn what Pillow raises on a broken file into BadImage."""
    try:
        yield
    except _PILLOW_RAISES as error:
        said = " ".join(str(error).split()) or type(error).__name__
        raise BadImage(f"cannot be decoded ({said})") from error


def open_with_pillow(data: bytes) -> Image.Image:
    """Pillow's lazy image; nothing but image formats that cannot run code are tried."""
    stream = io.BytesIO(bare_jpeg(data) if is_jpeg(data) else data)
    with pillow_says():
        try:
            return Image.open(stream, formats=_FORMATS)
        except Image.UnidentifiedImageError as error:
            for magic, name in _MAGIC.items():
                if data.startswith(magic):
                    raise BadImage(f"is a truncated or corrupt {name}") from error
            raise BadImage(
                f"is no image striate reads (its first bytes are {data[:8]!r})"
            ) from error


def read_header(data: bytes) -> Header:
    """The header of one encoded image; BadImage where it cannot be used."""
    if not data:
        raise BadImage("is empty")
    header = _read_header(data)
    if header.height * header.width > MOST_PIXELS:
        raise BadImage(
            f"says it is {header.height}x{header.width}, more than {MOST_PIXELS} pixels; "
            "cut it into tiles"
        )
    return header


def _read_header(data: bytes) -> Header:
    if is_jpeg(data):
        found = read_jpeg_header(data)
        if found.plain:
            traits: set[Trait] = {"rotated"} if found.turned > 1 else set()
            return _header(
                found.height, found.width, found.turned, "jpeg", traits, colour=found.channels == 3
            )
        return _by_pillow(data, found.turned)
    if is_png(data):
        png = read_png_header(data)
        if png.animated:
            raise BadImage("holds several frames; save the one that is meant")
        if png.deep_colour:
            traits = {"16-bit"}
            traits |= {"alpha"} if png.transparent else set()
            traits |= {"rotated"} if png.turned > 1 else set()
            size = (png.height, png.width) if png.turned < 5 else (png.width, png.height)
            return _header(*size, png.turned, "deep-png", traits, colour=png.kind != 4, deep=True)
        return _by_pillow(data, png.turned)
    return _by_pillow(data, 1)


def _header(
    height: int,
    width: int,
    turned: int,
    route: Route,
    traits: set[Trait],
    *,
    colour: bool,
    deep: bool = False,
) -> Header:
    return Header(
        height=height, width=width, turned=turned, route=route,
        traits=frozenset(traits), colour=colour, deep=deep,
    )  # fmt: skip


def _by_pillow(data: bytes, turned: int) -> Header:
    image = open_with_pillow(data)
    with pillow_says():
        tags: Any = getattr(image, "tag_v2", {})
        several = bool(getattr(image, "is_animated", False))
        mode, transparent = image.mode, image.has_transparency_data
        width, height = image.size
        if image.format == "WEBP":
            turned = _webp_turned(image)
    if several:
        raise BadImage("holds several frames; save the one that is meant")
    _refuse(image, mode, tags)
    deep = mode.startswith("I")
    if deep and transparent:
        raise BadImage("is 16-bit gray with one value transparent; save it with an alpha channel")
    turned_by_pillow = tags.get(_ORIENTATION, 1) if image.format == "TIFF" else 1
    found: dict[Trait, bool] = {
        "1-bit": mode == "1",
        "palette": mode in ("P", "PA"),
        "alpha": transparent,
        "cmyk": mode == "CMYK",
        "16-bit": deep,
        "rotated": turned > 1 or turned_by_pillow > 1,
        "from-white": deep and tags.get(_PHOTOMETRIC) == 0,
    }
    traits: set[Trait] = {trait for trait, holds in found.items() if holds}
    size = (height, width) if turned < 5 else (width, height)
    return _header(*size, turned, "pillow", traits, colour=mode in _COLOUR, deep=deep)


def _webp_turned(image: Image.Image) -> int:
    exif = image.info.get("exif", b"")
    return orientation(exif) if isinstance(exif, bytes) else 1


def _refuse(image: Image.Image, mode: str, tags: Any) -> None:
    """Kinds whose values Pillow would cut, or that are no pictures of 0 to a greatest value."""
    if mode == "F":
        raise BadImage("has float pixels; save it as 8- or 16-bit integers")
    if mode not in _GRAY + _COLOUR:
        raise BadImage(f"has the colour mode {mode}; save it as RGB")
    if mode == "I" and image.format != "PPM":
        raise BadImage("has signed or 32-bit pixels; save it as 8- or 16-bit unsigned integers")
    bits = tags.get(_BITS_PER_SAMPLE, (8,))
    if mode in _COLOUR and max(bits) > 8:
        raise BadImage(f"is colour TIFF of {max(bits)} bits per channel; save it as 16-bit PNG")
    if isinstance(image, PpmImageFile) and mode == "RGB":
        # ("RGB", greatest value) where it is not 255.
        arguments: Any = image.tile[0][3]
        if isinstance(arguments, tuple) and arguments[-1] > 255:
            raise BadImage("is colour PPM of 16 bits per channel; save it as 16-bit PNG")
