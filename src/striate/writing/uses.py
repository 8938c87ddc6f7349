"""What the uses of one class have in common: its constants.  What they have not: its parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Values = Mapping[str, int | float]

ORDER = (
    "channels", "channels_in", "width", "inner", "kernel", "stride", "padding", "dilation",
    "groups", "squeeze", "hidden", "extra", "heads", "dropout", "scale", "out",
)  # fmt: skip
"""Parameters in the order in which a class takes them."""
BY_PLACE = ("channels", "channels_in", "width", "hidden", "extra")
"""Those that are given by place; others are named in a call."""
USUAL = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1, "dropout": 0.0}
"""Defaults, where some use has them."""


def number(value: int | float) -> str:
    """A literal, the shorter of the usual ways.

    >>> number(3), number(0.000001), number(0.001), number(0.25)
    ('3', '1e-6', '1e-3', '0.25')
    """
    mantissa, _, exponent = f"{value:e}".partition("e-")
    short = f"{float(mantissa):g}e-{int(exponent or 0)}"
    return short if len(short) < len(repr(value)) and float(short) == value else repr(value)


class Uses:
    """The values of every use of one class, asked for by name while the class is written.

    A value that all uses share is a literal.  Any other becomes a parameter when it is asked for.
    """

    def __init__(self, uses: Sequence[Values]) -> None:
        self.uses = list(uses)
        self._asked: set[str] = set()

    def same(self, name: str) -> bool:
        """Whether all uses have one value."""
        return len({use[name] for use in self.uses}) == 1

    def text(self, name: str, *formulas: str) -> str:
        """A literal, or the first of ``formulas`` that holds for every use, or a parameter.

        A formula is arithmetic on other names: ``width // 4``.
        """
        if self.same(name):
            return number(self.uses[0][name])
        for formula in formulas:
            if all(_value(formula, use) == use[name] for use in self.uses):
                return self._with_names(formula)
        self._asked.add(name)
        return name

    def condition(self, wanted: Sequence[bool], *parts: str) -> str:
        """``parts`` joined by ``or``, without those that no use needs; true where ``wanted`` is."""
        varying = [part for part in parts if len({_value(part, use) for use in self.uses}) > 1]
        for number_of_parts in range(1, len(varying) + 1):
            chosen = varying[:number_of_parts]
            if [any(_value(p, use) for p in chosen) for use in self.uses] == list(wanted):
                return " or ".join(self._with_names(part) for part in chosen)
        raise AssertionError(f"{parts} do not tell {wanted}")

    @property
    def parameters(self) -> list[str]:
        """The names that were asked for, in ``ORDER``."""
        return [name for name in ORDER if name in self._asked]

    def signature(self) -> str:
        """``self, width: int, stride: int = 1``."""
        plain = [name for name in self.parameters if not self._usual(name)]
        usual = [name for name in self.parameters if self._usual(name)]
        kinds = {name: type(self.uses[0][name]).__name__ for name in self.parameters}
        with_default = [f"{name}: {kinds[name]} = {number(USUAL[name])}" for name in usual]
        return ", ".join(["self", *(f"{name}: {kinds[name]}" for name in plain), *with_default])

    def arguments(self, use: Values) -> list[str]:
        """What a call gives for ``use``."""
        found: list[str] = []
        for name in self.parameters:
            if self._usual(name) and use[name] == USUAL[name]:
                continue
            literal = number(use[name])
            found.append(literal if name in BY_PLACE else f"{name}={literal}")
        return found

    def passed(self, names: Mapping[str, str]) -> str:
        """The arguments of a call inside another class, which calls them otherwise (``names``)."""
        plain = [name for name in self.parameters if not self._usual(name)]
        usual = [name for name in self.parameters if self._usual(name)]
        return ", ".join(
            names[name] if name in BY_PLACE else f"{name}={names[name]}" for name in plain + usual
        )

    def _usual(self, name: str) -> bool:
        return name in USUAL and any(use[name] == USUAL[name] for use in self.uses)

    def _with_names(self, formula: str) -> str:
        words = formula.replace("(", " ( ").replace(")", " ) ").split()
        named = [self.text(word) if word in self.uses[0] else word for word in words]
        return " ".join(named).replace("( ", "(").replace(" )", ")")


def _value(formula: str, use: Values) -> object:
    # The formulas are this room's own, and the names in them numbers.
    return eval(formula, {"__builtins__": {}}, dict(use))  # noqa: S307
