"""``striate data DATA --shards DIR``, and the bar that both ways of the command show."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from rich.markup import escape

from striate.cli.console import Talk, size


def write(
    told: Talk,
    data: str,
    out: Path,
    *,
    holds: Literal["bytes", "pixels"] | None,
    shard_size: str | None,
    image: str | None,
    fit: Literal["crop", "pad", "stretch"],
    group: str | None,
    val: float,
    test: float,
    cache: str | None,
) -> dict[str, Any]:
    """Write the shards and say what was written; returns the document."""
    with told.waiting("loading PyTorch"):
        from striate.flow.shards import shards
    with bar(told, "reading, then writing images") as tell:
        written = shards(
            data,
            out,
            holds=holds,
            shard_size=shard_size,
            image=image,
            fit=fit,
            group=group,
            val=val,
            test=test,
            cache=cache,
            reading=tell,
            writing=tell,
        )
    counts = " · ".join(
        f"{images:,} {name} in {written.shards[name]}" for name, images in written.images.items()
    )
    what = f"{size(written.bytes)} of {written.holds}"
    told.tell(f"[key]Shards[/]  {escape(written.folder)}  {what}: {counts}", hang=2)
    for note in written.notes:
        told.tell(f"  {escape(note)}", hang=2)
    return written.as_json()


@contextmanager
def bar(told: Talk, what: str) -> Generator[Callable[[int, int], None]]:
    """A progress bar while a person looks, else nothing."""
    if told.quiet or not told.progress.is_terminal:
        yield lambda _done, _total: None
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn(what),
        BarColumn(bar_width=None),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=told.progress, transient=True) as shown:
        task = shown.add_task("", total=None)

        def tell(done: int, total: int) -> None:
            shown.update(task, completed=done, total=total)

        yield tell
