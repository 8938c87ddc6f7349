"""``striate runs``: which runs there are; two or more of them side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer
from rich.markup import escape

from striate.cli.completing import complete_run
from striate.cli.console import Talk, talk
from striate.cli.options import Json, Quiet
from striate.cli.runs_table import show_compared, show_list
from striate.errors import InputError, OutputError, choices
from striate.records.run_list import SORT_KEYS, ListedRun, SortKey, ordered

if TYPE_CHECKING:
    from striate.records.run_list import RunsCompared


def _complete_key(incomplete: str) -> list[str]:
    return [key for key in SORT_KEYS if key.startswith(incomplete)]


def command(
    folders: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="FOLDER",
            help="Folders that hold runs (else runs and sweeps), or the runs to compare.",
            autocompletion=complete_run,
        ),
    ] = None,
    *,
    sort: Annotated[
        str,
        typer.Option(
            "--sort",
            metavar="KEY",
            help=f"Order the list by {', '.join(SORT_KEYS)}.",
            autocompletion=_complete_key,
        ),
    ] = "when",
    reverse: Annotated[bool, typer.Option("--reverse", help="The other way round.")] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="FILE.html", help="Also one page: curves over each other, differences."
        ),
    ] = None,
    tensorboard: Annotated[
        Path | None,
        typer.Option(
            "--tensorboard", metavar="DIR", help="Also write the metrics as TensorBoard's files."
        ),
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """List the runs in folders; or put runs side by side: what differs, and what came of it.

    Two runs or more by name are compared; any other folder is searched for runs.

    Nothing is locked: runs in training are shown as far as they are.

    Examples:

      striate runs                            those in runs and sweeps

      striate runs runs --sort accuracy

      striate runs runs/a runs/b runs/c --out compared.html

      striate runs runs --tensorboard logs    then: tensorboard --logdir logs
    """
    key = _key(sort)
    told = talk(as_json=as_json, quiet=quiet)
    if out is not None:
        _refuse(out)
    with told.waiting("loading PyTorch"):
        from striate.flow.runs import list_runs, looks_like_run
        from striate.flow.runs_compare import compare_runs
        from striate.flow.runs_tensorboard import refuse_events, write_events
    if tensorboard is not None:
        refuse_events(tensorboard)
    named = folders or []
    if len(named) > 1 and all(map(looks_like_run, named)):
        if sort != "when" or reverse:
            raise InputError(
                "--sort and --reverse order a list; runs that are compared stay in the order in "
                "which they are named"
            )
        compared = compare_runs(*named)
        told.document(compared.as_json())
        show_compared(told, compared)
        runs = compared.runs
    else:
        compared = None
        runs = ordered(list_runs(*named), key, reverse=reverse)
        if not runs:
            where = ", ".join(map(str, named)) or "runs and sweeps"
            raise InputError(f"{where}: no runs there; striate fit --out makes one")
        told.document({"striate": 1, "runs": [run.as_json() for run in runs]})
        show_list(told, runs)
    if out is not None:
        _page(told, out, compared or compare_runs(*(run.run for run in _whole(told, runs, out))))
    if tensorboard is not None:
        for folder in write_events(runs, tensorboard):
            told.tell(f"[dim]wrote[/] {escape(str(folder))}")
        told.tell(f"[dim]look at them with[/] tensorboard --logdir {escape(str(tensorboard))}")


def _key(sort: str) -> SortKey:
    if sort not in SORT_KEYS:
        raise InputError(f"--sort {sort}: no such key; {choices(sort, SORT_KEYS)}")
    return cast("SortKey", sort)


def _refuse(out: Path) -> None:
    """OutputError before anything is read, where the page could not be written."""
    if out.suffix.lower() not in (".html", ".htm"):
        raise InputError(f"--out {out}: is written as a page; name a file that ends in .html")
    if out.is_dir():
        raise OutputError(f"--out {out}: is a folder; name a file that ends in .html")
    if out.exists() and not _is_ours(out):
        raise OutputError(f"--out {out}: exists, and is no page of striate runs; name another file")
    if not out.absolute().parent.is_dir():
        raise OutputError(f"--out {out}: there is no folder {out.parent}; make it first")


def _is_ours(path: Path) -> bool:
    """Whether a page of ours lies there, which may be replaced."""
    from striate.reporting.runs_page import MARK

    try:
        with path.open("rb") as file:
            return MARK.encode() in file.read(4096)
    except OSError:
        return False


def _whole(told: Talk, runs: tuple[ListedRun, ...], out: Path) -> list[ListedRun]:
    """The runs of a list that can be compared."""
    whole = [run for run in runs if run.state != "broken"]
    if len(whole) < 2:
        raise InputError(f"--out {out}: compares two runs or more, and {len(whole)} is whole")
    if len(whole) < len(runs):
        told.tell(f"[dim]note:[/] {len(runs) - len(whole)} broken left out of the page")
    return whole


def _page(told: Talk, out: Path, compared: RunsCompared) -> None:
    from striate.reporting.runs_page import MOST, render_runs
    from striate.runs import atomic_write

    if len(compared.runs) > MOST:
        raise InputError(
            f"--out {out}: {len(compared.runs)} runs, of which at most {MOST} can be told apart on "
            "a chart; name fewer"
        )
    atomic_write(out, render_runs(compared).encode())
    told.tell(f"[dim]wrote[/] {escape(str(out))}")
