"""What a budget buys by depth, width and resolution alone, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from striate.flow.advise_words import DOLLAR, NOUNS
from striate.records.advice import AdviceFacts, Axis, Sentence, StepFacts
from striate.records.wording import count, many, size
from striate.scaling.budgets import amount

SLOWER = 1.1
"""How many times as long one must take to be called slower: medians on a busy machine waver."""


def steps(facts: AdviceFacts) -> Iterator[Sentence]:
    """What the budget buys by depth, width and resolution alone."""
    alone: dict[Axis, StepFacts] = {}
    for axis in ("depth", "width", "resolution"):
        step = facts.step(axis)
        if step.why_not is not None:
            yield Sentence(
                text=f"By {axis} alone there is no step within the budget: {step.why_not}.",
                measured={"rule": axis, "why_not": step.why_not}, axis=axis,
                side="closed" if facts.grows else "against",
            )  # fmt: skip
        else:
            alone[axis] = step
    if len(alone) < 2:
        return
    yield from _cheapest(alone)
    yield from _fastest(facts, alone)
    yield from _parameters(facts, alone)


def _cheapest(alone: Mapping[Axis, StepFacts]) -> Iterator[Sentence]:
    """Activations for each MAC that is used: steps round differently, so their ratio counts."""
    weights: dict[Axis, float] = {
        axis: step.cost["activations"] / step.cost["macs"] for axis, step in alone.items()
    }
    least = min(weights, key=lambda axis: weights[axis])
    most = max(weights, key=lambda axis: weights[axis])
    measured = {
        axis: {key: step.cost[key] for key in ("macs", "activations", "train_bytes")}
        for axis, step in alone.items()
    }
    yield Sentence(
        text=f"Within the budget {least} needs the fewest activations for its work, "
        f"{_spent(alone[least])}, {most} the most, {_spent(alone[most])}. Time on a GPU and memory "
        "to train follow activations more than MACs.",
        measured=measured, axis=least, side="for", thumb=DOLLAR,
    )  # fmt: skip


def _spent(step: StepFacts) -> str:
    cost = step.cost
    return (
        f"{count(cost['activations'])} at {count(cost['macs'])} MACs "
        f"({size(cost['train_bytes'])} to train)"
    )


def _fastest(facts: AdviceFacts, alone: Mapping[Axis, StepFacts]) -> Iterator[Sentence]:
    """Latency as measured here, and whether the rule of thumb held."""
    if any("latency" not in step.cost for step in alone.values()):
        return
    pace: dict[Axis, float] = {
        axis: step.cost["latency"] / step.cost["macs"] for axis, step in alone.items()
    }
    weights: dict[Axis, float] = {
        axis: step.cost["activations"] / step.cost["macs"] for axis, step in alone.items()
    }
    quick, slow = (min(pace, key=pace.__getitem__), max(pace, key=pace.__getitem__))
    if pace[slow] < SLOWER * pace[quick]:
        return
    held = quick == min(weights, key=weights.__getitem__)
    last = (
        "as its activations let expect."
        if held
        else "though it does not have the fewest activations: on this machine the rule of thumb "
        "on activations does not hold at this batch."
    )
    yield Sentence(
        text=f"Measured here for {many(facts.batch, 'image')}, {quick} is the fastest for its work "
        f"({_timed(alone[quick])}) and {slow} the slowest ({_timed(alone[slow])}), {last}",
        measured={
            axis: {"latency": step.cost["latency"], "macs": step.cost["macs"]}
            for axis, step in alone.items()
        },
        axis=quick, side="for", thumb=None if held else DOLLAR,
    )  # fmt: skip


def _timed(step: StepFacts) -> str:
    return f"{amount('latency', step.cost['latency'])} at {count(step.cost['macs'])} MACs"


def _parameters(facts: AdviceFacts, alone: Mapping[Axis, StepFacts]) -> Iterator[Sentence]:
    """Steps that a budget other than MACs cuts short."""
    if not facts.grows:
        return
    furthest = max(step.cost["macs"] for step in alone.values())
    for axis, step in alone.items():
        binds = [key for key in step.binds if key != "macs"]
        if binds and step.cost["macs"] < 0.8 * furthest:
            keys = " and ".join(NOUNS[key] for key in binds)
            yield Sentence(
                text=f"By {axis} alone the budget of {keys} ends at {count(step.cost['macs'])} "
                f"MACs, where another axis reaches {count(furthest)}.",
                measured={"rule": axis, "binds": binds, "macs": step.cost["macs"],
                          "furthest": furthest},
                axis=axis, side="against",
            )  # fmt: skip
