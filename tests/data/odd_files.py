"""Every odd and bad kind of image file, each with its stated outcome.

Expected pixels come from the array that was written (or, for lossy formats, from Pillow).
"""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (9, 14, 3), dtype=np.uint8)
GRAY = RGB[:, :, 0]
ALPHA = RNG.integers(0, 256, (9, 14), dtype=np.uint8)
DEEP = RNG.integers(0, 65536, (9, 14, 4), dtype=np.uint16)
SMOOTH = np.asarray(Image.fromarray(RGB[:3, :4]).resize((14, 9)))


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def rgb(kind: str, **options: Any) -> bytes:
    return saved(Image.fromarray(SMOOTH), kind, **options)


def by_pillow(data: bytes, mode: str = "RGB") -> NDArray[Any]:
    pixels = np.asarray(Image.open(io.BytesIO(data)).convert(mode))
    return pixels[:, :, None] if mode == "L" else pixels


def over_white(values: NDArray[Any], alpha: NDArray[Any]) -> NDArray[Any]:
    """In exact rational arithmetic: greatest·(1 − a) + value·a, rounded half up."""
    top = int(np.iinfo(values.dtype).max)
    mixed = values.astype(object) * alpha.astype(object)[:, :, None]
    mixed = mixed + (top * (top - alpha.astype(object)))[:, :, None]
    return np.vectorize(lambda v: (2 * v + top) // (2 * top))(mixed).astype(values.dtype)


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(
    pixels: NDArray[Any],
    kind: int,
    bits: int,
    *extra: bytes,
    interlace: int = 0,
    size: tuple[int, int] | None = None,
    filter_byte: bytes = b"\0",
) -> bytes:
    """A PNG of unfiltered rows (h, w, C), big endian, with more chunks before the data.

    ``size`` is what its header says where that differs (rows packed into bits, or a lie).
    """
    height, width = size or pixels.shape[:2]
    typed = pixels.astype(">u2" if bits == 16 else "u1")
    passes = ADAM7 if interlace else [(0, 0, 1, 1)]
    body = b"".join(
        filter_byte + row.tobytes()
        for top, left, down, across in passes
        for row in typed[top::down, left::across]
        if row.size
    )
    header = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, interlace)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + b"".join(extra)
        + chunk(b"IDAT", zlib.compress(body))
        + chunk(b"IEND", b"")
    )


ADAM7 = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2),
         (1, 0, 2, 1)]  # fmt: skip
"""First row, first column, and the steps of each pass."""


def tiff(pixels: NDArray[Any], **tags: int) -> bytes:
    """A little-endian TIFF of one strip; ``tags``: photometric, format (1 unsigned, 2 signed)."""
    height, width = pixels.shape[:2]
    channels = pixels.shape[2] if pixels.ndim == 3 else 1
    bits = pixels.dtype.itemsize * 8
    body = pixels.astype(pixels.dtype.newbyteorder("<")).tobytes()
    start = 8 + 2 + 12 * 10 + 4
    many = start + len(body)  # where three or more BitsPerSample lie
    depth = (258, 3, channels, bits if channels == 1 else many)
    entries = [
        (256, 4, 1, width), (257, 4, 1, height), depth, (259, 3, 1, 1),
        (262, 3, 1, tags.get("photometric", 1 if channels == 1 else 2)), (273, 4, 1, start),
        (277, 3, 1, channels), (278, 4, 1, height), (279, 4, 1, len(body)),
        (339, 3, 1, tags.get("format", 1)),
    ]  # fmt: skip
    ifd = struct.pack("<H", len(entries))
    for tag, kind, count, value in entries:
        packed = (
            struct.pack("<HH", value, 0) if (kind, count) == (3, 1) else struct.pack("<I", value)
        )
        ifd += struct.pack("<HHI", tag, kind, count) + packed
    tail = struct.pack(f"<{channels}H", *[bits] * channels)
    return b"II*\0" + struct.pack("<I", 8) + ifd + b"\0\0\0\0" + body + tail


