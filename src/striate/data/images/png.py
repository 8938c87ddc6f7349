"""What a PNG says of itself, and the one kind of PNG that Pillow would halve.

Pillow reads PNG with 16 bits per channel at full depth only where it is gray; of colour it drops
the lower byte.  ``decode_deep_png`` reads those (PNG specification, third edition, section 9).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from striate.data.images.bad import BadImage
from striate.data.images.exif import orientation

Bytes = NDArray[np.uint8]
Rows = NDArray[np.int64]

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


@dataclass(frozen=True, kw_only=True)
class PngHeader:
    """``kind``: 0 gray, 2 RGB, 3 palette, 4 gray and alpha, 6 RGBA.

    ``height`` and ``width`` are as stored, before ``turned`` is undone.
    """

    height: int
    width: int
    bits: int
    kind: int
    interlaced: bool
    turned: int
    animated: bool
    transparent: bool

    @property
    def deep_colour(self) -> bool:
        """Whether Pillow would drop its lower bytes."""
        return self.bits == 16 and self.kind != 0


def is_png(data: bytes) -> bool:
    """Whether it begins as a PNG does."""
    return data.startswith(SIGNATURE)


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes, bool]]:
    """Name and body of every chunk, and whether its checksum is right."""
    at = len(SIGNATURE)
    while at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        end = at + 8 + length
        checksum = int.from_bytes(data[end : end + 4], "big")
        right = zlib.crc32(data[at + 4 : end]) == checksum
        yield data[at + 4 : at + 8], data[at + 8 : end], right
        if data[at + 4 : at + 8] == b"IEND":
            return
        at = end + 4


def read_png_header(data: bytes) -> PngHeader:
    """Size, depth, kind, and what the other chunks say; BadImage where IHDR is missing."""
    chunks = {name: body for name, body, _ in _chunks(data)}
    header = chunks.get(b"IHDR", b"")
    if len(header) != 13:
        raise BadImage("is a truncated PNG (it ends before its header)")
    width, height, bits, kind, _, _, interlaced = struct.unpack(">IIBBBBB", header)
    if kind not in _CHANNELS or not width * height:
        raise BadImage(f"is a corrupt PNG (kind {kind}, {height}x{width})")
    frames = chunks.get(b"acTL", b"\0\0\0\1")[:4]
    return PngHeader(
        height=height,
        width=width,
        bits=bits,
        kind=kind,
        interlaced=bool(interlaced),
        turned=orientation(chunks.get(b"eXIf", b"")),
        animated=int.from_bytes(frames, "big") > 1,
        transparent=kind in (4, 6) or b"tRNS" in chunks,
    )


def decode_deep_png(data: bytes, header: PngHeader) -> NDArray[np.uint16]:
    """(h, w, channels) uint16, 2 channels (gray, alpha), 3 or 4; BadImage where it cannot be."""
    if header.interlaced:
        raise BadImage("is an interlaced 16-bit colour PNG; save it without interlacing")
    if header.kind == 2 and header.transparent:
        raise BadImage("is a 16-bit PNG with one colour transparent; save it with an alpha channel")
    packed = b""
    for name, body, right in _chunks(data):
        if not right:
            raise BadImage(f"is a truncated or corrupt PNG (the checksum of {name!r})")
        packed += body if name == b"IDAT" else b""
    step = 2 * _CHANNELS[header.kind]
    size = header.height * (1 + step * header.width)
    try:
        unpacked = zlib.decompressobj().decompress(packed, size)
    except zlib.error as error:
        raise BadImage(f"is a corrupt PNG ({error})") from error
    if len(unpacked) < size:
        raise BadImage("is a truncated PNG")
    rows = np.frombuffer(unpacked, dtype=np.uint8).reshape(header.height, -1)
    filters = rows[:, 0]
    if filters.max() > 4:
        raise BadImage(f"is a corrupt PNG (filter {filters.max()})")
    plain = unfilter(filters, rows[:, 1:].reshape(header.height, header.width, step))
    return plain.view(">u2").astype(np.uint16)


def unfilter(filters: Bytes, coded: Bytes) -> Bytes:
    """Undo PNG's filters (section 9.2): ``filters`` (h,), ``coded`` (h, w, bytes per pixel).

    A pixel needs its left, upper and upper-left neighbours, so all pixels of one anti-diagonal
    (row + column = d) are undone at once, whatever the filters of their rows.
    """
    height, width, step = (int(size) for size in coded.shape)
    # One more row above and column to the left, of zeros.
    out = np.zeros((height + 1, width + 1, step), dtype=np.int16)
    for diagonal in range(height + width - 1):
        rows: Rows = np.arange(max(0, diagonal - width + 1), min(height, diagonal + 1))
        columns: Rows = np.subtract(diagonal, rows)
        left, above = out[rows + 1, columns], out[rows, columns + 1]
        corner = out[rows, columns]
        guess = left + above - corner
        far = [np.abs(guess - near) for near in (left, above, corner)]
        paeth = np.where(
            (far[0] <= far[1]) & (far[0] <= far[2]),
            left,
            np.where(far[1] <= far[2], above, corner),
        )
        kinds = np.zeros_like(left), left, above, (left + above) // 2, paeth
        predicted = np.choose(filters[rows][:, None], kinds)
        out[rows + 1, columns + 1] = (coded[rows, columns] + predicted) & 255
    return np.ascontiguousarray(out[1:, 1:].astype(np.uint8))
