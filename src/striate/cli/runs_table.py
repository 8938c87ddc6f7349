"""Runs in a terminal: the list, and what differs between some of them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime

from rich.markup import escape

from striate.cli.console import Talk, count, duration, plain_table
from striate.records.run_list import Difference, ListedRun, RunsCompared
from striate.records.wording import end_out, many, middle_out

_STYLES = {"finished": "good", "broken": "bad", "diverged": "bad", "training": "mark"}
_HEADS = (
    "run", "data", "network", "params", "acc. %", "loss", "epochs", "time", "setting", "state",
    "layers", "when",
)  # fmt: skip
_RIGHT = {"params", "acc. %", "loss", "epochs", "time"}
_LEAVING = ("setting", "when", "data", "loss", "network", "params", "layers")
"""Columns in the order in which they are left out of a list that is too wide."""

_NAME = 16
"""Columns that a run's name keeps before others are left out."""

_PARTS = {
    "recipe": "Recipe",
    "network": "Network",
    "data": "Data",
    "versions": "Versions and machine",
}


def show_list(talk: Talk, runs: Sequence[ListedRun]) -> None:
    """The table; what all runs share is said once, above it."""
    columns = [list(column) for column in zip(*(_cells(run) for run in runs), strict=True)]
    table: dict[str, list[str]] = dict(zip(_HEADS, columns, strict=True))
    shared = {
        name: table[name][0]
        for name in ("data", "network", "setting")
        if len(runs) > 1 and table[name][0] and len(set(table[name])) == 1
    }
    for name in shared:
        del table[name]
    if not any(table["layers"]):
        del table["layers"]
    if shared:
        told = ", ".join(f"{name} {escape(value)}" for name, value in shared.items())
        talk.tell(f"[key]All[/]  {told}", hang=2)
    left = _fit(table, talk.columns)
    shown = plain_table(*((name, "right" if name in _RIGHT else "left") for name in table))
    for run, row in zip(runs, zip(*table.values(), strict=True), strict=True):
        cells = dict(zip(table, map(escape, row), strict=True))
        cells["run"] = f"[key]{cells['run']}[/]"
        if run.state in _STYLES:
            cells["state"] = f"[{_STYLES[run.state]}]{cells['state']}[/]"
        shown.add_row(*cells.values())
    talk.say(shown)
    for run in runs:
        if run.why is not None:
            style = _STYLES.get(run.state, "dim")
            talk.tell(f"[{style}]{run.state}[/]  {escape(run.name)}: {escape(run.why)}", hang=2)
        if run.sick:
            first, *others = run.sick
            more = f"; {len(others)} more" if others else ""
            talk.tell(
                f"[bad]sick[/]  {escape(run.name)}: {escape(str(first))}{more}; striate "
                f"check {escape(run.run)} says more",
                hang=2,
            )
    if left:
        talk.tell(f"[dim]left out for want of room: {', '.join(left)}; --json has all[/]", hang=2)


def _cells(run: ListedRun) -> list[str]:
    epochs = "" if run.epochs is None else f"{run.epochs}"
    if run.epochs is not None and run.epoch != run.epochs:
        epochs = f"{run.epoch}/{run.epochs}"
    return [
        run.name,
        run.data or "",
        run.network or "",
        "" if run.params is None else count(run.params),
        "" if run.accuracy is None else f"{100 * run.accuracy:.2f}",
        "" if run.loss is None else f"{run.loss:.3f}",
        epochs,
        "" if run.seconds is None else duration(run.seconds),
        run.setting or "",
        run.state,
        _ailing(run),
        "" if run.when is None else _when(run.when),
    ]


def _ailing(run: ListedRun) -> str:
    return f"{len(run.sick)} sick" if run.sick else ""


def _when(seconds: float) -> str:
    """Local time: ``11-23 09:05`` of this year, ``2024-11-23`` of another."""
    then, now = (datetime.fromtimestamp(at, UTC).astimezone() for at in (seconds, time.time()))
    return then.strftime("%m-%d %H:%M" if then.year == now.year else "%Y-%m-%d")


def _fit(table: dict[str, list[str]], room: int | None) -> list[str]:
    """Make ``table`` fit ``room`` columns: names are cut, then columns go; returns those."""
    left: list[str] = []
    if room is None:
        return left
    widths = {name: max(map(len, [name, *cells])) for name, cells in table.items()}
    bounded = {"run": _NAME, "data": 12, "network": 12}

    def least() -> int:
        return sum(min(w, bounded.get(n, w)) for n, w in widths.items()) + len(widths) - 1

    for name in _LEAVING:
        if least() > room and name in table:
            left.append(name)
            del table[name], widths[name]
    for name in ("data", "network", "run"):  # what is cut first
        over = sum(widths.values()) + len(widths) - 1 - room
        if over > 0 and name in table:
            widths[name] = max(widths[name] - over, min(widths[name], bounded[name]))
            table[name] = [middle_out(cell, widths[name]) for cell in table[name]]
    return left


