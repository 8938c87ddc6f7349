r"""Numbers as people read them; a no-break space stands between a number and its unit.

>>> count(272474), short(40_813_184), percent(0.98125), span(43.2), span(5025)
('272,474', '40.8\xa0M', '98.1\xa0%', '43\xa0s', '1\xa0h\xa024\xa0min')
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

_GAP = "\u00a0"
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def count(value: int) -> str:
    """Whole numbers with thousands set apart."""
    return f"{value:,}"


def counted(value: int, noun: str, plural: str | None = None) -> str:
    """A count with its noun: ``1 image``, ``1,200 images``, ``3 classes``."""
    return f"{count(value)} {noun if value == 1 else plural or noun + 's'}"


def short(value: float) -> str:
    r"""Three significant digits with k, M, G or T: for costs beside each other.

    >>> short(0), short(999), short(999_950), short(4.09e9)
    ('0', '999', '1.00\xa0M', '4.09\xa0G')
    """
    if abs(value) < 999.5:
        return f"{value:.3g}"
    letters = "kMGT"
    step = 0
    value /= 1000
    while abs(value) >= 999.5 and step < len(letters) - 1:
        value /= 1000
        step += 1
    digits = 2 if abs(value) < 9.995 else 1 if abs(value) < 99.95 else 0
    return f"{value:.{digits}f}{_GAP}{letters[step]}"


def percent(share: float, digits: int = 1) -> str:
    r"""A share of one as a percentage; never rounded up to 100 % or down to 0 %.

    >>> percent(0.99999), percent(1), percent(0.00001), percent(0), percent(0.5)
    ('>\xa099.9\xa0%', '100\xa0%', '<\xa00.1\xa0%', '0\xa0%', '50.0\xa0%')
    """
    if share in (0, 1):
        return f"{share * 100:.0f}{_GAP}%"
    least = 10**-digits
    if share * 100 > 100 - least / 2:
        return f">{_GAP}{100 - least:.{digits}f}{_GAP}%"
    if 0 < share * 100 < least / 2:
        return f"<{_GAP}{least:.{digits}f}{_GAP}%"
    return f"{share * 100:.{digits}f}{_GAP}%"


def span(seconds: float) -> str:
    """A duration in the two largest units that matter."""
    if seconds < 9.95:
        return f"{seconds:.1f}{_GAP}s"
    whole = round(seconds)
    if whole < 120:
        return f"{whole}{_GAP}s"
    if whole < 600:
        return f"{whole // 60}{_GAP}min{_GAP}{whole % 60}{_GAP}s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes}{_GAP}min"
    return f"{minutes // 60}{_GAP}h{_GAP}{minutes % 60}{_GAP}min"


def size(shape: Sequence[int]) -> str:
    """Lengths with × between: ``32×32×16``."""
    return "×".join(map(str, shape))


def number(value: object) -> str:
    """Any measured value: integers whole, others to three significant digits, words as they are.

    >>> number(3), number(0.123456), number(2.5e-7), number(float("nan")), number((3, 4))
    ('3', '0.123', '2.5·10⁻⁷', 'NaN', '3×4')
    """
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return str(value)
    if isinstance(value, int):
        return count(value)
    if isinstance(value, float):
        if math.isnan(value):
            return "NaN"
        if value.is_integer() and abs(value) < 1e15:
            return count(int(value))
        written = f"{value:.3g}"
        if "e" not in written:
            return written
        digits, power = written.split("e")
        ten = f"10{str(int(power)).translate(_RAISED)}"
        return ten if digits == "1" else f"{digits}·{ten}"
    if isinstance(value, (list, tuple)):
        return "×".join(number(part) for part in cast("Sequence[object]", value))
    return str(value)
