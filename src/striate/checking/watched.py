"""Which layers ail while they are trained, and since when, from a run's own record alone.

The thresholds are those of AF701 and AF704, which look at the trained network too: what stands
here is what can be said of a run while it trains, without building its network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil

from striate.checking.since import lasting
from striate.checking.uneven import gradients_of, uneven
from striate.records.health import HARD, WatchedStep
from striate.records.run_list import SickLayer

SHARE, FEWEST = 0.25, 4
"""Of a layer's channels that are dead: found from this share and this number on."""


def least_dead(channels: int) -> int:
    """How many dead channels of ``channels`` are found."""
    return max(FEWEST, ceil(SHARE * channels))


def sick_layers(watched: Sequence[WatchedStep]) -> tuple[SickLayer, ...]:
    """What was wrong in the last look, and in every one since ``step``: three looks or more.

    Dead channels; weights whose gradient is zero, or is not finite; gradients that vanish or
    explode on their way through the network, at the first weight of it.
    """
    looks = [(step, _wrong(step)) for step in watched]
    found: list[SickLayer] = []
    for at, what in looks[-1][1].items() if looks else ():
        since = lasting([(step, at in wrong) for step, wrong in looks])
        if since is not None:
            found.append(SickLayer(layer=at[0], what=what, step=since.step, epoch=since.epoch))
    return tuple(found)


def _wrong(step: WatchedStep) -> Mapping[tuple[str, str], str]:
    """By layer and kind, what is wrong in one look."""
    wrong: dict[tuple[str, str], str] = {}
    calls: dict[str, int] = {}
    for units in step.units:
        call = calls[units.path] = calls.get(units.path, 0) + 1
        if units.op in HARD and units.dead >= least_dead(units.channels):
            layer = units.path if call == 1 else f"{units.path}, call {call}"
            wrong[layer, "dead"] = f"{units.dead} of {units.channels} channels dead"
    for weight in step.weights:
        if weight.gradient is None:
            wrong[weight.parameter, "broken"] = "gradient not finite"
        elif weight.gradient == 0:
            wrong[weight.parameter, "none"] = "no gradient"
    found = uneven(gradients_of(step), {})
    if found is not None:
        kind = "vanish" if found.factor < 1 else "explode"
        wrong[found.worst, kind] = (
            f"gradients {kind}: {found.factor:.0e} of those of the last {found.third} layers"
        )
    return wrong
