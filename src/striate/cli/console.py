"""Where text goes: what is for people, what is for programs, and how numbers are written."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.theme import Theme

_THEME = Theme({"key": "bold", "dim": "dim", "good": "green", "bad": "bold red", "mark": "cyan"})


@dataclass(frozen=True, kw_only=True)
class Talk:
    """The two ways out.  With ``--json``, people's text goes to stderr and stdout stays clean."""

    people: Console
    progress: Console
    as_json: bool
    quiet: bool

    def document(self, value: dict[str, Any]) -> None:
        """One JSON document on stdout (only with ``--json``), on one line unless a person looks."""
        if self.as_json:
            indent = 2 if sys.stdout.isatty() else None
            text = json.dumps(value, indent=indent, ensure_ascii=False, allow_nan=False)
            sys.stdout.write(text + "\n")
            sys.stdout.flush()

    def say(self, *parts: Any) -> None:
        """A line for people; nothing with ``--quiet``."""
        if not self.quiet:
            self.people.print(*parts)


def talk(*, as_json: bool, quiet: bool = False) -> Talk:
    """Open the consoles of one command."""
    progress = Console(stderr=True, theme=_THEME, highlight=False)
    people = progress if as_json else Console(theme=_THEME, highlight=False, soft_wrap=False)
    return Talk(people=people, progress=progress, as_json=as_json, quiet=quiet)


def error_console() -> Console:
    """Where the last line of a failing command goes: stderr, never wrapped."""
    return Console(stderr=True, theme=_THEME, highlight=False, soft_wrap=True)


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


def count(value: float) -> str:
    """A count in at most five characters: 942, 4.32k, 25.6M, 4.09G.

    >>> [count(n) for n in (0, 942, 4320, 25_557_032, 4_089_184_256)]
    ['0', '942', '4.32k', '25.6M', '4.09G']
    """
    if value < 1000:
        return f"{value:.0f}"
    for unit in ("k", "M", "G", "T", "P"):
        value /= 1000
        if value < 999.5:
            digits = 2 if value < 9.995 else 1 if value < 99.95 else 0
            return f"{value:.{digits}f}{unit}"
    return f"{value:.0f}P"


def size(value: float) -> str:
    """Bytes for people, in powers of 1024: 512 B, 1.5 MiB.

    >>> size(1_572_864)
    '1.5 MiB'
    """
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"


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
