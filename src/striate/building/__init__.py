"""Arch to ``nn.Module``: one block per file in ``blocks/``.

Comes in: an Arch, a seed, a device.  Goes out: a ``Network`` whose weights are a pure function of
(seed, parameter name), and dropout and stochastic depth whose masks are a pure function of (seed,
step, sample id).
May import: arch, records, errors, keyed, torch.
"""

from striate.building.depth import droppable, stochastic_depth
from striate.building.initialise import initialise
from striate.building.network import Network, build
from striate.building.randomness import keyed_step

__all__ = ["Network", "build", "droppable", "initialise", "keyed_step", "stochastic_depth"]
