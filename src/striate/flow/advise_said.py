"""What the measured facts say of depth, width and resolution: sentences, and no arithmetic beyond
theirs.

A sentence that leans on a rule of thumb names its source; what was not measured is not said.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from striate.records.advice import AdviceFacts, Axis, RunFacts, Sentence, StageFacts, StepFacts
from striate.records.wording import by, count, many, size

TAN_LE = "Tan and Le 2019 (arXiv 1905.11946)"
DOLLAR = "Dollár, Singh and Girshick 2021 (arXiv 2103.06877)"
RICHTER = "Richter et al. 2021 (arXiv 2106.12307)"
HE = "He et al. 2015 (arXiv 1512.03385)"

HEAVY = 0.5
"""Share of a cost from which a stage is named."""
UNFIT, GAP = 0.97, 2.0
"""Below which accuracy on training images a run has not learned them; standard errors of a gap."""
MANY_DEAD = 0.1
"""Share of channels that are never on, from which width is not what is missing."""
MANY_IDLE = 0.25
"""Share of residual branches that change nothing, from which depth is not what is missing."""
SLOWER = 1.1
"""How many times as long one must take to be called slower: medians on a busy machine waver."""

NOUNS = {
    "macs": "MACs",
    "params": "parameters",
    "activations": "activations",
    "train_bytes": "memory to train",
    "latency": "latency",
}


def sentences(facts: AdviceFacts) -> tuple[Sentence, ...]:
    """All that can be said, in order: budget, field, resolution, cost, axes, data, the run."""
    return (
        *_budget(facts),
        *_field(facts),
        *_images(facts),
        *_stages(facts),
        *_steps(facts),
        *_linted(facts),
        *_remarked(facts),
        *_data(facts),
        *(_learned(facts.run) if facts.run else ()),
    )


def amount(key: str, value: float) -> str:
    """A cost in its own unit, short."""
    if key == "train_bytes":
        return size(value)
    return f"{value * 1e3:.3g} ms" if key == "latency" else count(round(value))


def percent(share: float) -> str:
    """``0.084`` as ``8.4 %``, ``0.84`` as ``84 %``."""
    return f"{share:.1%}".replace("%", " %") if share < 0.1 else f"{share:.0%}".replace("%", " %")


def _budget(facts: AdviceFacts) -> Iterator[Sentence]:
    for key, limit in facts.budgets.items():
        has = facts.cost[key]
        ratio = limit / has
        measured = {"budget": key, "limit": limit, "has": has, "ratio": ratio}
        room = (
            f"a budget of {amount(key, limit)} {NOUNS[key]} is {ratio:.3g} times the "
            f"{amount(key, has)} that {facts.network} has"
        )
        if facts.assumed:
            room = (
                f"no budget was given, so {ratio:.3g} times the {amount(key, has)} {NOUNS[key]} of "
                f"{facts.network} is taken: one step of φ, with room for rounding"
            )
        tail = "." if ratio >= 1 else ": it must shrink."
        yield Sentence(text=room[0].upper() + room[1:] + tail, measured=measured)


def _last_map(facts: AdviceFacts) -> StageFacts | None:
    """The last stage that has a map."""
    return next((part for part in reversed(facts.parts) if part.status is not None), None)


def _field(facts: AdviceFacts) -> Iterator[Sentence]:
    """The field of the last block against the image."""
    last, image = _last_map(facts), facts.data.image[1:]
    if last is None:
        return
    measured: dict[str, object] = {
        "path": last.path, "status": last.status, "field_px": last.field, "least_px": last.least,
        "image": image,
    }  # fmt: skip
    if last.status == "whole":
        yield Sentence(
            text=f"Attention in {last.path} sees the whole {by(image)} image: further depth brings "
            "no further context.",
            measured=measured,
        )
        return
    if last.field is None or last.least is None:
        return
    share = min(seen / side for seen, side in zip(last.field, image, strict=True))
    measured["share"] = share
    sees = f"An element of the last map sees {by(last.field)} px of the {by(image)} image"
    if share < 1:
        yield Sentence(
            text=f"{sees}, {percent(share)} of its side: depth (or a stride) would show it the "
            "rest.",
            measured=measured, axis="depth", side="for", thumb=RICHTER,
        )  # fmt: skip
        yield Sentence(
            text=f"Images larger than {by(image)} would be seen in smaller parts still, unless "
            "depth grows with them.",
            measured=measured, axis="resolution", side="against",
        )  # fmt: skip
    elif any(seen < side for seen, side in zip(last.least, image, strict=True)):
        yield Sentence(
            text=f"{sees} ({share:.1f} times its side) along its widest path and {by(last.least)} "
            "along its narrowest, through the skips: more depth brings no context. It can still "
            f"bring features: residual networks have gained from depth beyond that point.",
            measured=measured, axis="depth", side="against", thumb=HE,
        )  # fmt: skip
    else:
        text = (
            f"{sees}, {share:.1f} times its side and all of it along every path: further depth "
            "has no context left to add."
        )
        yield Sentence(text=text, measured=measured, axis="depth", side="closed", thumb=RICHTER)


def _images(facts: AdviceFacts) -> Iterator[Sentence]:
    """The network's images against those that came."""
    data = facts.data
    shown = data.image[1:]
    measured = {
        "image": shown, "least": data.least, "median": data.median, "greatest": data.greatest,
    }  # fmt: skip
    came = min(a / b for a, b in zip(data.median, shown, strict=True))
    if came > 1:
        pixels = data.median[0] * data.median[1] / (shown[0] * shown[1])
        yield Sentence(
            text=f"The images came at {by(data.median)} (median) and are shown at {by(shown)}: "
            f"{pixels:.3g} times as many pixels are there for a larger resolution to show.",
            measured=measured, axis="resolution", side="for",
        )  # fmt: skip
    elif came == 1:
        yield Sentence(
            text=f"The images came at {by(data.median)} and are shown so: a larger resolution "
            "would enlarge pixels, and show no new ones. (Finer maps, less stride gives too.)",
            measured=measured, axis="resolution", side="closed",
        )  # fmt: skip
    else:
        yield Sentence(
            text=f"The images came at {by(data.median)} (median) and are enlarged to {by(shown)} "
            "already: a larger resolution shows no new pixel.",
            measured=measured, axis="resolution", side="closed",
        )  # fmt: skip


