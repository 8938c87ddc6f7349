"""What an optimiser keeps of each parameter from one step to the next.

Bytes are those of ``torch.optim`` with its defaults: tensors of the parameter's own shape and
type, and a count of steps (one float32) where the method needs one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from striate.errors import InputError, choices


class State(NamedTuple):
    """Copies of each parameter, and numbers besides (float32)."""

    copies: int
    numbers: int = 0


OPTIMISERS: Mapping[str, State] = {
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
"""``momentum`` is SGD with momentum, Nesterov's or not."""


def known_optimiser(name: str) -> State:
    """What it keeps; InputError where it is not known."""
    if name not in OPTIMISERS:
        known = choices(name, OPTIMISERS, most=len(OPTIMISERS))
        raise InputError(f"optimiser {name!r}: no such optimiser; {known}")
    return OPTIMISERS[name]


def state_bytes(optimiser: str, parameters: Iterable[int]) -> int:
    """Bytes that it keeps for parameters of so many bytes each; InputError where not known."""
    state = known_optimiser(optimiser)
    return sum(state.copies * size + 4 * state.numbers for size in parameters)
