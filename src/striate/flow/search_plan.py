"""Which networks a search for α, β and γ trains, and which it does not, and why."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from striate.arch import Arch, adapt
from striate.errors import ArchError
from striate.flow.costs import Costs
from striate.records.search import Candidate
from striate.scaling import Member, member, same
from striate.scaling.grid import Coefficients, central

LEAST, MOST = 1.6, 2.5
"""Times the base's MACs: what counts as a doubled budget after rounding."""


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A candidate, and its architecture (None where it cannot be built)."""

    candidate: Candidate
    arch: Arch | None

    @property
    def trained(self) -> bool:
        return self.candidate.rejected is None and self.arch is not None


def digest(arch: Arch) -> str:
    """8 hex digits of what two names of one network have in common."""
    return hashlib.blake2b(same(arch).encode(), digest_size=4).hexdigest()


def plan_search(
    base: Arch, tried: Sequence[Coefficients], *, divisor: int, most: int | None
) -> tuple[Planned, tuple[Planned, ...]]:
    """The base, and a candidate for each network that ``tried`` gives at φ = 1, in their order.

    ``most``: how many are trained at most; those beyond it are left out, and say so.
    """
    costs = Costs(1, ())
    groups: dict[str, list[tuple[Coefficients, Arch]]] = {}
    unbuildable: list[Planned] = []
    for one in tried:
        try:
            arch = member(base, one.growth, 1, divisor=divisor).arch
        except ArchError as error:
            name = f"{base.name[:60]}-{len(unbuildable)}"
            unbuildable.append(_unbuildable(name, one, base, str(error)))
        else:
            groups.setdefault(digest(arch), []).append((one, arch))
    planned: list[Planned] = []
    for key, group in groups.items():
        arch = adapt(group[0][1], name=f"{base.name[:60]}-{key}")
        found = _candidate(arch, [one for one, _ in group], costs, base)
        beyond = most is not None and sum(one.trained for one in planned) >= most
        if found.rejected is None and beyond:
            found = replace(found, rejected="beyond --trials")
        planned.append(Planned(candidate=found, arch=arch))
    return Planned(candidate=_base(base, costs), arch=base), (*planned, *unbuildable)


def _base(base: Arch, costs: Costs) -> Candidate:
    cost = costs(base)
    return Candidate(
        name=base.name,
        coefficients=(),
        image=base.image,
        params=int(cost["params"]),
        macs=int(cost["macs"]),
        ratio=1.0,
    )


def _candidate(arch: Arch, tried: Sequence[Coefficients], costs: Costs, base: Arch) -> Candidate:
    told = costs.told(Member(phi=1, arch=arch))
    known = {finding.code for finding in costs.told(Member(phi=0, arch=base)).findings}
    new = [one.code for one in told.findings if one.severity == "warning" and one.code not in known]
    first = central(tried)
    ratio = told.cost["macs"] / costs(base)["macs"]
    found = Candidate(
        name=arch.name,
        coefficients=tuple(
            (one.alpha, one.beta, one.gamma)
            for one in (first, *(other for other in tried if other != first))
        ),
        image=arch.image,
        params=int(told.cost["params"]),
        macs=int(told.cost["macs"]),
        ratio=ratio,
        warned=tuple(dict.fromkeys(new)),
    )
    wrong = [finding for finding in told.findings if finding.severity == "error"]
    if wrong:
        return replace(found, rejected=f"the linter: {wrong[0].code} {wrong[0].name}")
    if not LEAST <= ratio <= MOST:
        return replace(found, rejected=f"{ratio:.2f} times the MACs after rounding")
    return found


def _unbuildable(name: str, one: Coefficients, base: Arch, why: str) -> Planned:
    found = Candidate(
        name=name,
        coefficients=((one.alpha, one.beta, one.gamma),),
        image=base.image,
        params=0,
        macs=0,
        ratio=0.0,
        rejected=f"cannot be built: {why}",
    )
    return Planned(candidate=found, arch=None)
