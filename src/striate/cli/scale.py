"""``striate scale TARGET``: larger and smaller networks of one design, and the one that fits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from striate.cli.completing import complete_data, complete_target
from striate.cli.console import Talk, talk
from striate.cli.options import Json, Quiet
from striate.cli.scale_family import family_document, show_family, write_family
from striate.errors import InputError

if TYPE_CHECKING:
    from striate.flow.search_told import Searched

_SEARCH = "Search"


def command(
    target: Annotated[
        str | None,
        typer.Argument(
            metavar="TARGET",
            help="The network to begin with: a zoo name or a TOML file.",
            autocompletion=complete_target,
        ),
    ] = None,
    *,
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="KEY=VALUE,…",
            help="Budgets: macs, params, activations, train_bytes, latency.",
        ),
    ] = None,
    phi: Annotated[
        str | None,
        typer.Option("--phi", metavar="K", help="Members instead: 2, or 1,2,3, or 1:7."),
    ] = None,
    rule: Annotated[
        str,
        typer.Option("--rule", help="What grows: compound, depth, width, resolution or dwr."),
    ] = "compound",
    alpha: Annotated[
        float | None, typer.Option("--alpha", help="compound: depth for each φ. \\[1.2]")
    ] = None,
    beta: Annotated[
        float | None, typer.Option("--beta", help="compound: width for each φ. \\[1.1]")
    ] = None,
    gamma: Annotated[
        float | None, typer.Option("--gamma", help="compound: resolution for each φ. \\[1.15]")
    ] = None,
    divisor: Annotated[
        int, typer.Option("--divisor", metavar="N", help="Widths are multiples of it.")
    ] = 8,
    batch: Annotated[
        int, typer.Option("--batch", metavar="N", help="Images of train_bytes and latency.")
    ] = 1,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="PATH",
            help="Write it as TOML; several into a folder. Of --search: its folder.",
        ),
    ] = None,
    search: Annotated[
        str | None,
        typer.Option(
            "--search",
            metavar="DATA",
            help="Find alpha, beta and gamma for these images, by short trainings.",
            autocompletion=complete_data,
            rich_help_panel=_SEARCH,
        ),
    ] = None,
    grid: Annotated[
        int | None,
        typer.Option(
            "--grid",
            metavar="N",
            help="Parts in which the doubled cost is spent on the three. \\[3]",
            rich_help_panel=_SEARCH,
        ),
    ] = None,
    trials: Annotated[
        int | None,
        typer.Option(
            "--trials", metavar="N", help="Networks to train at most.", rich_help_panel=_SEARCH
        ),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(
            "--epochs",
            metavar="N",
            help="Of each training. \\[a quarter of fit's]",
            rich_help_panel=_SEARCH,
        ),
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(
            "--minutes", metavar="N", help="Of each training instead.", rich_help_panel=_SEARCH
        ),
    ] = None,
    share: Annotated[
        float | None,
        typer.Option(
            "--share",
            metavar="SHARE",
            help="Of the training images that is used. \\[1]",
            rich_help_panel=_SEARCH,
        ),
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(
            "--seeds", metavar="N", help="Trainings of each network. \\[2]", rich_help_panel=_SEARCH
        ),
    ] = None,
    image: Annotated[
        str | None,
        typer.Option(
            "--image",
            metavar="HxW",
            help="Size of the base's images: 32x32.",
            rich_help_panel=_SEARCH,
        ),
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Scale a network to a budget, in depth, width and resolution.

    Examples:

      striate scale efficientnet_b0 --phi 1:7

      striate scale resnet18 --to macs=1.2G --rule width --out net.toml

      striate scale net.toml --to params=2M,train_bytes=4GiB --batch 64 --rule dwr

      striate scale resnet20 --search photos/ --epochs 5 --share 0.5   finds alpha, beta, gamma

    A search that was stopped goes on when the same command is given again.
    """
    from striate.flow.scale import parse_phi, scale

    told = talk(as_json=as_json, quiet=quiet)
    phis = () if phi is None else parse_phi(phi)
    of_search = {
        "grid": grid, "trials": trials, "epochs": epochs, "minutes": minutes, "share": share,
        "seeds": seeds, "image": image,
    }  # fmt: skip
    if search is not None:
        given = {"alpha": alpha, "beta": beta, "gamma": gamma}
        _refuse(given, "--search finds it; leave it out")
        if rule != "compound":
            raise InputError(f"--rule {rule}: --search is of the compound rule; leave --rule out")
        found = _searched(told, search, target, of_search, divisor, out)
        family = None
        if to is not None or phis:
            three = dict(zip(("alpha", "beta", "gamma"), found.result.coefficients, strict=True))
            family = scale(found.base, to, phi=phis, divisor=divisor, batch=batch, **three)
        after = {} if family is None else family_document(family)
        told.document({**after, **found.as_json()})
        if family is not None:
            show_family(told, family)
        return
    _refuse(of_search, "is of --search; leave it out, or name the images with --search DATA")
    if target is None:
        raise InputError("scale: name a network to begin with, such as resnet18 or net.toml")
    family = scale(
        target,
        to,
        phi=phis,
        rule=rule,
        alpha=alpha,
        beta=beta,
        gamma=gamma,
        divisor=divisor,
        batch=batch,
    )
    if out is not None:
        write_family(out, family)
    told.document({"striate": 1, **family_document(family)})
    show_family(told, family)
    if out is not None:
        told.tell(f"[dim]wrote[/] {escape(str(out))}")


def _searched(
    told: Talk,
    data: str,
    target: str | None,
    given: Mapping[str, Any],
    divisor: int,
    out: Path | None,
) -> Searched:
    with told.waiting("loading PyTorch"):
        from striate.cli.scale_search import searched, show_search
        from striate.flow.search_told import SearchOptions

    asked = {key: value for key, value in given.items() if value is not None}
    options = replace(SearchOptions(arch=target or "auto", divisor=divisor, out=out), **asked)
    found = searched(told, data, options)
    show_search(told, found)
    return found


def _refuse(given: Mapping[str, object], why: str) -> None:
    for name, value in given.items():
        if value is not None:
            raise InputError(f"--{name} {value}: {why}")