def exif(value: int, order: str = "<") -> bytes:
    head = b"II*\0" if order == "<" else b"MM\0*"
    entry = struct.pack(order + "HHIHH", 0x0112, 3, 1, value, 0)
    return head + struct.pack(order + "IH", 8, 1) + entry + b"\0\0\0\0"


def palette(**options: Any) -> bytes:
    return saved(Image.fromarray(SMOOTH).quantize(16), "PNG", **options)


def frames(kind: str) -> bytes:
    first, second = Image.fromarray(RGB), Image.fromarray(255 - RGB)
    return saved(first, kind, save_all=True, append_images=[second])


PLAIN_JPEG = rgb("JPEG")
PALETTED = Image.fromarray(SMOOTH).quantize(16)
WITH_ALPHA = np.dstack([RGB, ALPHA])
BITS = GRAY > 127

# name: (bytes, expected (h, w, C) pixels)
GOOD: dict[str, tuple[bytes, NDArray[Any]]] = {
    "jpeg": (PLAIN_JPEG, by_pillow(PLAIN_JPEG)),
    "jpeg progressive": (d := rgb("JPEG", progressive=True), by_pillow(d)),
    "jpeg 4:4:4": (d := rgb("JPEG", subsampling=0), by_pillow(d)),
    "jpeg 4:2:2": (d := rgb("JPEG", subsampling=1), by_pillow(d)),
    "jpeg stored as RGB": (d := rgb("JPEG", keep_rgb=True), by_pillow(d)),
    "jpeg gray": (d := saved(Image.fromarray(SMOOTH).convert("L"), "JPEG"), by_pillow(d, "L")),
    "jpeg CMYK": (d := saved(Image.fromarray(SMOOTH).convert("CMYK"), "JPEG"), by_pillow(d)),
    "jpeg and junk behind it": (PLAIN_JPEG + b"\0junk", by_pillow(PLAIN_JPEG)),
    "jpeg of several pictures (MPO)": (
        d := rgb("MPO", save_all=True, append_images=[Image.fromarray(RGB)]),
        by_pillow(d),
    ),
    "jpeg with broken EXIF": (rgb("JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff"),
                              by_pillow(PLAIN_JPEG)),
    "jpeg with orientation 9": (rgb("JPEG", exif=b"Exif\0\0" + exif(9)), by_pillow(PLAIN_JPEG)),
    "png": (saved(Image.fromarray(RGB), "PNG"), RGB),
    "png gray": (saved(Image.fromarray(GRAY), "PNG"), GRAY[:, :, None]),
    "png 1 bit": (saved(Image.fromarray(BITS), "PNG"), BITS[:, :, None] * np.uint8(255)),
    "png 2 bits": (
        png(np.array([[[0b00011011]]]), 0, 2, size=(1, 4)),
        np.array([[[0], [85], [170], [255]]], dtype=np.uint8),
    ),
    "png interlaced": (png(RGB, 2, 8, interlace=1), RGB),
    "png palette": (palette(), np.asarray(PALETTED.convert("RGB"))),
    "png palette, one entry transparent": (
        palette(transparency=0),
        np.where((np.asarray(PALETTED) == 0)[:, :, None], 255, np.asarray(PALETTED.convert("RGB"))),
    ),
    "png RGBA": (saved(Image.fromarray(WITH_ALPHA), "PNG"), over_white(RGB, ALPHA)),
    "png gray and alpha": (
        saved(Image.fromarray(np.dstack([GRAY, ALPHA]), "LA"), "PNG"),
        over_white(GRAY[:, :, None], ALPHA),
    ),
    "png gray, one value transparent": (
        png(GRAY[:, :, None], 0, 8, chunk(b"tRNS", struct.pack(">H", int(GRAY[0, 0])))),
        np.where(GRAY[0, 0] == GRAY, 255, GRAY)[:, :, None],
    ),
    "png RGB, one colour transparent": (
        png(RGB, 2, 8, chunk(b"tRNS", struct.pack(">HHH", *RGB[0, 0].tolist()))),
        np.where((RGB[0, 0] == RGB).all(axis=2)[:, :, None], 255, RGB),
    ),
    "png 16-bit gray": (png(DEEP[:, :, :1], 0, 16), DEEP[:, :, :1]),
    "png 16-bit RGB": (png(DEEP[:, :, :3], 2, 16), DEEP[:, :, :3]),
    "png 16-bit RGBA": (png(DEEP, 6, 16), over_white(DEEP[:, :, :3], DEEP[:, :, 3])),
    "png 16-bit gray and alpha": (
        png(DEEP[:, :, :2], 4, 16), over_white(DEEP[:, :, :1], DEEP[:, :, 1])
    ),
    "png with EXIF orientation 6": (
        png(RGB, 2, 8, chunk(b"eXIf", exif(6, ">"))), np.rot90(RGB, -1)
    ),
    "png 16-bit RGB with EXIF orientation 3": (
        png(DEEP[:, :, :3], 2, 16, chunk(b"eXIf", exif(3))), DEEP[::-1, ::-1, :3]
    ),
    "gif": (d := saved(PALETTED, "GIF"), by_pillow(d)),
    "bmp": (saved(Image.fromarray(RGB), "BMP"), RGB),
    "bmp 1 bit": (saved(Image.fromarray(BITS), "BMP"), BITS[:, :, None] * np.uint8(255)),
    "webp lossless": (saved(Image.fromarray(RGB), "WEBP", lossless=True), RGB),
    "webp lossless with alpha": (
        saved(Image.fromarray(WITH_ALPHA), "WEBP", lossless=True, exact=True),
        over_white(RGB, ALPHA),
    ),
    "webp with EXIF orientation 8": (
        saved(Image.fromarray(RGB), "WEBP", lossless=True, exif=b"Exif\0\0" + exif(8)),
        np.rot90(RGB, 1),
    ),
    "tiff": (saved(Image.fromarray(RGB), "TIFF"), RGB),
    "tiff LZW": (saved(Image.fromarray(RGB), "TIFF", compression="tiff_lzw"), RGB),
    "tiff 8-bit that counts from white": (tiff(GRAY, photometric=0), 255 - GRAY[:, :, None]),
    "tiff 16-bit": (tiff(DEEP[:, :, 0]), DEEP[:, :, :1]),
    "tiff 16-bit big endian": (
        saved(Image.fromarray(DEEP[:, :, 0]), "TIFF", big_endian=True), DEEP[:, :, :1]
    ),
    "tiff 16-bit that counts from white": (
        tiff(DEEP[:, :, 0], photometric=0), 65535 - DEEP[:, :, :1]
    ),
    "tiff CMYK": (
        d := saved(Image.fromarray(SMOOTH).convert("CMYK"), "TIFF"), by_pillow(d)
    ),
    "tiff with orientation 6": (
        saved(Image.fromarray(RGB), "TIFF", tiffinfo={274: 6}), np.rot90(RGB, -1)
    ),
    "pbm": (saved(Image.fromarray(BITS), "PPM"), BITS[:, :, None] * np.uint8(255)),
    "pgm": (b"P5 14 9 255\n" + GRAY.tobytes(), GRAY[:, :, None]),
    "pgm 16-bit": (b"P5 14 9 65535\n" + DEEP[:, :, 0].astype(">u2").tobytes(), DEEP[:, :, :1]),
    "ppm": (b"P6 14 9 255\n" + RGB.tobytes(), RGB),
}  # fmt: skip

