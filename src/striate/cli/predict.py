"""``striate predict``: what a trained network says of images."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.markup import escape

from striate.cli.completing import complete_run
from striate.cli.console import Talk, complain, show_paragraph, talk
from striate.cli.options import Json, Quiet
from striate.errors import ImageError, InputError

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from striate.flow.predict import Ready
    from striate.records import BadImage, Prediction


def command(
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN", help="The folder of a finished run.", autocompletion=complete_run
        ),
    ],
    images: Annotated[
        list[str],
        typer.Argument(metavar="IMAGE", help="Files, folders, 'patterns/*.jpg', or - for stdin."),
    ],
    *,
    top: Annotated[
        int, typer.Option("--top", metavar="K", help="The K likeliest classes of each.")
    ] = 1,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="A row an image: .csv, .json or .parquet."),
    ] = None,
    bad_images: Annotated[
        Literal["error", "skip"],
        typer.Option(
            "--bad-images",
            metavar="HOW",
            help="After files that could not be read, end with an error (2), or skip them (0).",
        ),
    ] = "error",
    device: Annotated[
        Literal["auto", "cpu", "cuda", "mps"],
        typer.Option("--device", metavar="NAME", help="cpu, cuda, mps; or auto."),
    ] = "auto",
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Say what images show, with calibrated confidence, and which are unlike the training data.

    Examples:

      striate predict runs/photos cat.jpg --top 3

      striate predict runs/photos new/ --out new.csv          a folder, at any depth

      striate predict runs/photos 'new/**/*.png' --json

      curl -s https://example.org/cat.jpg | striate predict runs/photos -
    """
    told = talk(as_json=as_json, quiet=quiet)
    with told.waiting("loading PyTorch"):
        from striate.flow.predict import Batch, PredictOptions, Ready, predict_events
        from striate.flow.predict_table import document, refuse_out, write_table

    if out is not None:
        refuse_out(out)
    ready: Ready | None = None
    results: list[Prediction | BadImage] = []
    with _bar(told) as bar:
        task: TaskID | None = None
        for event in predict_events(run, images, PredictOptions(top=top, device=device)):
            if isinstance(event, Batch):
                results += event.results
                _show(told, event.results, alone=ready is not None and ready.images == 1)
                if task is not None:
                    bar.advance(task, len(event.results))
            else:
                ready = event
                if not quiet:
                    _begin(ready)
                if ready.images > 1:
                    task = bar.add_task("images", total=ready.images)
    assert isinstance(ready, Ready)
    told.document(document(ready, results))
    _explain(told, ready, results)
    if out is not None:
        write_table(out, ready, results, top=top)
        told.tell(f"[dim]wrote[/] {escape(str(out))}")
    _end(ready, results, skip=bad_images == "skip")


def _begin(ready: Ready) -> None:
    for line in ready.said:
        complain("note", line)
    if ready.passed_over:
        some = ", ".join(str(path) for path in ready.passed_over[:3])
        more = ", …" if len(ready.passed_over) > 3 else ""
        complain(
            "note",
            f"files passed over, since they are no images by their endings: "
            f"{len(ready.passed_over)} ({some}{more})",
        )


def _bar(told: Talk) -> Progress:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=told.progress,
        transient=True,
        disable=told.quiet or not told.progress.is_terminal,
    )


def _show(told: Talk, results: tuple[Prediction | BadImage, ...], *, alone: bool) -> None:
    """A line an image: what it is, how sure that is, in what it is unlike."""
    from striate.records import BadImage

    for one in results:
        if isinstance(one, BadImage):
            if not alone:  # of a single image it is the error with which the command ends
                complain("bad", one.reason)
            continue
        first, *others = (
            f"{escape(name)}[/] {share(confidence)}"
            for name, confidence in zip(one.classes, one.confidences, strict=True)
        )
        classes = " · ".join([f"[key]{first}", *(f"[not bold]{other}" for other in others)])
        unlike = ""
        if one.unlike:
            unlike = f" [warn]unlike the training data ({', '.join(u.what for u in one.unlike)})[/]"
        if not (told.quiet and told.as_json):  # a line is the result, which --quiet leaves
            show_paragraph(told.people, f"{escape(one.image)}  {classes}{unlike}", hang=2)


def share(confidence: float) -> str:
    """A probability for people; certainty is not to be had.

    >>> [share(c) for c in (0.99999, 0.9876, 0.0001)]
    ['>99.9%', '98.8%', '<0.1%']
    """
    if confidence >= 0.9995:
        return ">99.9%"
    return "<0.1%" if confidence < 0.0005 else f"{confidence:.1%}"


def _explain(told: Talk, ready: Ready, results: list[Prediction | BadImage]) -> None:
    """How many of each class, and what the numbers rest on."""
    from striate.records import Prediction

    said = [one for one in results if isinstance(one, Prediction)]
    odd = [one for one in said if one.unlike]
    bad = len(results) - len(said)
    if len(results) > 1:
        counts = Counter(one.classes[0] for one in said)
        parts = [f"{escape(name)} ×{count}" for name, count in counts.most_common()]
        line = f"{len(results)} {'files' if bad else 'images'}: {', '.join(parts) or 'none read'}"
        line += f" · {len(odd)} unlike the training data" if odd else ""
        line += f" · [warn]{bad} could not be read[/]" if bad else ""
        told.tell(line, hang=2)
    calibration, familiar = ready.confidence.calibration, ready.confidence.familiar
    if calibration is not None and said:
        before, after = calibration.ece
        told.tell(
            f"[dim]Confidence is calibrated at temperature {calibration.temperature:.2f}, fitted "
            f"on {calibration.images:,} validation images: expected calibration error {before:.2%} "
            f"before, {after:.2%} after, on these same images.[/]",
            hang=2,
        )
    if familiar is not None and odd:
        told.tell(
            "[dim]Unlike: farther from the nearest training image, in look (brightness, contrast, "
            "detail) or in the network's features, than "
            f"{'99.5% of' if familiar.images >= 199 else 'all of'} the {familiar.images:,} "
            "validation images.[/]",
            hang=2,
        )


def _end(ready: Ready, results: list[Prediction | BadImage], *, skip: bool) -> None:
    """Exit 2 after files that could not be read, unless they may be skipped."""
    from striate.records import BadImage

    bad = [one for one in results if isinstance(one, BadImage)]
    if not bad:
        return
    if ready.images == 1:
        if skip:
            complain("bad", bad[0].reason)
            return
        raise ImageError(bad[0].reason)
    if not skip:
        raise InputError(
            f"{len(bad)} of {len(results)} images could not be read, each named above; the others "
            "were predicted all the same (--bad-images skip ends without this error)"
        )
