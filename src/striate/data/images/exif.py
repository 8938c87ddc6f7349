"""The orientation that a camera noted, and its application."""

from __future__ import annotations

import struct

import numpy as np

from striate.data.options import Pixels

_TAG = 0x0112
_SHORT = 3


def orientation(exif: bytes) -> int:
    """1 to 8 (Exif 2.32, section 4.6.4 A) from an Exif block; 1 where it says none or is broken."""
    block = exif.removeprefix(b"Exif\x00\x00")
    order = {b"II*\x00": "<", b"MM\x00*": ">"}.get(block[:4])
    if order is None or len(block) < 8:
        return 1
    (start,) = struct.unpack_from(order + "I", block, 4)
    if start + 2 > len(block):
        return 1
    (entries,) = struct.unpack_from(order + "H", block, start)
    for at in range(start + 2, min(start + 2 + 12 * entries, len(block) - 11), 12):
        tag, kind, count, value = struct.unpack_from(order + "HHIH", block, at)
        if tag == _TAG:
            return value if kind == _SHORT and count == 1 and 1 <= value <= 8 else 1
    return 1


def upright(image: Pixels, turned: int) -> Pixels:
    """``image`` (C, h, w) as it was meant to be seen."""
    if turned >= 5:
        image = image.transpose(0, 2, 1)
    if turned in (2, 3, 6, 7):
        image = image[:, :, ::-1]
    if turned in (3, 4, 7, 8):
        image = image[:, ::-1, :]
    return np.ascontiguousarray(image) if turned != 1 else image
