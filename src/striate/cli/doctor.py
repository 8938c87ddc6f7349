"""``striate doctor``: versions, devices, ceilings, and what would make it faster."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape

from striate.cli.console import plain_table, size, talk
from striate.cli.options import Json, Quiet


def command(
    *,
    clear_cache: Annotated[
        bool,
        typer.Option(
            "--clear-cache", help="Remove the decoded images of the cache, and do nothing else."
        ),
    ] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Say what striate runs on here, how fast that is, and what would make it faster.

    Takes some five seconds. Each figure is the best of several short rounds.

    Examples:

      striate doctor

      striate doctor --json > machine.json

      striate doctor --clear-cache
    """
    told = talk(as_json=as_json, quiet=quiet)
    with told.waiting("loading PyTorch"):
        from striate.flow.doctor import cleared, doctor
    if clear_cache:
        gone = cleared()
        told.document(gone)
        was = gone["cleared"]
        count = f"{was['files']} file{'' if was['files'] == 1 else 's'}"
        told.tell(f"Removed {count} of {escape(was['folder'])}: {size(was['bytes'])}.")
        return
    with told.waiting("measuring"):
        found = doctor()
    told.document(found.as_json())
    machine = found.machine
    versions = " · ".join(f"{name} {number}" for name, number in found.versions.items())
    told.tell(f"[key]Versions[/]  {escape(versions)}", hang=2)
    for extra in found.missing:
        told.tell(f"  not installed: pip install 'striate\\[{extra}]'")
    memory = "" if machine.memory_bytes is None else f" · {size(machine.memory_bytes)}"
    load = "" if machine.load is None else f" · load {machine.load:.1f}"
    told.tell(
        f"[key]Machine[/]  {escape(machine.processor)} · {machine.cores} cores, {machine.threads} "
        f"threads{memory}{load} · {escape(', '.join(machine.gpus)) or 'no GPU'}",
        hang=2,
    )
    kept = found.pixels
    if kept.files:
        told.tell(
            f"[key]Cache[/]  {size(kept.bytes)} of decoded images in {escape(str(kept.folder))}; "
            "striate doctor --clear-cache removes them",
            hang=2,
        )
    told.tell("[key]Ceilings[/]")
    table = plain_table(("", "left"), ("", "right"), ("", "left"))
    table.show_header = False
    for one in found.ceilings:
        table.add_row(f"  {escape(one.what)}", f"{one.value:,.1f}", one.unit)
    told.say(table)
    told.tell("[key]Faster[/]")
    for line in found.advice or ("nothing that could be measured would make it faster",):
        told.tell(f"  {escape(line)}", hang=2)
