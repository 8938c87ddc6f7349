"""What a JPEG says of itself, from its markers (ITU-T T.81, annex B), without decoding it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from striate.data.images.bad import BadImage
from striate.data.images.exif import orientation

_FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
_PLAIN_FRAMES = (0xC0, 0xC1, 0xC2)
_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})
_SCAN, _END, _APP1 = 0xDA, 0xD9, 0xE1
# APP1 to APP15 and comments, but APP14: Adobe's says how the channels are coded.
_NOTES = frozenset({*range(0xE1, 0xF0), 0xFE} - {0xEE})
_SAMPLINGS = frozenset({(1, 1), (2, 1), (1, 2), (2, 2), (4, 1)})
"""Horizontal and vertical factors of the first channel, the others at (1, 1)."""


@dataclass(frozen=True, kw_only=True)
class JpegHeader:
    """``plain``: 8 bits, baseline or progressive, 1 or 3 channels, usual subsampling."""

    height: int
    width: int
    channels: int
    turned: int
    plain: bool


def is_jpeg(data: bytes) -> bool:
    """Whether it begins as a JPEG does."""
    return data[:3] == b"\xff\xd8\xff"


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """(marker, start, end) of every segment before the pixels; the start is that of the marker."""
    at = 2
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            raise BadImage(f"is a corrupt JPEG (no marker at byte {at})")
        marker = data[at + 1]
        if marker in (_SCAN, _END):
            return
        if marker == 0xFF or marker in _ALONE:
            at += 1 if marker == 0xFF else 2
            continue
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        yield marker, at, end
        at = end


def read_jpeg_header(data: bytes) -> JpegHeader:
    """The frame's size and channels and the EXIF orientation; BadImage where there is no frame."""
    turned = 1
    frame: JpegHeader | None = None
    for marker, start, end in _segments(data):
        body = data[start + 4 : end]
        if marker == _APP1 and body.startswith(b"Exif\x00\x00"):
            turned = orientation(body)
        elif marker in _FRAMES and len(body) >= 6:
            frame = _frame(marker, body)
    if frame is None:
        raise BadImage("is a truncated JPEG (it ends before its frame)")
    height, width = frame.height, frame.width
    if turned >= 5:
        height, width = width, height
    return JpegHeader(
        height=height, width=width, channels=frame.channels, turned=turned, plain=frame.plain
    )


def bare_jpeg(data: bytes) -> bytes:
    """The same picture without the notes of programs and cameras (but JFIF's and Adobe's own).

    What it is decoded to does not depend on them, and a broken one cannot disturb the decoder.
    """
    dropped = [(start, end) for marker, start, end in _segments(data) if marker in _NOTES]
    kept, at = b"", 0
    for start, end in dropped:
        kept += data[at:start]
        at = end
    return kept + data[at:]


def _frame(marker: int, body: bytes) -> JpegHeader:
    precision, channels = body[0], body[5]
    factors = [
        (body[at] >> 4, body[at] & 15) for at in range(7, min(len(body), 6 + 3 * channels), 3)
    ]
    usual = channels == 1 or (
        len(factors) == channels == 3
        and factors[0] in _SAMPLINGS
        and factors[1:] == [(1, 1), (1, 1)]
    )
    height = int.from_bytes(body[1:3], "big")
    return JpegHeader(
        height=height,
        width=int.from_bytes(body[3:5], "big"),
        channels=channels,
        turned=1,
        plain=marker in _PLAIN_FRAMES and precision == 8 and height > 0 and usual,
    )