def _stages(facts: AdviceFacts) -> Iterator[Sentence]:
    """The part that holds most of each cost."""
    for key, noun in (("macs", "MACs"), ("activations", "activations"), ("seconds", "time here")):
        whole = sum(getattr(part, key) for part in facts.stages)
        if not whole:
            continue
        most = max(facts.stages, key=lambda part: getattr(part, key))
        share = getattr(most, key) / whole
        if share < HEAVY or len(facts.stages) < 3:
            continue
        on = f" ({by(most.size)} maps)" if most.size else ""
        yield Sentence(
            text=f"{most.path}{on} holds {percent(share)} of the {noun}: what is grown there is "
            "paid most for.",
            measured={"path": most.path, "of": key, "share": share, "size": most.size},
        )


def _steps(facts: AdviceFacts) -> Iterator[Sentence]:
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


def _linted(facts: AdviceFacts) -> Iterator[Sentence]:
    """What should be mended before anything is grown."""
    if not facts.warnings:
        return
    codes = ", ".join(f"{code} {name}" for code, name in facts.warnings.items())
    yield Sentence(
        text=f"The linter warns of {facts.network} as it is ({codes}): mend that first, since what "
        "is grown is grown with it.",
        measured={"codes": list(facts.warnings)},
    )


_OF: Mapping[str, tuple[Axis | None, str, str | None]] = {
    "FL201": ("depth", "closed", RICHTER),
    "FL202": ("depth", "for", None),
    "RE402": ("depth", "closed", HE),
    "CO602": (None, "note", None),
    "CO605": ("depth", "closed", "Zagoruyko and Komodakis 2016 (arXiv 1605.07146)"),
}
"""Axis, side and source of what the linter says.  Those on runs are said with the run."""


