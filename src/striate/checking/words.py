"""How numbers are written in messages."""

from __future__ import annotations

from collections.abc import Sequence


def sides(values: Sequence[int]) -> str:
    """A shape.

    >>> sides((3, 3))
    '3×3'
    """
    return "×".join(map(str, values))


def count(number: float) -> str:
    """A number to three figures, with the unit close behind it.

    >>> [count(n) for n in (0, 942, 4_320, 25_557_032, 999_600, 4_089_184_256)]
    ['0', '942', '4.32k', '25.6M', '1.00M', '4.09G']
    """
    units = iter(["", "k", "M", "G", "T"])
    unit = next(units)
    while number >= 999.5 and unit != "T":
        number, unit = number / 1000, next(units)
    digits = 0 if not unit or number >= 99.95 else 1 if number >= 9.995 else 2
    return f"{number:.{digits}f}{unit}"


def percent(share: float) -> str:
    """A share of 1.

    >>> percent(0.7429), percent(0.004), percent(0.9997), percent(1)
    ('74 %', '0.4 %', '99.97 %', '100 %')
    """
    if share == 1 or 0.01 <= share < 0.995:
        return f"{share:.0%}".replace("%", " %")
    digits = 2 if share > 0.5 else 1
    return f"{100 * share:.{digits}f} %"


def many(number: int, thing: str, things: str | None = None) -> str:
    """A number of things.

    >>> many(1, "layer"), many(3, "layer"), many(0, "branch", "branches")
    ('1 layer', '3 layers', '0 branches')
    """
    return f"{number} {thing if number == 1 else things or thing + 's'}"


def place(path: str) -> str:
    """A module's path.

    >>> place("stages.0.1.conv2"), place("")
    ('`stages.0.1.conv2`', 'the top module')
    """
    return f"`{path}`" if path else "the top module"


def pixels(size: Sequence[int]) -> str:
    """A length per axis: one number where the axes agree.

    >>> pixels((427, 427)), pixels((7, 1))
    ('427', '7×1')
    """
    return str(size[0]) if len(set(size)) == 1 else sides(size)
