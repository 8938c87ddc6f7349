"""What ``fit`` shows while it works: tables first, then a live bar, then the result."""

from __future__ import annotations

from functools import singledispatchmethod
from pathlib import Path
from types import TracebackType

import numpy as np
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from striate.cli.check_text import show_findings
from striate.cli.console import Talk, duration, plain_table, show_paragraph
from striate.cli.fitting_live import Curves, TrainingBar
from striate.cli.layers import layer_table, totals_lines, unknown
from striate.cli.pictures import can_show, row_of_images
from striate.data import Dataset
from striate.flow.events import (
    Checked,
    DataReady,
    Evaluated,
    Event,
    Finished,
    NetworkReady,
    Probed,
    Probing,
    Training,
    WeightsReady,
)
from striate.records import EpochRecord, Run, StepRecord
from striate.runs import SEEN, known_tta
from striate.training import MARGIN, Notice, Probe


class Display:
    """Shows one event after another.

    ``run`` is the finished run, once there is one; ``folder`` where it lies, once it does.
    """

    def __init__(self, talk: Talk) -> None:
        self.run: Run | None = None
        self.folder: Path | None = None
        self._talk = talk
        self._bar: Progress | None = None
        self._task = TaskID(0)
        self._speed: float | None = None
        self._curves, self._epochs = Curves(), 0
        self._live = talk.progress.is_terminal and not talk.quiet

    def __enter__(self) -> Display:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()

    def closed(self) -> None:
        """Take away what moves: whoever shows the next thing is another."""
        self._close()

    def reading(self, done: int, total: int) -> None:
        """Progress of reading images."""
        if not self._live:
            return
        if self._bar is None:
            self._open(
                TextColumn("reading images"),
                BarColumn(bar_width=None),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                total=total,
            )
        if self._bar is not None:
            self._bar.update(self._task, completed=done, total=total)

    def fetching(self, done: int, total: int) -> None:
        """Progress of fetching weights, in bytes."""
        if not self._live:
            return
        if self._bar is None:
            self._open(
                TextColumn("fetching weights"),
                BarColumn(bar_width=None),
                DownloadColumn(),
                TimeRemainingColumn(),
                total=total,
            )
        if self._bar is not None:
            self._bar.update(self._task, completed=done, total=total)

    @singledispatchmethod
    def show(self, event: Event) -> None:
        """Show one event."""
        raise TypeError(f"no way to show a {type(event).__name__}")

    @show.register
    def _(self, event: DataReady) -> None:
        self._close()
        talk, data = self._talk, event.dataset
        talk.tell(f"[key]Data[/]  {escape(data.name)}", hang=2)
        for line in _data_lines(data):
            talk.tell(line, indent=2, hang=2)
        if can_show(talk.people) and not talk.quiet:
            row = row_of_images(
                _examples(data), scale=data.scale, columns=talk.people.width, indent=2
            )
            talk.say(row)
        talk.say()

    @show.register
    def _(self, event: NetworkReady) -> None:
        talk = self._talk
        talk.tell(f"[key]Network[/]  {escape(event.name)}", hang=2)
        if event.why:
            talk.tell(escape(event.why), indent=2)
        talk.say(layer_table(event.trace, width=talk.columns))
        for line in (*totals_lines(event.trace), *unknown(event.trace.unknown)):
            talk.tell(line, hang=2)
        talk.say()

    @show.register
    def _(self, event: Checked) -> None:
        self._talk.say("[key]Check[/]")
        show_findings(self._talk, list(event.findings))
        self._talk.say()

    @show.register
    def _(self, event: WeightsReady) -> None:
        self._talk.tell(f"[key]Weights[/]  {escape(event.source)}", hang=2)
        for sentence in event.said:
            self._talk.tell(escape(f"{sentence[0].upper()}{sentence[1:]}."), indent=2, hang=2)
        self._talk.say()

    @show.register
    def _(self, event: Probing) -> None:
        self._talk.say("[key]Recipe[/]")
        for reason in event.reasons:
            self._talk.tell(escape(reason), indent=2, hang=2)
        self._talk.say()
        self._wait("measuring the numeric settings")

    @show.register
    def _(self, event: Probed) -> None:
        self._close()
        talk, found = self._talk, event.probe
        talk.say("[key]Numeric setting[/]")
        if found.remembered:
            when = f"remembered from {found.measured}; --reprobe measures again"
            talk.tell(f"[dim]{escape(when)}[/]", indent=2, hang=2)
        talk.say(probe_table(found))
        talk.tell(f"[dim]{why_setting(found)}[/]", indent=2)
        talk.say()

    @show.register
    def _(self, event: Training) -> None:
        recipe, talk = event.recipe, self._talk
        self.folder = event.folder
        parts = [
            f"{recipe.epochs:,} epoch{'s' if recipe.epochs > 1 else ''}",
            f"{recipe.steps:,} steps of up to {recipe.batch_size:,} images with {recipe.optimiser}",
        ]
        if event.seconds is not None:
            parts.append(f"about {duration(event.seconds)}")
        talk.tell(
            f"[key]Training{' goes on' if event.resumed else ''}[/]  {', '.join(parts)}", hang=2
        )
        talk.tell(f"into {escape(str(event.folder))}", indent=2, hang=2)
        if self._live:
            self._close()
            self._curves = Curves()
            console = talk.progress
            self._bar = TrainingBar(self._curves, console, redirect_stdout=console is talk.people)
            self._bar.start()
            self._task = self._bar.add_task("", total=recipe.steps or 1, text="")
            self._epochs = recipe.epochs

    @show.register
    def _(self, event: StepRecord) -> None:
        if self._bar is None:
            return
        now = event.images / max(1e-9, event.seconds)
        if self._speed is None:
            # A resumed run begins in the middle, and is to be timed from there.
            self._bar.reset(self._task, total=event.steps, completed=event.step - 1)
        self._speed = now if self._speed is None else 0.9 * self._speed + 0.1 * now
        self._curves.step(event)
        self._bar.update(
            self._task,
            completed=event.step,
            text=f"epoch {event.epoch}/{self._epochs} · step {event.step:,} of {event.steps:,} · "
            f"{self._speed:,.0f} images/s",
        )

    @show.register
    def _(self, event: EpochRecord) -> None:
        self._curves.epoch(event)
        judged = ""
        if event.val_accuracy is not None:
            loss = "not finite" if event.val_loss is None else f"{event.val_loss:.3f}"
            judged = f" · val loss {loss} acc {event.val_accuracy:.1%}"
        self._talk.tell(
            f"{event.epoch:>{len(str(event.epochs))}}/{event.epochs}"
            f" · loss {event.train_loss:.3f} acc {event.train_accuracy:.1%}{judged}"
            f" · {event.images_per_second:,.0f} images/s{' [good]best[/]' if event.best else ''}",
            indent=2,
            hang=4,
        )
        if event.epoch == event.epochs:
            self._wait("measuring on the test images")

    @show.register
    def _(self, event: Notice) -> None:
        show_paragraph(self._talk.progress, f"[yellow]note:[/] {escape(event.text)}", hang=2)

    @show.register
    def _(self, event: Evaluated) -> None:
        self._close()
        found = event.evaluation
        self._talk.say()
        seen = "" if found.tta == "none" else f", each seen {SEEN[known_tta(found.tta)]}"
        self._result(
            f"[key]Test[/]  accuracy [key]{found.accuracy:.2%}[/] on {len(found):,} test images"
            f"{seen} · "
            f"expected calibration error {found.ece:.2%} · loss {found.loss:.4f}"
        )
        self._wait("looking inside, and writing the report")

    @show.register
    def _(self, event: Finished) -> None:
        self._close()
        self.run = event.run
        self._result(f"[key]Report[/]  {escape(event.run.report or '')}")

    def _result(self, markup: str) -> None:
        """What ``--quiet`` shows too, unless there is a document."""
        if not (self._talk.as_json and self._talk.quiet):
            show_paragraph(self._talk.people, markup, hang=6)

    def _open(self, *columns: ProgressColumn, total: int | None) -> None:
        self._close()
        console = self._talk.progress
        self._bar = Progress(
            *columns,
            console=console,
            transient=True,
            expand=total is not None,  # a bar fills the line, a spinner does not
            redirect_stdout=console is self._talk.people,
        )
        self._bar.start()
        self._task = self._bar.add_task("", total=total, text="")

    def _wait(self, what: str) -> None:
        """A sign of life while something runs that does not say how far it is."""
        if self._live:
            self._open(SpinnerColumn(), TextColumn(f"{what} …"), total=None)

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.stop()
        self._bar, self._speed = None, None