def _remarked(facts: AdviceFacts) -> Iterator[Sentence]:
    for remark in facts.remarks:
        if remark.code not in _OF:
            continue
        axis, side, thumb = _OF[remark.code]
        where = f" at {remark.path}" if remark.path else ""
        yield Sentence(
            text=f"{remark.code}{where}: {remark.message}",
            measured=remark.measured, axis=axis,
            side="closed" if side == "closed" else "for" if side == "for" else "note", thumb=thumb,
        )  # fmt: skip


def _data(facts: AdviceFacts) -> Iterator[Sentence]:
    data = facts.data
    each = facts.cost["params"] / data.train
    last = "" if facts.run else " Whether those are too many, only a run can tell: --run."
    yield Sentence(
        text=f"{facts.network} has {count(each)} parameters for each of "
        f"{many(data.train, 'training image')} of {many(data.classes, 'class', 'classes')} (the "
        f"rarest has {data.fewest:,}).{last}",
        measured={
            "params": facts.cost["params"], "images": data.train, "classes": data.classes,
            "fewest": data.fewest, "params_per_image": each,
        },
    )  # fmt: skip


def _learned(run: RunFacts) -> Iterator[Sentence]:
    """Under- or over-fitting, and what of the network is not used."""
    gap = run.train_accuracy - run.val_accuracy
    error = math.hypot(
        _error(run.train_accuracy, run.train_images), _error(run.val_accuracy, run.val_images)
    )
    measured = {
        "train_accuracy": run.train_accuracy, "train_images": run.train_images,
        "val_accuracy": run.val_accuracy, "val_images": run.val_images,
        "gap": gap, "standard_error": error, "epochs": run.epochs,
    }  # fmt: skip
    said = (
        f"After {many(run.epochs, 'epoch')} the run is right on {percent(run.train_accuracy)} of "
        f"{run.train_images:,} training images and {percent(run.val_accuracy)} of "
        f"{run.val_images:,} validation images"
    )
    wide = gap > GAP * error
    apart = f"{100 * gap:.1f} points apart, {gap / error:.1f} standard errors"
    if run.train_accuracy < UNFIT and not wide:
        text = f"{said}: it has not learned what it was shown, and more capacity, or more epochs, "
        yield Sentence(text=text + "can help.", measured=measured)
    elif wide and run.train_accuracy >= UNFIT:
        yield Sentence(
            text=f"{said}, {apart}: it knows its training images by heart. More capacity fits what "
            "is fitted already; more images or more augmentation is the nearer mend.",
            measured=measured,
        )
    elif wide:
        yield Sentence(
            text=f"{said}, {apart}: it learns what does not carry over, before it has learned all.",
            measured=measured,
        )
    else:
        yield Sentence(
            text=f"{said}: the two do not differ by more than {GAP:g} standard errors, and what is "
            "left to gain is small beside what can be measured.",
            measured=measured,
        )
    if run.channels:
        idle = (run.dead + run.saturated) / run.channels
        tail = (
            "width is there that is not used."
            if idle >= MANY_DEAD
            else "the width that is there is used."
        )
        yield Sentence(
            text=f"Of {run.channels:,} channels of activations, {run.dead:,} were never on and "
            f"{run.saturated:,} always at an end of their range over {run.looked} validation "
            f"images: {tail}",
            measured={"channels": run.channels, "dead": run.dead, "saturated": run.saturated},
            axis="width", side="closed" if idle >= MANY_DEAD else "note",
        )  # fmt: skip
    if run.branches:
        share = run.idle / run.branches
        tail = (
            "depth is there that is not used."
            if share >= MANY_IDLE
            else "the depth that is there is used."
        )
        yield Sentence(
            text=f"Of {many(run.branches, 'residual branch', 'residual branches')}, {run.idle} "
            f"can be left out, one at a time, without another answer: {tail}",
            measured={"branches": run.branches, "idle": run.idle},
            axis="depth", side="closed" if share >= MANY_IDLE else "note",
        )  # fmt: skip


def _error(accuracy: float, images: int) -> float:
    """Standard error of an accuracy over so many images; above 0 at 100 % too, by half an image."""
    share = (accuracy * images + 0.5) / (images + 1)
    return math.sqrt(share * (1 - share) / images)
