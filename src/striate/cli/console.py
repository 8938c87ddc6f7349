"""Where text goes: what is for people, what is for programs, and how numbers are written."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TextIO

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text
from rich.theme import Theme

from striate.records.wording import count, size

__all__ = [
    "READABLE", "ReaderGone", "Talk", "complain", "count", "duration", "error_console",
    "plain_table", "show_paragraph", "size", "talk",
]  # fmt: skip

_THEME = Theme({"key": "bold", "dim": "dim", "good": "green", "bad": "bold red", "mark": "cyan"})

_UNBOUNDED = 100_000
"""Columns of a stream that no terminal shows and for which COLUMNS says nothing."""

_WORD = 8
"""Columns that a table's words keep, where they have so many, before its numbers are cut."""

READABLE = 80
"""Columns of what has no width of its own (a page of documentation) on such a stream."""


class ReaderGone(Exception):
    """Whoever read our output has closed it (``striate trace … | head``)."""


class _Console(Console):
    """Text as it is: ``net.py:Leaves:`` is no emoji, and a number no link."""

    def __init__(self, file: TextIO, *, soft_wrap: bool = False) -> None:
        super().__init__(file=file, theme=_THEME, highlight=False, emoji=False, soft_wrap=soft_wrap)

    def on_broken_pipe(self) -> None:
        raise ReaderGone


@dataclass(frozen=True, kw_only=True)
class Talk:
    """The two ways out.  With ``--json``, people's text goes to stderr and stdout stays clean.

    ``programs``: where documents go.  ``people``: where text goes.  ``progress``: where bars and
    notes go: the same console where a person looks at it, so that they keep out of each other's
    way; else stderr.
    """

    programs: TextIO
    people: Console
    progress: Console
    as_json: bool
    quiet: bool

    def document(self, value: dict[str, Any]) -> None:
        """One JSON document (only with ``--json``), on one line unless a person looks."""
        if self.as_json:
            indent = 2 if self.programs.isatty() else None
            self.raw(json.dumps(value, indent=indent, ensure_ascii=False, allow_nan=False) + "\n")

    def raw(self, text: str) -> None:
        """``text`` on stdout, letter for letter."""
        try:
            self.programs.write(text)
            self.programs.flush()
        except BrokenPipeError:
            raise ReaderGone from None

    def say(self, *parts: Any) -> None:
        """Something for people; nothing with ``--quiet``."""
        if self.quiet:
            return
        if len(parts) == 1 and isinstance(parts[0], Table) and self.columns is not None:
            _show_table(self.people, parts[0])
        else:
            self.people.print(*parts)

    def tell(self, markup: str, *, indent: int = 0, hang: int = 0) -> None:
        """A paragraph for people, wrapped where there is a width; nothing with ``--quiet``.

        It begins ``indent`` columns in, and its further lines ``hang`` more.  Words that are
        wider than a line (paths) are kept whole, so that they can be copied.
        """
        if not self.quiet:
            show_paragraph(self.people, markup, indent=indent, hang=hang)

    @contextmanager
    def waiting(self, what: str) -> Generator[None]:
        """A sign of life for whoever looks, while something runs that takes seconds."""
        if self.quiet or not self.progress.is_terminal:
            yield
            return
        with self.progress.status(f"{what} …"):
            yield

    @property
    def columns(self) -> int | None:
        """How wide tables may be; None where nothing bounds them."""
        return None if self.people.width >= _UNBOUNDED else self.people.width


def talk(*, as_json: bool, quiet: bool = False) -> Talk:
    """Open the consoles of one command.

    With ``as_json``, what a user's own module prints goes to stderr too, until ``outcome`` (in
    ``main.py``) puts stdout back.
    """
    programs = sys.stdout
    people = _open(sys.stderr if as_json else sys.stdout)
    progress = people if as_json or people.is_terminal else _open(sys.stderr)
    if as_json:
        sys.stdout = sys.stderr
    return Talk(programs=programs, people=people, progress=progress, as_json=as_json, quiet=quiet)


def complain(word: str, message: str) -> None:
    """One line on stderr: what went wrong, or what should be known."""
    style = "dim" if word == "note" else "bad"
    error_console().print(f"[{style}]{word}:[/] {escape(' '.join(message.split()))}")


def error_console() -> Console:
    """Where the last line of a failing command goes: stderr, never wrapped."""
    return _Console(sys.stderr, soft_wrap=True)


def _open(stream: TextIO) -> Console:
    console = _Console(stream)
    if not console.is_terminal and not os.environ.get("COLUMNS", "").isdigit():
        console.width = _UNBOUNDED
    return console


def show_paragraph(console: Console, markup: str, *, indent: int = 0, hang: int = 0) -> None:
    """``Talk.tell`` on any console."""
    lines: list[Text] = []
    for word in Text.from_markup(markup, emoji=False).split(" "):
        start = indent + hang if lines else indent
        if lines and lines[-1].cell_len + 1 + word.cell_len <= console.width:
            lines[-1].append(" ").append_text(word)
        else:
            lines.append(Text(" " * start).append_text(word))
    for line in lines:
        line.rstrip()
        console.print(line, soft_wrap=True)


def _show_table(console: Console, table: Table) -> None:
    """A table of ``plain_table``; where its numbers would be cut, its rows as wide as they are,
    which then go on in the next line.
    """
    whole = console.options.update(width=_UNBOUNDED)
    widths = [
        max(console.measure(cell, options=whole).maximum for cell in (column.header, *column.cells))
        for column in table.columns
    ]
    least = sum(
        width if column.justify == "right" else min(width, _WORD)
        for column, width in zip(table.columns, widths, strict=True)
    )
    between = len(widths) - 1
    if table.box is not None or least + between <= console.width:
        console.print(table)
        return
    for line in console.render_lines(
        table, console.options.update(width=sum(widths) + between), pad=False
    ):
        row = Text.assemble(*((part.text, part.style or "") for part in line))
        row.rstrip()
        console.print(row)


def plain_table(*columns: tuple[str, str]) -> Table:
    """A table without vertical lines.  ``columns``: (header, ``left`` or ``right``)."""
    table = Table(
        box=None, pad_edge=False, padding=(0, 1), header_style="bold", collapse_padding=True
    )
    for header, side in columns:
        table.add_column(
            header,
            justify="right" if side == "right" else "left",
            overflow="ellipsis",
            no_wrap=True,
        )
    return table


def duration(seconds: float) -> str:
    """Seconds for people: 0.4 s, 12 s, 3 min 05 s, 2 h 10 min.

    >>> [duration(s) for s in (0.42, 12.3, 185, 7800)]
    ['0.4 s', '12 s', '3 min 05 s', '2 h 10 min']
    """
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 90:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"
