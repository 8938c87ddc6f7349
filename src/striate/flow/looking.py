"""A run's network and images as the ways of looking take them, and the ways one after another."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from torch import nn

from striate.flow.network import users_errors
from striate.flow.report import ReportParts
from striate.flow.see_steps import Step
from striate.flow.ways import Way
from striate.records import Evidence
from striate.runs import Preprocessing, known_setting
from striate.seeing.looking import subject_of
from striate.seeing.subject import LookOptions, Subject

Progress = Callable[[Way | Step, int, int], None]
"""Called with the way, or the training, that is at work, and how many of its parts are done, of
how many.
"""

_OTHER = 1_000_003
"""What a control's number is multiplied with: its seed is no other run's."""


def subject_of_run(parts: ReportParts, options: LookOptions | None = None) -> Subject:
    """What a training left in hand, as every way of looking takes it."""
    seed = parts.recipe.seed

    def fresh(number: int) -> nn.Module:
        return parts.make(seed + _OTHER * (number + 1))

    subject = subject_of(
        parts.module,
        parts.dataset.test,
        Preprocessing.of(parts.dataset),
        parts.evaluation,
        start=lambda: parts.make(seed),
        setting=known_setting(parts.recipe.setting),
        options=options,
    )
    return replace(subject, trace=parts.trace, fresh=fresh, train=parts.dataset.train)


def look_in_ways(
    subject: Subject, ways: Sequence[Way], progress: Progress | None, *, name: str
) -> Iterator[tuple[Way, Sequence[Evidence], float]]:
    """Each way with its pieces and its seconds; ``name``: the network's, for what it raises."""
    for way in ways:

        def tick(done: int, total: int, way: Way = way) -> None:
            if progress is not None:
                progress(way, done, total)

        tick(0, 1)
        began = time.perf_counter()
        with users_errors(name):
            pieces = way.compute(subject, tick)
        tick(1, 1)
        yield way, pieces, time.perf_counter() - began
