"""``striate lr``: a learning-rate range test, as a table and a picture."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.markup import escape

from striate.cli.completing import complete_arch, complete_data, complete_key, complete_recipe
from striate.cli.console import Talk, plain_table, talk
from striate.cli.options import Image, Json, Quiet
from striate.records.rates import RULE, RateCurve, RatePoint

_ROWS = 24
_BAR = 40


def command(
    data: Annotated[
        str | None,
        typer.Argument(
            metavar="DATA",
            help="Images, as striate fit takes them; digits if none are named.",
            autocompletion=complete_data,
        ),
    ] = None,
    *,
    image: Image = None,
    arch: Annotated[
        str,
        typer.Option(
            "--arch",
            metavar="TARGET",
            help="The network, as striate fit takes it, or auto.",
            autocompletion=complete_arch,
        ),
    ] = "auto",
    recipe: Annotated[
        str | None,
        typer.Option(
            "--recipe",
            metavar="NAME|FILE",
            help="A recipe's name or file.",
            autocompletion=complete_recipe,
        ),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="A key of the recipe; may be repeated.",
            autocompletion=complete_key,
        ),
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option("--weights", metavar="FILE", help="Begin with these, as in fit."),
    ] = None,
    batch: Annotated[
        int | None, typer.Option("--batch", metavar="N", help="Images a step.", min=1)
    ] = None,
    steps: Annotated[
        int, typer.Option("--steps", metavar="N", help="Steps of the test, 20 or more.")
    ] = 100,
    seed: Annotated[
        int | None, typer.Option("--seed", metavar="N", help="Of weights and batches.", min=0)
    ] = None,
    setting: Annotated[
        Literal["fp32", "fp32-channels-last", "bf16", "bf16-channels-last"],
        typer.Option("--setting", metavar="NAME", help="The arithmetic, as in fit."),
    ] = "fp32",
    device: Annotated[
        Literal["auto", "cpu", "cuda", "mps"],
        typer.Option("--device", metavar="NAME", help="cpu, cuda, mps; or auto."),
    ] = "auto",
    threads: Annotated[
        int | None, typer.Option("--threads", metavar="N", help="CPU threads.", min=1)
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Find the learning rate: train some steps at rising rates, and watch the loss.

    The rates go from a thousandth of the recipe's to a hundred times it. Nothing is written; the
    weights that fit begins with are untouched, since a copy of them is trained.

    Examples:

      striate lr photos/

      striate lr photos/ --arch resnet18 --recipe strong --steps 200
    """
    out = talk(as_json=as_json, quiet=quiet)
    with out.waiting("loading PyTorch"):
        from striate.flow.events import FitOptions
        from striate.flow.key_values import key_values
        from striate.flow.lr import LrOptions, learning_rates

    options = FitOptions(
        arch=arch,
        image=image,
        recipe=recipe,
        changes=key_values(set_ or ()),
        weights=weights,
        batch=batch,
        seed=seed,
        setting=setting,
        device=device,
        threads=threads,
    )
    with out.waiting("training at rising rates"):
        found = learning_rates(data, LrOptions(fit=options, steps=steps))
    show(out, found)
    out.document(found.as_json())


def show(out: Talk, found: RateCurve) -> None:
    """The table with its bars, and what follows from it."""
    out.tell(
        f"[key]{escape(found.network)}[/]  {found.optimiser}, batches of {found.batch_size:,}, "
        f"{found.setting}; {len(found.points):,} steps",
        hang=2,
    )
    table = plain_table(("  rate", "right"), ("loss", "right"), ("smoothed", "left"), ("", "left"))
    most = max((p.smooth for p in found.points if p.smooth < float("inf")), default=1.0)
    shown = list(_thinned(found.points))
    marks = [
        (word, min(shown, key=lambda point, rate=rate: abs(point.lr / rate - 1)))
        for word, rate in (("lowest", found.lowest), ("steepest", found.steepest))
        if rate is not None
    ]
    for point in shown:
        finite = point.smooth < float("inf")
        bar = "█" * max(1, round(_BAR * point.smooth / most)) if finite else "not finite"
        told = [word for word, place in marks if place is point]
        mark = f"  [good]{', '.join(told)}[/]" if told else ""
        table.add_row(f"  {point.lr:.2g}", f"{point.loss:.3f}", f"[mark]{bar}[/]{mark}", "")
    out.say(table)
    if found.suggestion is None:
        said = "[bad]The loss did not fall[/] at any of these rates; look at the data, or begin "
        said += "with another --recipe."
    else:
        said = f"[key]--lr {found.suggestion:.2g}[/]: {RULE}. It fell fastest at "
        said += f"{found.steepest:.2g}; the recipe has {found.lr:.2g}."
        if found.open_end:
            said += " The loss was lowest at the last rate, so that a higher one may do as well."
    out.tell(said, hang=2)


def _thinned(points: tuple[RatePoint, ...]) -> Iterator[RatePoint]:
    """Two dozen of the points, the first and the last among them."""
    count = min(_ROWS, len(points))
    for number in range(count):
        yield points[round(number * (len(points) - 1) / max(1, count - 1))]
