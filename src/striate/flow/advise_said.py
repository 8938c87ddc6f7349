"""What the measured facts say of depth, width and resolution: sentences, and no arithmetic beyond
theirs.

A sentence that leans on a rule of thumb names its source; what was not measured is not said.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from striate.flow.advise_learned import learned
from striate.flow.advise_searched import searched
from striate.flow.advise_steps import steps
from striate.flow.advise_words import HE, NOUNS, RICHTER, percent
from striate.records.advice import AdviceFacts, Axis, Sentence, StageFacts
from striate.records.wording import by, count, many
from striate.scaling.budgets import amount

HEAVY = 0.5
"""Share of a cost from which a stage is named."""


def sentences(facts: AdviceFacts) -> tuple[Sentence, ...]:
    """All that can be said, in order: budget, field, resolution, cost, axes, data, the run."""
    return (
        *_budget(facts),
        *_field(facts),
        *_images(facts),
        *_stages(facts),
        *steps(facts),
        *_linted(facts),
        *_remarked(facts),
        *_data(facts),
        *(learned(facts.run) if facts.run else ()),
        *(searched(facts.search) if facts.search else ()),
    )


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
    if sum(part.path.startswith("stages.") for part in facts.stages) < 2:
        return
    for key, noun in (("macs", "MACs"), ("activations", "activations"), ("seconds", "time here")):
        whole = sum(getattr(part, key) for part in facts.stages)
        if not whole:
            continue
        most = max(facts.stages, key=lambda part: getattr(part, key))
        share = getattr(most, key) / whole
        if share < HEAVY:
            continue
        on = f" ({by(most.size)} maps)" if most.size else ""
        yield Sentence(
            text=f"{most.path}{on} holds {percent(share)} of the {noun}: what is grown there is "
            "paid most for.",
            measured={"path": most.path, "of": key, "share": share, "size": most.size},
        )


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
