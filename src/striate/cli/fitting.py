"""What ``fit`` shows while it works: tables first, then a live bar, then the result."""

from __future__ import annotations

from functools import singledispatchmethod
from types import TracebackType

import numpy as np
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from striate.cli.check import show_findings
from striate.cli.console import Talk, duration, plain_table
from striate.cli.layers import layer_table, totals_line
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
)
from striate.records import EpochRecord, Run, StepRecord
from striate.training import Notice


class Display:
    """Shows one event after another.  ``run`` is the finished run, once there is one."""

    def __init__(self, talk: Talk) -> None:
        self.run: Run | None = None
        self._talk = talk
        self._bar: Progress | None = None
        self._task: TaskID | None = None
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

    def reading(self, done: int, total: int) -> None:
        """Progress of reading images."""
        if not self._live:
            return
        if self._bar is None:
            self._open(
                Progress(
                    TextColumn("reading images"),
                    BarColumn(bar_width=None),
                    MofNCompleteColumn(),
                    TimeRemainingColumn(),
                    console=self._talk.progress,
                    transient=True,
                ),
                total,
            )
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=done)
        if done >= total:
            self._close()

    @singledispatchmethod
    def show(self, event: Event) -> None:
        """Show one event."""
        raise TypeError(f"no way to show a {type(event).__name__}")

    @show.register
    def _(self, event: DataReady) -> None:
        self._close()
        say, data = self._talk.say, event.dataset
        say(f"[key]Data[/]  {escape(data.name)}")
        for line in _data_lines(data):
            say("  " + line)
        if can_show(self._talk.people) and not self._talk.quiet:
            width = self._talk.people.width - 2
            say(row_of_images(_examples(data), scale=data.scale, columns=width))
        say()

    @show.register
    def _(self, event: NetworkReady) -> None:
        say = self._talk.say
        say(f"[key]Network[/]  {escape(event.name)}")
        if event.why:
            say(f"  {escape(event.why)}")
        say(layer_table(event.trace))
        say(totals_line(event.trace))
        say()

    @show.register
    def _(self, event: Checked) -> None:
        self._talk.say("[key]Check[/]")
        show_findings(self._talk, list(event.findings))
        self._talk.say()

    @show.register
    def _(self, event: Probing) -> None:
        self._talk.say("[key]Recipe[/]")
        for reason in event.reasons:
            self._talk.say(f"  {escape(reason)}")
        self._talk.say()

    @show.register
    def _(self, event: Probed) -> None:
        say, found = self._talk.say, event.probe
        when = (
            f"remembered from {found.measured}; --reprobe measures again"
            if found.remembered
            else ""
        )
        say(f"[key]Numeric setting[/]  [dim]{escape(when)}[/]")
        table = plain_table(
            ("  setting", "left"), ("images/s", "right"), ("off fp32 by", "right"), ("", "left")
        )
        for result in found.results:
            verdict = "[good]chosen[/]" if result.chosen else ""
            if not result.agrees:
                verdict = f"[bad]refused: more than {result.tolerance:.0%}[/]"
            deviation = "" if result.setting == "fp32" else f"{result.deviation:.2%}"
            speed = f"{result.images_per_second:,.0f}"
            table.add_row(f"  {result.setting}", speed, deviation, verdict)
        say(table)
        say()

    @show.register
    def _(self, event: Training) -> None:
        recipe = event.recipe
        expected = "" if event.seconds is None else f", about {duration(event.seconds)}"
        self._talk.say(
            f"[key]Training[/]  {recipe.epochs} epochs of batches of {recipe.batch_size} with "
            f"{recipe.optimiser}, {recipe.steps} steps{expected} → "
            f"[key]{escape(str(event.folder))}[/]"
        )
        if self._live:
            self._open(
                Progress(
                    TextColumn("epoch {task.fields[epoch]}"),
                    BarColumn(bar_width=None),
                    TextColumn("{task.fields[text]}"),
                    TimeRemainingColumn(),
                    console=self._talk.progress,
                    transient=True,
                ),
                recipe.steps or 1,
            )

    @show.register
    def _(self, event: StepRecord) -> None:
        if self._bar is None or self._task is None:
            return
        speed = event.images / max(1e-9, event.seconds)
        self._bar.update(
            self._task,
            completed=event.step,
            epoch=event.epoch,
            text=f"loss {event.loss:.3f} · acc {event.accuracy:.1%} · {speed:,.0f} img/s",
        )

    @show.register
    def _(self, event: EpochRecord) -> None:
        judged = ""
        if event.val_accuracy is not None:
            loss = "not finite" if event.val_loss is None else f"{event.val_loss:.3f}"
            judged = f" · val loss {loss} acc {event.val_accuracy:.2%}"
        self._talk.say(
            f"  epoch {event.epoch:>{len(str(event.epochs))}}/{event.epochs}"
            f" · loss {event.train_loss:.3f} acc {event.train_accuracy:.2%}{judged}"
            f" · {event.images_per_second:,.0f} img/s{' [good]best[/]' if event.best else ''}"
        )

    @show.register
    def _(self, event: Notice) -> None:
        self._talk.progress.print(f"[yellow]note:[/] {escape(event.text)}")

    @show.register
    def _(self, event: Evaluated) -> None:
        self._close()
        found = event.evaluation
        self._talk.say()
        self._talk.say(
            f"[key]Test[/]  accuracy [key]{found.accuracy:.2%}[/] on {len(found):,} test images · "
            f"expected calibration error {found.ece:.2%} · loss {found.loss:.4f}"
        )

    @show.register
    def _(self, event: Finished) -> None:
        self._close()
        self.run = event.run
        if not self._talk.as_json:
            self._talk.people.print(f"[key]Report[/]  {escape(event.run.report or '')}")

    def _open(self, bar: Progress, total: int) -> None:
        self._close()
        self._bar = bar
        bar.start()
        self._task = bar.add_task("", total=total, epoch=1, text="")

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.stop()
        self._bar = self._task = None


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
