"""From sentences to a rule: which axes are open, and how they are grown together."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from striate.flow.advise_words import DOLLAR, TAN_LE
from striate.records.advice import AXES, AdviceFacts, Axis, Sentence, Verdict
from striate.records.wording import count
from striate.scaling import TAN_AND_LE, growth

Numbers = Mapping[Axis, Sequence[int]]
"""Of the sentences that close each axis, counted from 1."""

HELD_BACK = ("activations", "train_bytes", "latency")
"""Budgets under which fast scaling is taken rather than compound."""


FULLER = 1.25
"""Times the MACs, from which one axis alone is taken rather than several together."""


def verdict(facts: AdviceFacts, said: Sequence[Sentence]) -> Verdict:
    """Axes that nothing closes grow together; in a network that must shrink, the closed ones do.

    All three: compound (Tan and Le 2019), or dwr (Dollár et al. 2021) where activations, memory or
    latency are budgeted.  Two: in the proportions of Tan and Le's coefficients, the third held at
    1, so that α·β²·γ² is 2.
    """
    numbers: dict[Axis, list[int]] = {axis: [] for axis in AXES}
    for number, one in enumerate(said, 1):
        if one.axis is not None and one.side == "closed":
            numbers[one.axis].append(number)
    closed: list[Axis] = [axis for axis in AXES if numbers[axis]]
    able: list[Axis] = [axis for axis in AXES if facts.step(axis).why_not is None]
    if facts.grows:
        return _growing(facts, [axis for axis in AXES if axis not in closed], able, numbers)
    return _shrinking(facts, closed, able, numbers)


def alone_instead(
    facts: AdviceFacts, said: Sequence[Sentence], judged: Verdict, macs: float
) -> Verdict | None:
    """One axis alone, where together they cannot use the budget: rounding makes large steps of
    small networks and of attention heads.  ``macs``: what ``judged`` comes to within the budget.

    Of the axes that it grows, the one that most speaks for, among those that reach ``FULLER`` times
    as many MACs; None where there is none.
    """
    grown: list[Axis] = [axis for axis in AXES if getattr(judged, axis) > 1]
    fuller: list[Axis] = [
        axis
        for axis in grown
        if facts.step(axis).why_not is None and facts.step(axis).cost["macs"] >= FULLER * macs
    ]
    if not facts.grows or len(grown) < 2 or not fuller:
        return None

    def worth(axis: Axis) -> tuple[int, float]:
        sides = [one.side for one in said if one.axis == axis]
        return sides.count("for") - sides.count("against"), facts.step(axis).cost["macs"]

    best = max(fuller, key=worth)
    reached = facts.step(best).cost["macs"]
    return _of(
        best,
        f"Grow {best} alone: {_joined(grown)} together come to {count(macs)} MACs, since they can "
        f"only be grown in large steps, and {best} alone to {count(reached)}.",
    )


def _growing(
    facts: AdviceFacts, taken: Sequence[Axis], able: Sequence[Axis], numbers: Numbers
) -> Verdict:
    left: list[Axis] = [axis for axis in AXES if axis not in taken]
    because = f"; {_listed(left, numbers)} left alone" if left else ""
    if not able:
        return _of("width", "No axis has a step that the budget leaves room for.")
    if not taken:
        return _of(
            "width",
            f"Nothing measured speaks for growing{because}. If it must grow, width costs the "
            "fewest activations for its work; more, or more varied, images are likelier to help.",
        )
    return _together(facts, taken, "Grow", because)


def _shrinking(
    facts: AdviceFacts, closed: Sequence[Axis], able: Sequence[Axis], numbers: Numbers
) -> Verdict:
    taken: list[Axis] = [axis for axis in closed if axis in able]
    if taken:
        return _together(
            facts, taken, "Shrink", f": {_listed(taken, numbers)} what is missed least"
        )
    if not able:
        return _of("dwr", "No axis alone can be shrunk to the budget: shrink all three together.")
    unable: list[Axis] = [axis for axis in AXES if axis not in able]
    because = f"; {_joined(unable)} alone cannot reach the budget" if unable else ""
    return _together(facts, able, "Shrink", because)


def _together(facts: AdviceFacts, taken: Sequence[Axis], word: str, because: str) -> Verdict:
    if len(taken) == 1:
        return _of(taken[0], f"{word} {taken[0]} alone{because}.")
    thumb = f"rule of thumb: {TAN_LE}, on ImageNet"
    if len(taken) == 2:
        how = f"in the proportions of the published coefficients ({thumb})"
        return _pair(taken, f"{word} {_joined(taken)} together, {how}{because}.")
    held = [key for key in HELD_BACK if key in facts.budgets]
    if held:
        how = f"mostly in width, since {_joined(held)} is budgeted (rule of thumb: {DOLLAR})"
        return _of("dwr", f"{word} all three together, {how}{because}.")
    return _of("compound", f"{word} all three together, in balance ({thumb}){because}.")


def _listed(axes: Sequence[Axis], numbers: Numbers) -> str:
    """``depth (see 5) and resolution (see 3, 6) are``."""
    parts = [f"{axis} (see {', '.join(map(str, numbers[axis]))})" for axis in axes]
    return f"{_joined(parts)} {'is' if len(parts) == 1 else 'are'}"


def _joined(parts: Sequence[str]) -> str:
    *some, last = parts
    return f"{', '.join(some)} and {last}" if some else last


def _of(rule: str, why: str) -> Verdict:
    by = growth(rule)
    return Verdict(rule=rule, depth=by.depth, width=by.width, resolution=by.resolution, why=why)


def _pair(taken: Sequence[Axis], why: str) -> Verdict:
    """Logarithms of the paper's three, those of ``taken`` stretched until α·β²·γ² is 2."""
    logs = dict(zip(AXES, (math.log(value) for value in TAN_AND_LE), strict=True))
    powers = {"depth": 1, "width": 2, "resolution": 2}
    whole = sum(powers[axis] * logs[axis] for axis in taken)
    stretched = {
        axis: round(math.exp(logs[axis] * math.log(2) / whole), 3) if axis in taken else 1.0
        for axis in AXES
    }
    return Verdict(
        rule="compound",
        depth=stretched["depth"],
        width=stretched["width"],
        resolution=stretched["resolution"],
        why=why,
    )
