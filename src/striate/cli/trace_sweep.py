"""A sweep in a terminal: one line a size, and the two answers below."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise

from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from striate.cli.console import Talk
from striate.flow.targets import Target
from striate.flow.trace import DEFAULT_IMAGE, full_image
from striate.flow.trace_sweep import Plan, sweep, together
from striate.records.trace_sweep import RULE, AtSize, Sweep, Unread
from striate.records.wording import by, count, end_out, many

_HEADERS = ("size", "final map", "params", "MACs", "", "what happens")


def swept(out: Talk, target: Target, plan: Plan, image: str | None) -> Sweep:
    """Try every size, with a bar for whoever looks."""
    channels = full_image(image, target.image or DEFAULT_IMAGE)[0]
    results: list[AtSize] = []
    bar = Progress(
        TextColumn("tracing at {task.fields[size]} px"), BarColumn(bar_width=None),
        MofNCompleteColumn(), TimeRemainingColumn(),
        console=out.progress, transient=True,
        disable=out.quiet or not out.progress.is_terminal,
    )  # fmt: skip
    with bar:
        task = bar.add_task("", total=len(plan.sizes), size=plan.first)
        for result in sweep(target, plan, image):
            results.append(result)
            total = max(len(plan.sizes), len(results))
            bar.update(task, completed=len(results), total=total, size=result.size)
    return together(target.text, channels, plan, results)


def show_sweep(out: Talk, found: Sweep, plan: Plan) -> None:
    """The table, then in one line each the smallest and the friendliest sizes, and the rule."""
    out.say(_table(found, out.columns))
    for line in conclusions(found):
        out.tell(line, hang=2)
    if plan.chosen and plan.step > 1:
        out.tell(
            f"[dim]Tried: every {plan.step}th size, the smallest that is valid, and those at which "
            f"every stride fits; --sweep {plan.first}:{plan.last}:1 tries them all.[/]"
        )


def conclusions(found: Sweep) -> list[str]:
    """The smallest valid size and the friendliest, as markup, with the rule."""
    if found.smallest is None:
        return ["[bad]no size of these is valid[/]"]
    suited = escape(spoken(found.friendliest)) if found.friendliest else "none of these"
    return [
        f"smallest valid size: [key]{found.smallest}[/] · friendliest: [good]{suited}[/]",
        f"[dim]Friendly: {RULE}.[/]",
    ]


def spoken(sizes: Sequence[int]) -> str:
    """Sizes in a few words: a long regular row by its beginning, its end and its step.

    >>> spoken([64, 96, 128, 160, 192, 224]), spoken([28, 32, 40])
    ('64, 96, 128 … 224 (every 32)', '28, 32, 40')
    """
    steps = {after - before for before, after in pairwise(sizes)}
    if len(sizes) > 5 and len(steps) == 1:
        first, second, third = sizes[:3]
        return f"{first}, {second}, {third} … {sizes[-1]} (every {steps.pop()})"
    if len(sizes) > 12:
        return f"{', '.join(map(str, sizes[:10]))} … {sizes[-1]} ({len(sizes)} sizes)"
    return ", ".join(map(str, sizes))


def _cells(one: AtSize, size: str) -> tuple[str, ...]:
    return (
        size,
        "" if one.final is None else by(one.final),
        count(one.params) if one.valid else "",
        count(one.macs) if one.valid else "",
        "✓" if one.friendly else "✗" if not one.valid else "",
        happens(one),
    )


def _stretches(found: Sweep) -> Iterator[tuple[AtSize, str]]:
    """Each size; neighbours that fail in the same place once, as the largest of them says it."""
    for _, group in groupby(
        found, key=lambda one: one.size if one.failure is None else (one.failure.path,)
    ):
        members = list(group)
        first, last = members[0].size, members[-1].size
        yield members[-1], str(first) if first == last else f"{first}–{last}"


def happens(one: AtSize) -> str:
    """What a size does to the network, in words."""
    if one.failure is not None:
        failure = one.failure
        # What the top module does itself has no path; a refused image names the layer already.
        where = failure.path or (failure.op if failure.op != "input" else "")
        return f"{where}: {failure.message}" if where else failure.message
    said: list[str] = []
    if one.collapsed is not None:
        said.append(f"1×1 from {one.collapsed} on")
    if one.unread:
        said.append(_lost(one.unread))
    return "; ".join(said)


def _lost(parts: Sequence[Unread]) -> str:
    first = parts[0]
    height, width = first.map
    more = f", and {many(len(parts) - 1, 'layer')} more" if len(parts) > 1 else ""
    read = by((height - first.rows, width - first.columns))
    return f"{first.path} reads {read} of {by(first.map)}{more}"


def _table(found: Sweep, width: int | None) -> Text:
    shown = list(_stretches(found))
    params = {one.params for one in found if one.valid}
    kept = [n for n in range(len(_HEADERS)) if n != 2 or len(params) > 1]
    lines = [_HEADERS, *(_cells(one, size) for one, size in shown)]
    cells = [[line[n] for n in kept] for line in lines]
    widths = [max(len(line[n]) for line in cells) for n in range(len(kept))]
    text = Text(no_wrap=True, overflow="ignore")
    for place, line in enumerate(cells):
        parts = [cell.rjust(widths[n]) for n, cell in enumerate(line[:-1])]
        written = "  ".join(parts) + "  "
        last = line[-1] if width is None else end_out(line[-1], max(12, width - len(written)))
        style = "bold" if place == 0 else _style(shown[place - 1][0])
        text.append(("\n" if place else "") + (written + last).rstrip(), style)
    return text


def _style(one: AtSize) -> str:
    return "good" if one.friendly else "" if one.valid else "dim"


def sweep_markdown(found: Sweep) -> str:
    """The table in Markdown."""
    lines = ["size", "final map", "params", "MACs", "friendly", "what happens"]
    rows = [
        [*row[:4], "yes" if row[4] == "✓" else "", row[5].replace("|", "\\|")]
        for row in (_cells(one, str(one.size)) for one in found)
    ]
    sides = ["--:"] * 4 + [":--"] * 2
    return "".join(f"| {' | '.join(row)} |\n" for row in (lines, sides, *rows))


def sweep_csv(found: Sweep) -> str:
    """The table as CSV with plain numbers."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(
        ["size", "valid", "final_h", "final_w", "params", "macs", "activations", "infer_bytes",
         "train_bytes", "fits", "friendly", "what"]
    )  # fmt: skip
    for one in found:
        tall, wide = one.final or ("", "")
        numbers = [one.params, one.macs, one.activations, one.infer_bytes, one.train_bytes]
        if not one.valid:
            numbers = [""] * len(numbers)
        writer.writerow(
            [one.size, int(one.valid), tall, wide, *numbers, int(one.fits), int(one.friendly),
             happens(one)]
        )  # fmt: skip
    return out.getvalue()
