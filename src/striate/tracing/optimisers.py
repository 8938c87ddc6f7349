"""What an optimiser keeps of each parameter from one step to the next.

Bytes are those of ``torch.optim`` with its defaults: tensors of the parameter's own shape and
type, and a count of steps (one float32) where the method needs one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import torch

from striate.errors import InputError, choices


class State(NamedTuple):
    """Copies of each parameter, and numbers besides (float32)."""

    copies: int
    numbers: int = 0


OPTIMISERS: dict[str, State] = {
    "sgd": State(0),
    "momentum": State(1),
    "adam": State(2, 1),
    "adamw": State(2, 1),
    "amsgrad": State(3, 1),
    "nadam": State(2, 2),
    "radam": State(2, 1),
    "adamax": State(2, 1),
    "rmsprop": State(1, 1),
    "adagrad": State(1, 1),
    "adadelta": State(2, 1),
}
"""``momentum`` is SGD with momentum, with Nesterov's or without."""


def state_bytes(optimiser: str, parameters: Iterable[torch.Tensor]) -> int:
    """Bytes that ``optimiser`` keeps for these parameters.  InputError where it is not known."""
    known = OPTIMISERS.get(optimiser)
    if known is None:
        raise InputError(
            f"optimiser {optimiser!r}: no such optimiser; "
            f"{choices(optimiser, OPTIMISERS, most=len(OPTIMISERS))}"
        )
    return sum(known.copies * p.nbytes + 4 * known.numbers for p in parameters)
