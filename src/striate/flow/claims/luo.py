"""Luo's law: kernels of ones spread the gradient as the square root of their number.

Comes in: the law's figures.  Goes out: the group ``luo``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from striate.flow.claims.claim import Claim, Group, Tick

LUO = "Luo et al. 2016, Understanding the effective receptive field, section 2.1"
SHARE = 0.02
"""Of the law's width, that what is measured may miss."""
NUMBERS = (5, 10, 20, 40)


def _measured(names: Sequence[str], tick: Tick) -> Iterator[tuple[str, float]]:
    for done, name in enumerate(names):
        tick(done, len(names))
        yield name, spread(int(name))


def spread(number: int) -> float:
    """The deviation, in pixels, of the gradient of so many 3 × 3 convolutions of ones."""
    import numpy as np
    import torch
    from torch import nn

    side = 4 * number + 5
    module = nn.Sequential(*(nn.Conv2d(1, 1, 3, bias=False) for _ in range(number))).double()
    with torch.no_grad():
        for weight in module.parameters():
            weight.fill_(1 / 9)
    image = torch.zeros(1, 1, side, side, dtype=torch.float64, requires_grad=True)
    last = module(image)
    middle = last[0, 0, last.shape[2] // 2, last.shape[3] // 2]
    (slope,) = torch.autograd.grad(middle, image)
    weights = slope[0, 0].numpy().sum(axis=1)
    places = np.arange(side)
    centre = (weights * places).sum() / weights.sum()
    return float(np.sqrt((weights * (places - centre) ** 2).sum() / weights.sum()))


LAW = Group(
    name="luo",
    what="the width of the effective field of 3×3 kernels of ones",
    claims=tuple(
        Claim(
            name=str(number),
            what=f"{number} kernels of ones: the effective field's deviation",
            source=LUO,
            claimed=math.sqrt(number * (9 - 1) / 12),
            tolerance=SHARE * math.sqrt(number * (9 - 1) / 12),
            unit="px",
        )
        for number in NUMBERS
    ),
    measure=_measured,
)
