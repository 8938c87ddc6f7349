"""One line for each part of a long command's work, while a person looks on."""

from __future__ import annotations

from typing import Protocol

from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from striate.cli.console import Talk


class Part(Protocol):
    """What is worked at: its name, and what it is in a line."""

    @property
    def name(self) -> str: ...
    @property
    def what(self) -> str: ...


class Bars:
    """A bar for each part, gone when all is done; nothing where no person looks."""

    def __init__(self, told: Talk) -> None:
        self._bars: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        if told.progress.is_terminal and not told.quiet:
            self._bars = Progress(
                TextColumn("{task.description}"),
                BarColumn(bar_width=None),
                TimeElapsedColumn(),
                console=told.progress,
                transient=True,
            )

    def __enter__(self) -> Bars:
        if self._bars is not None:
            self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bars is not None:
            self._bars.stop()

    def show(self, part: Part, done: int, total: int) -> None:
        """How far one part is."""
        if self._bars is None:
            return
        if part.name not in self._tasks:
            self._tasks[part.name] = self._bars.add_task(f"{part.name}: {part.what}")
        self._bars.update(self._tasks[part.name], completed=done, total=max(total, 1))
