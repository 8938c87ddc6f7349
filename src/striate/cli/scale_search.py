"""``striate scale --search`` in a terminal: what is tried, live; the table; the coefficients."""

from __future__ import annotations

import shlex
from functools import singledispatchmethod
from pathlib import Path
from types import TracebackType

from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from striate.cli.console import Talk, count, plain_table
from striate.cli.stopping import terminated_as_interrupted
from striate.errors import Interrupted
from striate.flow.search import search_events
from striate.flow.search_told import (
    Begun,
    Searched,
    SearchEvent,
    SearchOptions,
    Trained,
    Training,
)
from striate.records import EpochRecord
from striate.records.search import Candidate, SearchResult
from striate.records.wording import many


def searched(told: Talk, data: str, options: SearchOptions) -> Searched:
    """Run the search, with a bar for whoever looks; Interrupted says how it goes on."""
    with _Display(told) as display, terminated_as_interrupted():
        try:
            for event in search_events(data, options, reading=display.reading):
                display.show(event)
                if isinstance(event, Searched):
                    return event
        except (KeyboardInterrupt, Interrupted):
            kept = (
                f"what was done is kept in {display.folder}, and the same command goes on"
                if display.folder is not None
                else "nothing was begun"
            )
            raise Interrupted(f"stopped; {kept}") from None
    raise AssertionError("search_events ends with Searched")


class _Display:
    """Shows one event after another: a line for each training, and a bar below them."""

    def __init__(self, told: Talk) -> None:
        self.folder: Path | None = None
        self._told = told
        self._trainings = 0
        self._epochs = 0.0
        self._live = told.progress.is_terminal and not told.quiet
        self._bar = Progress(
            TextColumn("{task.description}"), BarColumn(bar_width=None),
            TextColumn("{task.fields[at]}"), TimeRemainingColumn(),
            console=told.progress, transient=True, disable=not self._live,
        )  # fmt: skip
        self._task: TaskID | None = None

    def __enter__(self) -> _Display:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def reading(self, done: int, total: int) -> None:
        """Images are read."""
        if self._task is not None:
            self._bar.update(self._task, at=f"reading {done}/{total}")

    @singledispatchmethod
    def show(self, event: SearchEvent) -> None:
        """Show one event; the end is shown by ``show_search``."""

    @show.register
    def _(self, event: Begun) -> None:
        self.folder, self._trainings = event.folder, event.trainings
        out = [one for one in event.candidates if one.rejected is not None]
        tried = sum(len(one.coefficients) for one in event.candidates)
        told = self._told
        told.tell(
            f"[key]{escape(event.base.name)}[/]: {event.base.params:,} parameters, "
            f"{count(event.base.macs)} MACs, images of {_by(event.base)}"
        )
        told.tell(
            f"{tried} choices of α, β and γ round to {many(len(event.candidates), 'network')}: "
            f"{len(event.candidates) - len(out)} to train, {len(out)} left out; with the base "
            f"{many(event.trainings, 'training')}.",
            hang=2,
        )
        told.tell(f"Proxy: {event.proxy.told}. Folder: {escape(str(event.folder))}", hang=2)
        self._task = self._bar.add_task("", total=event.trainings, at="")

    @show.register
    def _(self, event: Training) -> None:
        if self._task is not None:
            name = _coefficients(event.candidate)
            self._bar.update(
                self._task,
                completed=event.done,
                description=f"{event.done + 1}/{self._trainings} {name} seed {event.seed}",
            )

    @show.register
    def _(self, event: EpochRecord) -> None:
        if self._task is not None and event.val_accuracy is not None:
            at = f"epoch {event.epoch}/{event.epochs} {event.val_accuracy:.1%}"
            self._bar.update(self._task, at=at)

    @show.register
    def _(self, event: Trained) -> None:
        if self._task is not None:
            self._bar.update(self._task, completed=event.done)
        came = event.why_not or "no score"
        if event.score is not None:
            came = f"{event.score:.2%}" + (" (done before)" if event.again else "")
        if not self._told.quiet:
            self._told.progress.print(
                f"[dim]{event.done:3}/{self._trainings}[/]  {_coefficients(event.candidate)}  "
                f"seed {event.seed}  {escape(came)}"
            )