def show_compared(talk: Talk, compared: RunsCompared) -> None:
    """What came of each, then what differs, each part in a table of its own."""
    for note in compared.notes:
        talk.tell(f"[dim]note:[/] {escape(note)}", hang=2)
    names = [run.name for run in compared.runs]
    _side_by_side(talk, "Results", _results(compared), names)
    for run, gap in zip(compared.runs, compared.gaps, strict=True):
        if gap is None:
            continue
        chance = ", which chance could make" if abs(gap.accuracy) <= 2 * gap.error else ""
        talk.tell(
            f"  {escape(run.name)} against {escape(names[0])}, on the same "
            f"{many(gap.images, 'test image')}: {100 * gap.accuracy:+.2f} ± {100 * gap.error:.2f} "
            f"points{chance} (right on {gap.only_this} that the other is not, and wrong on "
            f"{gap.only_first} that it is not)",
            hang=2,
        )
    for part, title in _PARTS.items():
        found = compared.differences.get(part, ())
        if not found:
            talk.tell(f"[key]{title}[/]  the same in all")
        else:
            _side_by_side(talk, title, [_row(one) for one in found], names)


def _results(compared: RunsCompared) -> list[tuple[str, list[str]]]:
    runs = compared.runs
    rows = [
        ("network", [run.network or "" for run in runs]),
        ("parameters", ["" if run.params is None else f"{run.params:,}" for run in runs]),
        ("test accuracy", ["" if r.accuracy is None else f"{r.accuracy:.2%}" for r in runs]),
        ("test loss", ["" if run.loss is None else f"{run.loss:.4f}" for run in runs]),
        ("calibration error", ["" if run.ece is None else f"{run.ece:.2%}" for run in runs]),
        ("validation", ["" if r.val_accuracy is None else f"{r.val_accuracy:.2%}" for r in runs]),
        ("epochs", [f"{run.epoch} of {run.epochs}" for run in runs]),
        ("time", ["" if run.seconds is None else duration(run.seconds) for run in runs]),
        (
            "images/s",
            [
                "" if run.images_per_second is None else f"{run.images_per_second:,.0f}"
                for run in runs
            ],
        ),
        ("state", [run.state for run in runs]),
        ("layers", [_ailing(run) for run in runs]),
    ]
    return [(key, cells) for key, cells in rows if any(cells)]


def _row(one: Difference) -> tuple[str, list[str]]:
    return one.key, [_said(value) for value in one.values]


def _said(value: object) -> str:
    """A setting as its TOML writes it, but for text, which needs no quotes here; – for none.

    >>> _said(None), _said(True), _said([3, 8, 8]), _said("bf16")
    ('–', 'true', '[3, 8, 8]', 'bf16')
    """
    if value is None:
        return "–"
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


def _side_by_side(
    talk: Talk, title: str, rows: Sequence[tuple[str, list[str]]], names: Sequence[str]
) -> None:
    """A column for each run where each gets twelve characters or more, else values in words."""
    first = max(len(title), *(len(key) + 2 for key, _ in rows))
    widths = [
        max(map(len, column)) for column in zip(names, *(cells for _, cells in rows), strict=True)
    ]
    room = talk.columns
    if room is not None and first + sum(widths) + len(widths) > room:
        each = (room - first) // len(names) - 1
        if each < 12:
            _one_below_another(talk, title, rows, names)
            return
        widths = [min(width, each) for width in widths]
    heads = [escape(middle_out(n, w)) for n, w in zip(names, widths, strict=True)]
    table = plain_table((title, "left"), *((name, "left") for name in heads))
    for key, cells in rows:
        shown = (escape(end_out(cell, w)) for cell, w in zip(cells, widths, strict=True))
        table.add_row(f"  {escape(key)}", *shown)
    talk.say(table)


def _one_below_another(
    talk: Talk, title: str, rows: Sequence[tuple[str, list[str]]], names: Sequence[str]
) -> None:
    """A paragraph for each setting: its values, each with the runs that have it."""
    talk.tell(f"[key]{title}[/]")
    for key, cells in rows:
        by_value: dict[str, list[str]] = {}
        for name, cell in zip(names, cells, strict=True):
            by_value.setdefault(cell or "–", []).append(name)
        told = " · ".join(
            f"{escape(cell)} [dim]({escape(', '.join(those))})[/]"
            for cell, those in by_value.items()
        )
        talk.tell(f"  [key]{escape(key)}[/]  {told}", hang=2)
