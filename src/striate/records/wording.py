"""Numbers as a terminal shows them: counts in five characters, bytes with their unit."""

from __future__ import annotations

from collections.abc import Sequence


def count(value: float) -> str:
    """A count in at most five characters: 942, 4.32k, 25.6M, 4.09G.

    >>> [count(n) for n in (0, 942, 4320, 25_557_032, 4_089_184_256)]
    ['0', '942', '4.32k', '25.6M', '4.09G']
    """
    if value < 1000:
        return f"{value:.0f}"
    for unit in ("k", "M", "G", "T", "P"):
        value /= 1000
        if value < 999.5:
            digits = 2 if value < 9.995 else 1 if value < 99.95 else 0
            return f"{value:.{digits}f}{unit}"
    return f"{value:.0f}P"


def size(value: float) -> str:
    """Bytes for people, in powers of 1024: 512 B, 1.5 MiB.

    >>> size(1_572_864)
    '1.5 MiB'
    """
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"


def by(values: Sequence[int]) -> str:
    """Lengths with × between: ``3×224×224``."""
    return "×".join(map(str, values))


def many(value: int, noun: str, plural: str | None = None) -> str:
    """A count with its noun: ``1 layer``, ``1,200 layers``, ``3 classes``."""
    return f"{value:,} {noun if value == 1 else plural or noun + 's'}"


def middle_out(path: str, width: int) -> str:
    """``path`` in ``width`` columns: its end tells layers apart, its beginning says the stage.

    >>> middle_out("stages.3.blocks.12.shortcut.conv", 24)
    'stages.…12.shortcut.conv'
    """
    if len(path) <= width:
        return path
    head = (width - 1) // 3
    return f"{path[:head]}…{path[-(width - 1 - head) :]}"


def end_out(text: str, width: int) -> str:
    """``text`` in ``width`` columns, its end left out if it must be."""
    return text if len(text) <= width else text[: width - 1] + "…"


def plain(text: str) -> str:
    r"""``text`` as any stream takes it: bytes of a file's name that are no UTF-8, and characters
    that would move a terminal's cursor, are written as escapes.

    >>> plain("caf\udce9\n.png")
    'caf\\xe9\\n.png'
    """
    known = text.encode(errors="surrogateescape").decode(errors="backslashreplace")
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in known
    )