# name: (bytes, what the message says)
BAD: dict[str, tuple[bytes, str]] = {
    "nothing in it": (b"", "is empty"),
    "text": (b"no image at all", "is no image striate reads (its first bytes are b'no image')"),
    "jpeg cut in its pixels": (PLAIN_JPEG[:-60], "cannot be decoded"),
    "jpeg cut in its header": (PLAIN_JPEG[:30], "is a truncated JPEG"),
    "jpeg with a hole in its header": (
        PLAIN_JPEG[:4] + b"\0\0" + PLAIN_JPEG[6:], "is a corrupt JPEG (no marker at byte 4)"
    ),
    "png cut in its pixels": (saved(Image.fromarray(RGB), "PNG")[:-80], "cannot be decoded"),
    "png cut in its header": (saved(Image.fromarray(RGB), "PNG")[:20], "is a truncated PNG"),
    "png 16-bit RGB cut": (
        png(DEEP[:, :, :3], 2, 16)[:-300],
        "is a truncated or corrupt PNG (the checksum of b'IDAT')",
    ),
    "png 16-bit RGB with too few rows": (
        png(DEEP[:, :, :3], 2, 16, size=(10, 14)),
        "is a truncated PNG",
    ),
    "png 16-bit RGB with a wrong filter": (
        png(DEEP[:, :, :3], 2, 16, filter_byte=b"\7"),
        "is a corrupt PNG (filter 7)",
    ),
    "png of a kind that is none": (png(DEEP[:, :, :3], 5, 16), "is a corrupt PNG (kind 5"),
    "png 16-bit RGB, interlaced": (
        png(DEEP[:, :, :3], 2, 16, interlace=1), "is an interlaced 16-bit colour PNG"
    ),
    "png 16-bit gray, one value transparent": (
        png(DEEP[:, :, :1], 0, 16, chunk(b"tRNS", b"\0\7")),
        "is 16-bit gray with one value transparent",
    ),
    "png 16-bit RGB, one colour transparent": (
        png(DEEP[:, :, :3], 2, 16, chunk(b"tRNS", b"\0\7" * 3)),
        "is a 16-bit PNG with one colour transparent",
    ),
    "png of several frames": (frames("PNG"), "holds several frames"),
    "gif of several frames": (frames("GIF"), "holds several frames"),
    "webp of several frames": (frames("WEBP"), "holds several frames"),
    "tiff of several pages": (frames("TIFF"), "holds several frames"),
    "tiff of floats": (tiff(GRAY.astype(np.float32), format=3), "has float pixels"),
    "tiff of 32-bit integers": (tiff(GRAY.astype(np.uint32)), "has signed or 32-bit pixels"),
    "tiff of signed 16-bit integers": (
        tiff(GRAY.astype(np.int16), format=2), "has signed or 32-bit pixels"
    ),
    "tiff 16-bit RGB": (tiff(DEEP[:, :, :3]), "is colour TIFF of 16 bits per channel"),
    "tiff Lab": (
        saved(Image.fromarray(RGB).convert("LAB"), "TIFF"), "has the colour mode LAB"
    ),
    "ppm 16-bit RGB": (
        b"P6 14 9 65535\n" + DEEP[:, :, :3].tobytes(), "is colour PPM of 16 bits per channel"
    ),
    "pfm (floats)": (b"Pf\n14 9\n-1.0\n" + bytes(14 * 9 * 4), "has float pixels"),
    "gif cut in its header": (saved(PALETTED, "GIF")[:40], "is a truncated or corrupt GIF"),
    "gif cut in its pixels": (saved(PALETTED, "GIF")[:-30], "cannot be decoded"),
    "webp cut": (rgb("WEBP")[:40], ""),
    "bmp cut": (saved(Image.fromarray(RGB), "BMP")[:100], "cannot be decoded"),
    "png that says it is 100,000 pixels high": (
        png(GRAY[:, :, None], 0, 8, size=(100_000, 100_000)),
        "cannot be decoded",
    ),
    "png 16-bit RGB that says so": (
        png(DEEP[:, :, :3], 2, 16, size=(100_000, 100_000)),
        "more than 89478485 pixels; cut it into tiles",
    ),
    "jpeg that says it is 65,000 pixels high and wide": (
        PLAIN_JPEG.replace(struct.pack(">HH", 9, 14), struct.pack(">HH", 65_000, 65_000), 1),
        "says it is 65000x65000",
    ),
}  # fmt: skip
