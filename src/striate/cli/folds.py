"""``striate fit --folds`` for people: the first fold as any training, the others in short, and at
the end a table.
"""

from __future__ import annotations

from pathlib import Path

from rich.markup import escape

from striate.cli.console import ReaderGone, Talk, plain_table, show_paragraph
from striate.cli.fitting import Display
from striate.cli.stopping import stopped, terminated_as_interrupted
from striate.errors import Interrupted
from striate.flow.events import (
    Checked,
    DataReady,
    FitOptions,
    NetworkReady,
    Probed,
    Probing,
    WeightsReady,
)
from striate.flow.folds import FoldBegins, FoldEnded, FoldEvent, fold_events
from striate.records.folds import Folds

_ONCE = (DataReady, NetworkReady, Checked, WeightsReady, Probing, Probed)
"""What is the same for all folds, but for the numbers of images, and shown of the first."""


def run_folds(
    data: str | None, options: FitOptions, folds: int | None, talk: Talk, *, command: str
) -> None:
    """Train all folds, tell of them, and write the document."""
    document = None
    with Display(talk) as display, terminated_as_interrupted():
        folder = options.resume
        shown = 0
        try:
            events = fold_events(
                data,
                options,
                folds,
                command=command,
                reading=display.reading,
                fetching=display.fetching,
            )
            for event in events:
                match event:
                    case FoldBegins():
                        shown += 1
                        folder = event.folder
                    case Folds():
                        document = event
                    case _:
                        pass
                _show(event, display, talk, first=shown <= 1)
        except KeyboardInterrupt:
            raise Interrupted(stopped(_begun(folder))) from None
        except ReaderGone:
            where = stopped(_begun(folder))
            raise Interrupted(f"the reader of the output has gone: {where}") from None
    assert document is not None
    talk.document(document.as_json())


def _begun(folder: Path | None) -> Path | None:
    """Where it can be gone on: nothing is left of what was stopped before its first step."""
    return folder if folder is not None and folder.is_dir() else None


def _show(event: FoldEvent, display: Display, talk: Talk, *, first: bool) -> None:
    match event:
        case FoldBegins():
            talk.tell(f"[key]Fold {event.number} of {event.of}[/]")
            talk.say()
        case FoldEnded() if event.before:
            talk.tell(f"[key]Fold {event.fold.fold} of {event.of}[/]  was finished before")
            talk.say()
        case FoldEnded():
            talk.say()
        case Folds():
            _table(event, talk)
        case DataReady() if not first:
            data = event.dataset
            display.closed()
            counts = " · ".join(f"{len(split):,} {split.name}" for split in data.splits)
            talk.tell(f"[key]Data[/]  {counts}", hang=2)
        case _ if isinstance(event, _ONCE) and not first:
            display.closed()
        case _:
            display.show(event)


def _table(found: Folds, talk: Talk) -> None:
    """At most 80 columns; what ``--quiet`` shows too, unless there is a document."""
    if talk.as_json and talk.quiet:
        return
    table = plain_table(
        ("fold", "left"),
        ("val accuracy", "right"),
        ("val loss", "right"),
        ("test accuracy", "right"),
        ("test loss", "right"),
        ("test ECE", "right"),
    )
    for fold in found.folds:
        table.add_row(
            str(fold.fold),
            _percent(fold.val_accuracy),
            _number(fold.val_loss),
            _percent(fold.accuracy),
            _number(fold.loss),
            _percent(fold.ece),
        )
    for name, values in (("mean", found.mean), ("deviation", found.deviation)):
        table.add_row(
            f"[key]{name}[/]",
            _percent(values["val_accuracy"]),
            _number(values["val_loss"]),
            _percent(values["accuracy"]),
            _number(values["loss"]),
            _percent(values["ece"]),
        )
    talk.people.print(table)
    show_paragraph(talk.people, f"[key]Folds[/]  {escape(found.folder)}/folds.json", hang=2)


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.2%}"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"
