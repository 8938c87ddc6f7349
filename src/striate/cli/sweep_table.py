"""A sweep in a terminal: the plan, the live table, the result."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType

from rich.console import Group
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from striate.cli.console import Talk, count, duration, plain_table
from striate.flow.sweep_plan import Plan
from striate.records.sweep import LATENCY, Mean, SweepPoint, SweepResult, SweepRun
from striate.records.wording import many, middle_out

_SIGNS = {"waiting": "○", "running": "◐", "finished": "●", "stopped": "–", "failed": "✗"}
_LEGEND = "● trained  ◐ in training  ○ waiting  – stopped as hopeless  ✗ failed"


def show_plan(talk: Talk, plan: Plan) -> None:
    """The designs with their costs and the linter's word, before anything is trained."""
    images = ", ".join(f"{number:,} {split}" for split, number in plan.data.images.items())
    talk.tell(f"[key]Data[/]  {escape(plan.data.name)}: {images} images", hang=2)
    table = plain_table(
        ("design", "left"), ("image", "left"), ("params", "right"), ("MACs", "right"),
        ("activations", "right"), *([("of budget", "right")] if plan.budget else []),
        ("linter", "left"),
    )  # fmt: skip
    for point in plan.points:
        if point.refused is not None and not point.toml:
            costs = ["", "", "", *([""] if plan.budget else [])]
        else:
            costs = [count(point.params), count(point.macs), count(point.activations)]
            if plan.budget:
                limit = point.axes.get(plan.budget[0])
                cost = point.cost(plan.budget[0])
                costs.append(f"{cost / limit:.0%}" if limit and cost is not None else "")
        table.add_row(
            f"[key]{escape(_short(point, plan.points))}[/]",
            "×".join(map(str, point.image)),
            *costs,
            _word(point),
        )
    talk.say(table)
    for point in plan.points:
        if point.refused is not None:
            talk.tell(f"[bad]not trained[/]  {escape(point.name)}: {escape(point.refused)}", hang=2)
        if point.also:
            talk.tell(
                f"[dim]{escape(point.name)} is {escape(' and '.join(point.also))} too: the same "
                "network, trained once[/]",
                hang=2,
            )
    seeds = len(plan.tasks) // max(1, len(plan.designs))
    epochs = sorted({design.recipe.epochs for design in plan.designs})
    if epochs:
        spread = f"{epochs[0]}" if len(epochs) == 1 else f"{epochs[0]} to {epochs[-1]}"
        talk.tell(
            f"[key]Plan[/]  {many(len(plan.designs), 'design')} × {many(seeds, 'seed')} = "
            f"{many(len(plan.tasks), 'training')} of {spread} epochs, the cheapest design first",
            hang=2,
        )


def _word(point: SweepPoint) -> str:
    if point.refused is not None:
        return "[bad]refused[/]"
    warnings = [f.code for f in point.findings if f.severity == "warning"]
    return f"[yellow]{', '.join(dict.fromkeys(warnings))}[/]" if warnings else ""


def _short(point: SweepPoint, among: Sequence[SweepPoint]) -> str:
    """A design's name without its base's, where all have one base."""
    if len({one.base for one in among}) > 1:
        return point.name
    return point.name.removeprefix(f"{point.base}-")


def show_result(talk: Talk, result: SweepResult) -> None:
    """The last table: accuracy with its standard error, and every cost."""
    trained = [point for point in result.points if point.runs]
    by_judge = "val." if result.judge == "validation" else "test"
    best = result.front("macs")
    heads = ["", "design", "params", "MACs", "activ.", "latency",
             *(["val. %"] if result.judge == "validation" else []), "test %"]  # fmt: skip
    rows = [
        _cells(point, result, marked=point.name in best)
        for point in sorted(trained, key=lambda one: one.macs)
    ]
    talk.say(_fitted(heads, rows, talk.columns))
    seeds = len(result.seeds)
    spread = "± one standard error over the seeds" if seeds > 1 else "one seed, so without an error"
    talk.tell(
        f"[dim]● no design of fewer or equal MACs is better ({by_judge} accuracy); {spread}[/]"
    )
    if result.machine is not None:
        images = many(result.latency_batch, "image")
        talk.tell(f"[dim]latency of {images}: {LATENCY}; {escape(result.machine)}[/]", hang=2)
    for point in trained:
        for run in point.runs:
            if run.state == "failed":
                talk.tell(
                    f"[bad]failed[/]  {escape(point.name)}, seed {run.seed}: "
                    f"{escape(run.why or '')}; --retry tries again",
                    hang=2,
                )


def _cells(point: SweepPoint, result: SweepResult, *, marked: bool) -> list[str]:
    missing = "stopped" if any(run.state == "stopped" for run in point.runs) else "–"
    val, test = point.judged("validation"), point.judged("test")
    return [
        "●" if marked else "",
        _short(point, result.points),
        count(point.params),
        count(point.macs),
        count(point.activations),
        "" if point.latency is None else f"{point.latency * 1e3:.3g} ms",
        *([_mean(val, missing)] if result.judge == "validation" else []),
        _mean(test, missing),
    ]


