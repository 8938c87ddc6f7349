"""What ``striate fit`` refuses because options do not go together."""

from __future__ import annotations

from pathlib import Path

import typer

from striate.cli.processes import one_of_several
from striate.errors import InputError


def refuse_more(context: typer.Context, resume: Path) -> None:
    """InputError where anything was asked for that a resumed run would not heed."""
    given: list[str] = []
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        if parameter.name in _WITH_RESUME or source is None or source.name == "DEFAULT":
            continue
        written = parameter.opts[0].startswith("-")
        given.append(max(parameter.opts, key=len) if written else str(context.params["data"]))
    if given:
        raise InputError(
            f"--resume {resume}: the run goes on with its own data, network and settings; "
            f"leave out {', '.join(given)}"
        )


_WITH_RESUME = frozenset({"resume", "procs", "checkpoint_every", "as_json", "quiet"})


def refuse_with_folds(context: typer.Context, folds: int | None, procs: int | None) -> None:
    """InputError for what a cross-validation decides itself."""
    asked = "the folds" if folds is None else f"--folds {folds}"
    source = context.get_parameter_source("val")
    if source is not None and source.name != "DEFAULT":
        raise InputError(
            f"{asked} with --val {context.params['val']:g}: each fold is validated on its own part "
            "of what is not test; leave --val out"
        )
    if (procs or 1) > 1 or one_of_several():
        raise InputError(
            f"{asked} with several processes: each fold is trained by one; leave "
            "--procs or torchrun out, or srun's --ntasks"
        )
