"""The largest member of a family that meets every budget."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from striate.arch import Arch
from striate.errors import ArchError, InputError
from striate.scaling.budgets import UNITS, Budget
from striate.scaling.family import Member, member
from striate.scaling.growth import Growth

Measure = Callable[[Arch], Mapping[str, float]]
"""What an architecture costs, by the names of ``UNITS``."""

LEAST, MOST = -24.0, 8.0
"""φ beyond which no member is looked for: 2^−24 and 2^8 times as much."""
_CLOSE = 1e-9


@dataclass(frozen=True, kw_only=True)
class Solution:
    """``best`` meets every budget; ``next``, the next larger member, does not, by ``broken``.

    ``next`` is None where the family ends: what would be larger cannot be built.
    """

    best: Member
    cost: Mapping[str, float]
    next: Member | None
    next_cost: Mapping[str, float]
    broken: tuple[Budget, ...]


class _Family:
    """The members, each made and measured once."""

    def __init__(self, arch: Arch, by: Growth, measure: Measure, divisor: int) -> None:
        self._made: dict[float, Member | None] = {}
        self._costs: dict[str, Mapping[str, float]] = {}
        self._arch, self._by, self._measure, self._divisor = arch, by, measure, divisor

    def at(self, phi: float) -> Member | None:
        """None where no such network can be built."""
        if phi not in self._made:
            try:
                made = member(self._arch, self._by, phi, divisor=self._divisor)
            except ArchError:
                made = None
            self._made[phi] = made
        return self._made[phi]

    def cost(self, of: Member) -> Mapping[str, float]:
        key = same(of.arch)
        if key not in self._costs:
            self._costs[key] = self._measure(of.arch)
        return self._costs[key]


def same(arch: Arch) -> str:
    """What two members have in common that are one network under two names."""
    return arch.model_copy(update={"name": "n"}).model_dump_json()


def largest(
    arch: Arch,
    by: Growth,
    budgets: Sequence[Budget],
    measure: Measure,
    *,
    divisor: int = 8,
) -> Solution:
    """Bisect φ until two neighbouring members are left, of which one meets ``budgets``.

    Costs never fall as φ grows (depths, widths and sides never do), so that the answer is the
    largest; a measured latency may waver, and then it is the largest up to its noise.  InputError
    where no member meets them, with what the smallest costs.
    """
    family = _Family(arch, by, measure, divisor)

    def meets(phi: float) -> bool:
        found = family.at(phi)
        return found is not None and not _broken(budgets, family.cost(found))

    low, high = _bracket(family, meets, arch, by, budgets)
    while high - low > _CLOSE:
        middle = (low + high) / 2
        low, high = (middle, high) if meets(middle) else (low, middle)
    inside = family.at(low)
    assert inside is not None
    best = _shortest(family, inside, low, math.floor)
    above = family.at(high)
    if above is not None:
        above = _shortest(family, above, high, math.ceil)
    costs: Mapping[str, float] = {} if above is None else family.cost(above)
    return Solution(
        best=best,
        cost=family.cost(best),
        next=above,
        next_cost=costs,
        broken=_broken(budgets, costs) if above is not None else (),
    )


def _bracket(
    family: _Family,
    meets: Callable[[float], bool],
    arch: Arch,
    by: Growth,
    budgets: Sequence[Budget],
) -> tuple[float, float]:
    """A φ that meets the budgets and a larger one that does not, at most 1 apart."""
    phi = 0.0
    if meets(phi):
        while meets(phi + 1):
            phi += 1
            if phi >= MOST:
                raise InputError(
                    f"{arch.name}: at φ = {phi:g} by {by.rule} it still meets "
                    f"{_told(budgets)}; the budget is no bound, so give a smaller one"
                )
        return phi, phi + 1
    smallest = phi
    while phi > LEAST:
        phi -= 1
        if meets(phi):
            return phi, phi + 1
        if family.at(phi) is None:
            break
        smallest = phi
    least = family.at(smallest)
    assert least is not None
    broken = _broken(budgets, family.cost(least))
    raise InputError(
        f"no member of {arch.name} by {by.rule} has at most {_told(broken or budgets)}: the "
        f"smallest that can be built has {_told(broken, family.cost(least))}; raise the budget, or "
        "take another rule or a smaller network"
    )


def _broken(budgets: Sequence[Budget], cost: Mapping[str, float]) -> tuple[Budget, ...]:
    return tuple(budget for budget in budgets if cost.get(budget.key, 0) > budget.limit)


def _told(budgets: Sequence[Budget], cost: Mapping[str, float] | None = None) -> str:
    """Budgets in words: their limits, or what something costs of each."""
    parts: list[str] = []
    for budget in budgets:
        value = budget.limit if cost is None else cost[budget.key]
        shown = f"{value:.3g}" if budget.key == "latency" else f"{value:,.0f}"
        parts.append(f"{shown} {UNITS[budget.key]}")
    return " and ".join(parts)


def _shortest(
    family: _Family, inside: Member, phi: float, towards: Callable[[float], int]
) -> Member:
    """The same network at a φ of as few digits as still give it, rounded ``towards`` its middle."""
    for digits in range(1, 9):
        rounded = towards(phi * 10**digits) / 10**digits
        found = family.at(rounded)
        if found is not None and same(found.arch) == same(inside.arch):
            return found
    return inside
