"""Deeper plain networks train worse; with skips they do not.

Comes in: networks trained alike.  Goes out: the group ``degradation``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from striate.flow.claims.claim import Claim, Group, Tick

HE = "He et al. 2015, Deep residual learning, section 4.2 and figure 6"
NETWORKS = {
    "plain": ("plain20", "plain56"),
    "residual": ("resnet20", "resnet56"),
    "twins": ("plain56", "resnet56"),
}
"""What the second has more of than the first."""


def _measured(names: Sequence[str], tick: Tick) -> Iterator[tuple[str, float]]:
    from striate.flow.claims.trained import trained

    asked = [net for name in names for net in NETWORKS[name]]
    nets = iter(trained(asked, tick))
    for name in names:
        shallow, deep = next(nets), next(nets)
        if name == "residual":
            yield name, deep.accuracy - shallow.accuracy
        else:
            yield name, deep.train_error - shallow.train_error


DEGRADATION = Group(
    name="degradation",
    what="depth with and without skips (digits, 10 epochs)",
    minutes=3,
    claims=(
        Claim(
            name="plain",
            what="plain56's training error above plain20's",
            source=HE,
            claimed=0.0,
            relation="≥",
            unit="share",
        ),
        Claim(
            name="residual",
            what="resnet56's top-1 above resnet20's, within two standard errors of 450 images",
            source=HE,
            claimed=0.0,
            tolerance=0.02,
            relation="≥",
            unit="share",
        ),
        Claim(
            name="twins",
            what="resnet56's training error above plain56's",
            source=HE,
            claimed=0.0,
            relation="≤",
            unit="share",
        ),
    ),
    measure=_measured,
)
