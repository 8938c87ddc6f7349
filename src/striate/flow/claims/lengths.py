"""Veit's path lengths, counted in the traced graph of a network of 54 blocks.

Nothing here knows the binomial distribution: the network is run once, its skips are found in the
operations that were heard, and the paths are counted by dynamic programming over that graph.

Comes in: published shares.  Goes out: the group ``lengths``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from striate.flow.claims.claim import Claim, Group, Tick

VEIT = "Veit et al. 2016, Residual networks behave like ensembles, section 4.3"
NETWORK = "preact_resnet110"


def _counted(names: Sequence[str], tick: Tick) -> Iterator[tuple[str, float]]:
    import torch

    from striate.arch import zoo
    from striate.building import build
    from striate.seeing import path_counts

    tick(0, 1)
    counts = path_counts(build(zoo(NETWORK), seed=0), torch.zeros(3, 32, 32))
    total = sum(counts)
    found = {
        "paths": float(total),
        "19-35": sum(counts[19:36]) / total,
        "5-17": sum(counts[5:18]) / total,
    }
    for name in names:
        yield name, found[name]


LENGTHS = Group(
    name="lengths",
    what="paths of a traced net of 54 blocks, by length",
    claims=(
        Claim(
            name="paths",
            what="paths from the image to the logits",
            source=VEIT,
            claimed=float(2**54),
        ),
        Claim(
            name="19-35",
            what="share of paths that pass 19 to 35 of the 54 blocks",
            source=VEIT,
            claimed=0.980,
            tolerance=0.0005,
            unit="share",
        ),
        Claim(
            name="5-17",
            what="share of paths that pass 5 to 17 of the 54 blocks",
            source=VEIT,
            claimed=0.0045,
            tolerance=0.00005,
            unit="share",
        ),
    ),
    measure=_counted,
)