def show_search(told: Talk, found: Searched) -> None:
    """The table, best first; what is tied; what is chosen; the command."""
    result = found.result
    table = plain_table(
        ("α", "right"), ("β", "right"), ("γ", "right"), ("image", "left"), ("params", "right"),
        ("MACs", "right"), ("", "right"), ("val top-1", "right"), ("", "left"),
    )  # fmt: skip
    done = [one for one in result.candidates if one.scores]
    for one in sorted(done, key=lambda one: -one.mean):
        table.add_row(*_row(one, result))
    table.add_row(*_row(result.base, result))
    told.say("")
    told.say(table)
    if any(one.warned for one in done):
        told.tell("[dim]Codes are of the linter's warnings that the base has not.[/]", hang=2)
    _conclude(told, result)
    for one in result.candidates:
        if one.rejected is not None:
            told.tell(f"[dim]not trained: {_coefficients(one)}: {escape(one.rejected)}[/]", hang=2)
    if sum(one.rejected is not None for one in result.candidates) > len(done):
        told.tell(
            "[dim]More are left out than tried: a smaller --divisor rounds finer, and a larger "
            "--grid has more to choose from.[/]",
            hang=2,
        )
    told.say("")
    told.tell("[key]Next:[/]")
    told.tell(f"[mark]{escape(command_of(found))}[/]", indent=2, hang=2)


def command_of(found: Searched) -> str:
    """The command that makes the family of the coefficients."""
    return f"striate scale {shlex.quote(str(found.base_file))} {found.options} --phi 1:3"


def _conclude(told: Talk, result: SearchResult) -> None:
    error, scored = 100 * result.error, result.proxy.seeds
    how = (
        f"over {scored} seeds, pooled over all networks"
        if result.pooled
        else f"of {result.val_images:,} validation images; with --seeds 2 it is measured over seeds"
    )
    told.tell(f"Standard error of each: {error:.2f} points ({how}).", hang=2)
    chosen = result.named(result.chosen)
    others = [name for name in result.tied if name != result.chosen]
    if others:
        told.tell(
            f"{len(result.tied)} are within the standard error of a difference "
            f"({1.4142 * error:.2f} points) of the best, and cannot be told apart; the one with "
            "the fewest MACs is taken.",
            hang=2,
        )
    told.tell(f"[key]Chosen:[/] {_coefficients(chosen)}, on the validation split.", hang=2)
    same = [_three(one) for one in chosen.coefficients[1:]]
    if same:
        told.tell(f"[dim]The same network at φ = 1: {'; '.join(same)}.[/]", hang=2)
    if result.base.scores:
        more = 100 * (chosen.mean - result.base.mean)
        apart = abs(more) > 1.4142 * error
        told.tell(
            f"Against the base: {more:+.2f} points for {chosen.ratio:.2f} times the MACs"
            + ("." if apart else ", which is within the standard error of a difference."),
            hang=2,
        )


def _row(one: Candidate, result: SearchResult) -> tuple[str, ...]:
    mark = "chosen" if one.name == result.chosen else "tied" if one.name in result.tied else ""
    three = one.coefficients[0] if one.coefficients else None
    first = [f"{value:g}" for value in three] if three else ["[key]base[/]", "", ""]
    return (
        *first,
        _by(one),
        count(one.params),
        count(one.macs),
        f"×{one.ratio:.2f}",
        f"{one.mean:.2%}" if one.scores else "–",
        " ".join([*([f"[good]{mark}[/]"] if mark else []), *one.warned]),
    )


def _by(one: Candidate) -> str:
    return "×".join(map(str, one.image))


def _coefficients(one: Candidate) -> str:
    return _three(one.coefficients[0]) if one.coefficients else "the base"


def _three(three: tuple[float, float, float]) -> str:
    return "α {:g}, β {:g}, γ {:g}".format(*three)