def _fitted(heads: list[str], rows: list[list[str]], columns: int | None) -> Table:
    """The table in so many columns: activations go first, then names are cut in their middle."""
    cells = [heads, *rows]

    def width() -> int:
        return sum(max(len(row[n]) for row in cells) + 1 for n in range(len(cells[0]))) - 1

    if columns is not None and width() > columns:
        cells = [row[:4] + row[5:] for row in cells]
    if columns is not None and width() > columns:
        longest = max(len(row[1]) for row in cells)
        room = max(12, longest - (width() - columns))
        cells = [[row[0], middle_out(row[1], room), *row[2:]] for row in cells]
    table = plain_table(*((head, "left" if n < 2 else "right") for n, head in enumerate(cells[0])))
    for mark, name, *rest in cells[1:]:
        table.add_row(f"[good]{mark}[/]", f"[key]{escape(name)}[/]", *rest)
    return table


def _mean(value: Mean | None, missing: str) -> str:
    if value is None:
        return missing
    error = "" if value.error is None else f" ±{100 * value.error:.2f}"
    return f"{100 * value.mean:.2f}{error}"


class Board:
    """The live table, while trainings run; a line for each that ends where nobody looks."""

    def __init__(self, talk: Talk) -> None:
        self._talk = talk
        self._live: Live | None = None
        self._shown: set[tuple[str, int]] | None = None
        self._begun = time.monotonic()
        self._done_before = 0.0

    def __enter__(self) -> Board:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Take the live table away."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def show(self, result: SweepResult) -> None:
        """The sweep as it is now."""
        self._tell_ended(result)
        if self._talk.quiet or not self._talk.progress.is_terminal:
            return
        if self._live is None:
            self._done_before = _done(result)
            self._live = Live(console=self._talk.progress, transient=True, auto_refresh=False)
            self._live.start()
        self._live.update(self._board(result), refresh=True)

    def _tell_ended(self, result: SweepResult) -> None:
        """One line for each training that has ended since it was last looked at."""
        ended = {
            (point.name, run.seed): run
            for point in result.points
            for run in point.runs
            if run.state in ("finished", "stopped", "failed")
        }
        if self._shown is not None:
            for name, seed in ended.keys() - self._shown:
                self._talk.tell(_line(name, ended[name, seed], len(ended), len(result.runs)))
        self._shown = set(ended)

    def _board(self, result: SweepResult) -> Group:
        trained = [point for point in result.points if point.runs]
        room = max(3, self._talk.progress.height - 6)
        shown = trained
        if len(trained) > room:
            busy = [p for p in trained if any(run.state == "running" for run in p.runs)]
            shown = (busy + [p for p in trained if p not in busy])[:room]
        table = plain_table(
            ("design", "left"), ("params", "right"), ("MACs", "right"), ("seeds", "left"),
            ("epoch", "right"), ("val. %" if result.judge == "validation" else "test %", "right"),
        )  # fmt: skip
        for point in shown:
            _row(table, point, result)
        if len(shown) < len(trained):
            table.add_row(f"[dim]and {len(trained) - len(shown)} more[/]")
        return Group(table, Text.from_markup(self._summary(result)))

    def _summary(self, result: SweepResult) -> str:
        ended = sum(run.state in ("finished", "stopped", "failed") for run in result.runs)
        running = sum(run.state == "running" for run in result.runs)
        spent = time.monotonic() - self._begun
        done, whole = _done(result), _whole(result)
        new = done - self._done_before
        more = new > 0 and done < whole
        left = f" · about {duration((whole - done) * spent / new)} left" if more else ""
        return (
            f"[key]{ended} of {len(result.runs)}[/] trained, {running} running · "
            f"{duration(spent)}{left}\n[dim]{_LEGEND}[/]"
        )


def _row(table: Table, point: SweepPoint, result: SweepResult) -> None:
    running = [run for run in point.runs if run.state == "running"]
    epoch = f"{len(running[0].curve)}/{running[0].epochs}" if running else ""
    judged = point.judged(result.judge)
    if judged is not None:
        accuracy = _mean(judged, "")
    else:
        now = running[0].curve[-1:] if running else ()
        accuracy = f"[dim]{100 * now[0]:.1f}[/]" if now else ""
    table.add_row(
        f"[key]{escape(_short(point, result.points))}[/]",
        count(point.params),
        count(point.macs),
        "".join(_SIGNS[run.state] for run in point.runs),
        epoch,
        accuracy,
    )


def _line(name: str, run: SweepRun, done: int, total: int) -> str:
    head = f"[dim]{done}/{total}[/] {escape(name)}, seed {run.seed}: "
    if run.state != "finished":
        return f"{head}{run.state}: {escape(run.why or '')}"
    parts: list[str] = []
    if run.val_accuracy is not None:
        parts.append(f"validation [key]{run.val_accuracy:.2%}[/]")
    if run.accuracy is not None:
        parts.append(f"test {run.accuracy:.2%}")
    if run.seconds is not None:
        parts.append(duration(run.seconds))
    return head + ", ".join(parts)


def _done(result: SweepResult) -> float:
    """Work that is done, in MACs times epochs."""
    return sum(
        point.macs * (run.epochs if run.state in ("finished", "stopped", "failed")
                      else min(len(run.curve), run.epochs))
        for point in result.points
        for run in point.runs
    )  # fmt: skip


def _whole(result: SweepResult) -> float:
    return sum(point.macs * run.epochs for point in result.points for run in point.runs)