def probe_table(found: Probe) -> Table:
    """What was measured and chosen; a column of seconds to compile where something was compiled."""
    compiled = any(result.compile != "off" for result in found.results)
    table = plain_table(
        ("  setting", "left"),
        ("images/s", "right"),
        ("off fp32 by", "right"),
        *([("compile", "right")] if compiled else []),
        ("", "left"),
    )
    for result in found.results:
        verdict = "[good]chosen[/]" if result.chosen else ""
        if not result.agrees:
            verdict = f"[bad]refused: more than {result.tolerance:.0%}[/]"
        elif result.why is not None:
            verdict = f"{verdict}: {result.why}" if verdict else f"[dim]{result.why}[/]"
        seconds = "" if result.compile_seconds is None else f"{result.compile_seconds:.0f} s"
        table.add_row(
            f"  {result.name}",
            f"{result.images_per_second:,.0f}",
            "" if result.name == "fp32" else f"{result.deviation:.2%}",
            *([seconds] if compiled else []),
            verdict,
        )
    return table


def why_setting(found: Probe) -> str:
    """Why the chosen setting was chosen, in a sentence."""
    compiled = "; its steps are compiled" if found.compile != "off" else ""
    if sum(result.compile == "off" for result in found.results) == 1:
        return f"{found.setting}, as was asked for{compiled}"
    if found.setting == "fp32":
        return f"fp32: no setting that agrees with it is {MARGIN - 1:.0%} faster{compiled}"
    allowed = f"loss and gradient to {found.chosen.tolerance:.0%}"
    return f"{found.setting}: the fastest that agrees with fp32 ({allowed}){compiled}"


def _data_lines(data: Dataset) -> list[str]:
    counts = " · ".join(f"{len(split):,} {split.name}" for split in data.splits)
    shown = ", ".join(data.classes[:10]) + (", …" if len(data.classes) > 10 else "")
    low, high = data.pixel_range
    total = sum(len(split) for split in data.splits)
    pixels = (
        f"{'×'.join(map(str, data.image))} pixels, values {low} to {high} of {data.scale:g}, "
        f"mean {_numbers(data.mean)}, deviation {_numbers(data.std)}"
    )
    return [
        f"{total:,} images: {counts}",
        f"{len(data.classes)} classes: {escape(shown)}",
        pixels,
        *(f"[dim]{escape(note)}[/]" for note in data.notes),
    ]


def _numbers(values: tuple[float, ...]) -> str:
    return " ".join(f"{value:.3f}" for value in values)


def _examples(data: Dataset) -> list[np.ndarray]:
    """The first training image of each class in turn, a dozen at most."""
    found = [np.flatnonzero(data.train.labels == number) for number in range(len(data.classes))]
    firsts = [int(places[0]) for places in found if len(places)][:12]
    return list(data.train.pixels(np.array(firsts, np.int64)))
