"""Sizes as people write them: an image's (``3x224x224``, or ``224x224`` with the channels left
open) and a memory's (``16GiB``).
"""

from __future__ import annotations

import re

from striate.errors import InputError

_MOST_PIXELS = 1 << 28


def parse_image(text: str) -> tuple[int | None, int, int]:
    """Read ``CxHxW`` or ``HxW`` into (C or None, H, W).

    InputError for anything else, for a zero and for more than 2²⁸ pixels.

    >>> parse_image("3x224x224"), parse_image("32x48")
    ((3, 224, 224), (None, 32, 48))
    """
    match = re.fullmatch(r"(?:(\d+)[x×])?(\d+)[x×](\d+)", text.strip().lower())
    if match is None:
        raise InputError(f"--image {text}: not a size; write 3x224x224 or 224x224")
    channels, height, width = (None if part is None else int(part) for part in match.groups())
    assert height is not None
    assert width is not None
    if 0 in (channels, height, width):
        raise InputError(f"--image {text}: every number must be at least 1; write 3x224x224")
    if height * width * (channels or 1) > _MOST_PIXELS:
        raise InputError(f"--image {text}: more than {_MOST_PIXELS:,} values in one image")
    return channels, height, width


def full_image(text: str | None, default: tuple[int, int, int]) -> tuple[int, int, int]:
    """The size that was asked for, with what it leaves open taken from ``default``."""
    if text is None:
        return default
    channels, height, width = parse_image(text)
    return (channels or default[0], height, width)


def image_option(text: str | None) -> tuple[int, int, int] | tuple[int, int] | None:
    """``--image`` as data are opened with it: (C, H, W), or (H, W) in the data's own channels.

    InputError for a number of channels that images do not have.
    """
    if text is None:
        return None
    channels, height, width = parse_image(text)
    if channels not in (None, 1, 3):
        raise InputError(
            f"--image {text}: images have 1 or 3 channels, not {channels}; "
            f"use {height}x{width} or 3x{height}x{width}"
        )
    return (height, width) if channels is None else (channels, height, width)


_UNITS = {"": 1, "k": 1000, "m": 1000**2, "g": 1000**3, "t": 1000**4,
          "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}  # fmt: skip


def parse_bytes(text: str, *, option: str = "--memory") -> int:
    """Read a memory size into bytes; InputError for anything else and for nothing at all.

    >>> parse_bytes("16GiB"), parse_bytes("512 MB"), parse_bytes("1.5g")
    (17179869184, 512000000, 1500000000)
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]i?)?b?", text.strip().lower())
    if match is None:
        raise InputError(f"{option} {text}: not a size; write 16GiB, 24GB or 512MiB")
    size = round(float(match[1]) * _UNITS[match[2] or ""])
    if size < 1:
        raise InputError(f"{option} {text}: is no memory at all; write 16GiB, 24GB or 512MiB")
    return size


def cache_option(text: str | None, *, option: str) -> int | None:
    """``--cache`` and ``--disk-cache`` in bytes: 0 for none, None where nothing was asked for."""
    if text is None:
        return None
    return 0 if text.strip() == "0" else parse_bytes(text, option=option)
