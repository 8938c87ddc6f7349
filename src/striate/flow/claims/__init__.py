"""Published claims, each with its figure, its source and how it is measured here.

Comes in: names.  Goes out: ``Group`` records, in the order in which they are measured.  To add a
claim: a line in its group; to add a way of measuring: a file with a ``Group``, and its line here.
Loads no torch: what measures is imported when it is called.
"""

from __future__ import annotations

from collections.abc import Sequence

from striate.errors import InputError, choices
from striate.flow.claims.claim import Claim, Group, Tick, Verdict, claim_json
from striate.flow.claims.degradation import DEGRADATION
from striate.flow.claims.fields import FIELDS, REACH
from striate.flow.claims.gradient import GRADIENT
from striate.flow.claims.identities import LEDGER, SPECTRUM
from striate.flow.claims.lengths import LENGTHS
from striate.flow.claims.lesions import LESIONS
from striate.flow.claims.luo import LAW
from striate.flow.claims.networks import MACS, PARAMS
from striate.flow.claims.randomised import RANDOMISED

__all__ = ["GROUPS", "Claim", "Group", "Tick", "Verdict", "chosen", "claim_json"]

GROUPS: tuple[Group, ...] = (
    PARAMS,
    MACS,
    FIELDS,
    REACH,
    LAW,
    LENGTHS,
    LEDGER,
    SPECTRUM,
    RANDOMISED,
    LESIONS,
    DEGRADATION,
    GRADIENT,
)


def chosen(only: Sequence[str], *, train: bool) -> list[tuple[Group, tuple[Claim, ...]]]:
    """The groups, each with its claims that were asked for; ``only``: groups, or ``group/claim``.

    Without names all that need no training, with ``train`` all.  InputError for a name that is
    none, and for one that needs training where it is not allowed.
    """
    known = [name for group in GROUPS for name in (group.name, *_full(group))]
    found: list[tuple[Group, tuple[Claim, ...]]] = []
    for name in only:
        if name not in known:
            near = known if "/" in name else [group.name for group in GROUPS]
            raise InputError(f"--only {name} is no claim: {choices(name, near)}")
    for group in GROUPS:
        claims = tuple(
            claim
            for claim, full in zip(group.claims, _full(group), strict=True)
            if not only or group.name in only or full in only
        )
        if group.minutes is not None and not train:
            if only and claims:
                raise InputError(
                    f"--only {group.name}: trains networks, for about {group.minutes:g} min on "
                    "two cores; add --train"
                )
            continue
        if claims:
            found.append((group, claims))
    return found


def _full(group: Group) -> list[str]:
    return [f"{group.name}/{claim.name}" for claim in group.claims]
