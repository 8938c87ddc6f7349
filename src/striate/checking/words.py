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
    """A number to three figures.

    >>> count(950), count(36_864), count(2_359_296), count(4_089_184_256)
    ('950', '36.9 K', '2.36 M', '4.09 G')
    """
    for limit, letter in ((1e9, "G"), (1e6, "M"), (1e4, "K")):
        if number >= limit:
            return f"{number / (1e3 if letter == 'K' else limit):.3g} {letter}"
    return f"{number:,.0f}"


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
