"""What a finished run says of a network: under- or over-fitting, and what of it is not used."""

from __future__ import annotations

import math
from collections.abc import Iterator

from striate.flow.advise_words import percent
from striate.records.advice import RunFacts, Sentence
from striate.records.wording import many

UNFIT, GAP = 0.97, 2.0
"""Below which accuracy on training images a run has not learned them; standard errors of a gap."""
MANY_DEAD = 0.1
"""Share of channels that are never on, from which width is not what is missing."""
MANY_IDLE = 0.25
"""Share of residual branches that change nothing, from which depth is not what is missing."""


def learned(run: RunFacts) -> Iterator[Sentence]:
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
