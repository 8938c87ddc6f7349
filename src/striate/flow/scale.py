"""``striate scale``: a family under a budget."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from striate.arch import Arch
from striate.errors import ArchError, InputError
from striate.flow.costs import Costs, Scaled
from striate.flow.targets import resolve
from striate.scaling import (
    LEAST,
    MOST,
    Budget,
    Growth,
    Member,
    Solution,
    growth,
    largest,
    member,
    named_budgets,
    parse_budgets,
    published,
)


@dataclass(frozen=True, kw_only=True)
class Family:
    """What was asked for: members in order of φ, or the one that meets ``budgets``."""

    rule: Growth
    base: Scaled
    members: tuple[Scaled, ...]
    budgets: tuple[Budget, ...] = ()
    solution: Solution | None = None


def scale(
    arch: Arch | str,
    to: Mapping[str, float] | str | None = None,
    *,
    phi: Sequence[float] = (),
    rule: str = "compound",
    alpha: float | None = None,
    beta: float | None = None,
    gamma: float | None = None,
    divisor: int = 8,
    batch: int = 1,
) -> Family:
    """A family of networks: its largest member under a budget, or its members at given φ.

    ``arch``: an Arch, or a TARGET that is one.  ``to``: budgets, ``{"macs": 1.2e9}`` or
    ``"macs=1.2G,params=5M"``; ``train_bytes`` and ``latency`` are those of ``batch`` images, the
    others of one.  ``phi``: members instead of a budget.  Tan and Le 2019; Dollár, Singh and
    Girshick 2021.  InputError for a budget that no member meets.

    >>> family = scale("resnet18", "macs=1G", rule="width")
    >>> family.members[0].cost["macs"] <= 1e9 < family.solution.next_cost["macs"]
    True
    """
    if isinstance(arch, str):
        arch = arch_of(arch)
    by = growth(rule, alpha=alpha, beta=beta, gamma=gamma)
    for name, value in (("divisor", divisor), ("batch", batch)):
        if value < 1:
            raise InputError(f"--{name} {value}: give at least 1")
    budgets = parse_budgets(to) if isinstance(to, str) else named_budgets(to or {})
    if bool(budgets) == bool(phi):
        raise InputError(
            f"scale {arch.name}: give a budget (--to macs=1.2G) or members (--phi 1:3), "
            "one of the two"
        )
    costs = Costs(batch, budgets)
    base = costs.told(Member(phi=0, arch=arch))
    if not budgets:
        members = tuple(map(costs.told, _members(arch, by, phi, divisor)))
        return Family(rule=by, base=base, members=members)
    found = largest(arch, by, budgets, costs, divisor=divisor)
    best = costs.told(found.best)
    return Family(rule=by, base=base, members=(best,), budgets=budgets, solution=found)


def arch_of(text: str) -> Arch:
    """The architecture that TARGET is; InputError for a module, which has no depth to grow."""
    target = resolve(text)
    if target.arch is None:
        raise InputError(
            f"{text}: is a module, and only an architecture can be scaled; give a zoo name or a "
            "TOML file (striate zoo NAME > net.toml makes one to begin with)"
        )
    return target.arch


def parse_phi(text: str) -> tuple[float, ...]:
    """Read ``2``, ``1,2,3``, ``1:7`` or ``1…7``; InputError for anything else.

    >>> parse_phi("1:4"), parse_phi("-1,0.5")
    ((1.0, 2.0, 3.0, 4.0), (-1.0, 0.5))
    """
    bounds = re.fullmatch(r"(-?\d+)\s*(?::|…|\.\.\.?)\s*(-?\d+)", text.strip())
    if bounds is not None and int(bounds[1]) > int(bounds[2]):
        raise InputError(f"--phi {text}: ends before it begins; write {bounds[2]}:{bounds[1]}")
    try:
        found = (
            tuple(map(float, text.split(",")))
            if bounds is None
            else tuple(map(float, range(int(bounds[1]), int(bounds[2]) + 1)))
        )
    except ValueError:
        raise InputError(f"--phi {text}: not numbers; write 2, or 1,2,3, or 1:7") from None
    for phi in found:
        if not LEAST <= phi <= MOST:
            raise InputError(
                f"--phi {phi:g}: each φ doubles the cost; stay within {LEAST:g} and {MOST:g}"
            )
    return found


def _members(arch: Arch, by: Growth, phi: Sequence[float], divisor: int) -> Iterator[Member]:
    """At each φ the published network, where there is one, and the formula's."""
    for value in phi:
        as_published = published(arch, by, value)
        if as_published is not None:
            yield as_published
        try:
            yield member(arch, by, value, divisor=divisor)
        except ArchError as error:
            raise InputError(
                f"{arch.name} at φ = {value:g} by {by.rule} cannot be built: {error}"
            ) from None
