"""Taking one block out: a residual network hardly notices, a plain one is left at chance.

Comes in: networks trained alike.  Goes out: the group ``lesions``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from striate.flow.claims.claim import Claim, Group, Tick

VEIT = "Veit et al. 2016, Residual networks behave like ensembles, section 4.1"
CHANCE = 0.1
NETWORKS = {"residual": "resnet56", "plain": "plain20"}


def _measured(names: Sequence[str], tick: Tick) -> Iterator[tuple[str, float]]:
    import numpy as np

    from striate.flow.claims.trained import trained
    from striate.seeing import block_lesions

    nets = trained([NETWORKS[name] for name in names], tick)
    for name, net in zip(names, nets, strict=True):
        found = block_lesions(net.module, net.images, net.labels)
        left = float(np.median(found.accuracy))
        yield name, left / found.whole if name == "residual" else left


LESIONS = Group(
    name="lesions",
    what="accuracy with one block taken out (digits, 10 epochs)",
    minutes=2,
    claims=(
        Claim(
            name="residual",
            what="resnet56: share of its top-1 that is left without one block (median of blocks)",
            source=VEIT,
            claimed=0.95,
            relation="≥",
            unit="share",
        ),
        Claim(
            name="plain",
            what="plain20: top-1 with one layer passed by (median of layers); 0.1 is chance",
            source=VEIT,
            claimed=CHANCE,
            tolerance=0.1,
            relation="≤",
            unit="share",
        ),
    ),
    measure=_measured,
)
