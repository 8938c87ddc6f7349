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
"""What an architecture costs, by the names of ``UNITS``; it is asked about one more than once."""

LEAST, MOST = -24.0, 8.0
"""φ beyond which no member is looked for: 2^−24 and 2^8 times as much."""
_CLOSE = 1e-9


@dataclass(frozen=True, kw_only=True)
class Solution:
    """``best`` meets every budget; ``next``, the next larger member, does not, by ``broken``.

    ``next`` is None where what would come next cannot be built, and ``ends`` says why.
    """

    best: Member
    cost: Mapping[str, float]
    next: Member | None
    next_cost: Mapping[str, float]
    broken: tuple[Budget, ...]
    ends: str | None = None


class _Family:
    """The members, each made once, and whether they meet the budgets."""

    def __init__(
        self, arch: Arch, by: Growth, budgets: Sequence[Budget], measure: Measure, divisor: int
    ) -> None:
        self.arch, self.by, self.budgets = arch, by, budgets
        self._measure, self._divisor = measure, divisor
        self._made: dict[float, Member | ArchError] = {}

    def at(self, phi: float) -> Member | ArchError:
        """The member, or why there is none."""
        if phi not in self._made:
            try:
                self._made[phi] = member(self.arch, self.by, phi, divisor=self._divisor)
            except ArchError as error:
                self._made[phi] = error
        return self._made[phi]

    def cost(self, of: Member) -> Mapping[str, float]:
        return self._measure(of.arch)

    def exists(self, phi: float) -> bool:
        return isinstance(self.at(phi), Member)

    def meets(self, phi: float) -> bool:
        found = self.at(phi)
        return isinstance(found, Member) and not _broken(self.budgets, self.cost(found))


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

    Depths, widths and sides never fall as φ grows, nor do costs, so that the answer is the largest.
    (Two things waver: a measured latency; and where rounding makes a stage as wide as what it is
    given, its skip needs no projection any more and the cost can dip.  The answer is then a
    member that meets the budgets and whose next does not.)  InputError where no member meets them,
    with what the smallest costs; where they bound nothing; and for a depth that takes maps away.
    """
    _refuse_shrinking(arch, by)
    family = _Family(arch, by, budgets, measure, divisor)
    low, high = _bracket(family)
    low, high = _bisect(family.meets, low, high)
    best, above = family.at(low), family.at(high)
    assert isinstance(best, Member)
    best = _shortest(family, best, low, math.floor)
    if isinstance(above, ArchError):
        return Solution(
            best=best, cost=family.cost(best), next=None, next_cost={}, broken=(), ends=str(above)
        )
    above = _shortest(family, above, high, math.ceil)
    costs = family.cost(above)
    return Solution(
        best=best,
        cost=family.cost(best),
        next=above,
        next_cost=costs,
        broken=_broken(budgets, costs),
    )


def _refuse_shrinking(arch: Arch, by: Growth) -> None:
    """InputError where a deeper stage has a smaller map, and with it perhaps a lower cost."""
    if by.depth == 1:
        return
    for number, stage in enumerate(arch.stages, 1):
        if not stage.kind.windows:
            continue
        lost = stage.dilation * (stage.kernel - 1) - 2 * stage.pad
        if lost > 0:
            raise InputError(
                f"{arch.name} by {by.rule}: each further convolution of stage {number} would take "
                f"{lost} px off the map (kernel {stage.kernel}, padding {stage.pad}), so that "
                "deeper members are not larger; give the stage more padding, or take --rule width "
                "or --rule resolution"
            )


def _bisect(holds: Callable[[float], bool], low: float, high: float) -> tuple[float, float]:
    """``low``, where ``holds``, and ``high``, where it does not, moved next to each other."""
    while abs(high - low) > _CLOSE:
        middle = (low + high) / 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low, high


def _bracket(family: _Family) -> tuple[float, float]:
    """A φ that meets the budgets and a larger one that does not."""
    phi = 0.0
    if family.meets(phi):
        while family.meets(phi + 1):
            phi += 1
            if phi >= MOST:
                raise InputError(_no_bound(family))
        return phi, phi + 1
    while phi > LEAST:
        if not family.exists(phi - 1):
            smallest, _ = _bisect(family.exists, phi, phi - 1)
            if family.meets(smallest):
                return smallest, phi
            phi = smallest
            break
        phi -= 1
        if family.meets(phi):
            return phi, phi + 1
    raise InputError(_too_small(family, phi))


def _no_bound(family: _Family) -> str:
    """The complaint about budgets that the largest members meet."""
    first, last = family.at(0), family.at(MOST)
    assert isinstance(first, Member)
    assert isinstance(last, Member)
    costs = family.cost(first), family.cost(last)
    whose = f"{family.arch.name} by {family.by.rule}"
    if all(costs[0][budget.key] == costs[1][budget.key] for budget in family.budgets):
        keys = " and ".join(budget.key for budget in family.budgets)
        return (
            f"{whose}: every member has the same {_told(family.budgets, costs[0])}, so that "
            f"{keys} is no bound; budget something that {family.by.rule} changes, such as macs"
        )
    return (
        f"{whose}: at φ = {MOST:g} it still meets {_told(family.budgets)}; the budget is no "
        "bound, so give a smaller one"
    )


def _too_small(family: _Family, phi: float) -> str:
    """The complaint about budgets that the smallest member, at ``phi``, does not meet."""
    least = family.at(phi)
    assert isinstance(least, Member)
    cost = family.cost(least)
    broken = _broken(family.budgets, cost)
    return (
        f"no member of {family.arch.name} by {family.by.rule} has at most {_told(broken)}: the "
        f"smallest that can be built has {_told(broken, cost)}; raise the budget, or take another "
        "rule or a smaller network"
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
        if isinstance(found, Member) and same(found.arch) == same(inside.arch):
            return found
    return inside
