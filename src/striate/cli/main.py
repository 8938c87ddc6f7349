"""The ``striate`` program: its commands, and how it ends.

Exit 0: done.  1: findings at or above ``--fail-on``.  2: the input was wrong, said in one line.
75: another of the processes that train together has gone.  130: interrupted, with the state saved.
"""

from __future__ import annotations

import errno
import os
import sys
from typing import Annotated

import typer
from typer.exceptions import TyperException

from striate._version import __version__
from striate.cli import (
    advise,
    check,
    cluster,
    code,
    conv,
    data,
    doctor,
    export,
    fit,
    lr,
    predict,
    push,
    runs,
    scale,
    see,
    serve,
    sweep,
    trace,
    verify,
    zoo,
)
from striate.cli.console import ReaderGone, complain
from striate.cli.processes import leave, one_of_several
from striate.cli.usage import usage
from striate.errors import Interrupted, StriateError

app = typer.Typer(
    name="striate",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Design, check, scale, train and explain convolutional networks.",
    epilog=(
        "First steps:  [bold]striate fit[/]  trains and explains a network on built-in images;  "
        "[bold]striate trace resnet50[/]  shows what a network does to an image;  "
        "[bold]striate check my_net.py:Net[/]  says what is wrong with one."
    ),
)

app.command("data", rich_help_panel="Train")(data.command)
app.command("fit", rich_help_panel="Train")(fit.command)
app.command("lr", rich_help_panel="Train")(lr.command)
app.command("sweep", rich_help_panel="Train")(sweep.command)
app.command("runs", rich_help_panel="Train")(runs.command)
app.command("predict", rich_help_panel="Use")(predict.command)
app.command("see", rich_help_panel="Use")(see.command)
app.command("serve", rich_help_panel="Use")(serve.command)
app.command("export", rich_help_panel="Use")(export.command)
app.command("push", rich_help_panel="Use")(push.command)
app.command("code", rich_help_panel="Use")(code.command)
app.command("trace", rich_help_panel="Look at a design")(trace.command)
app.command("check", rich_help_panel="Look at a design")(check.command)
app.command("scale", rich_help_panel="Look at a design")(scale.command)
app.command("advise", rich_help_panel="Look at a design")(advise.command)
app.command("cluster", rich_help_panel="Look at a design")(cluster.command)
app.command("zoo", rich_help_panel="Look at a design")(zoo.command)
app.command("doctor", rich_help_panel="Learn")(doctor.command)
app.command("conv", rich_help_panel="Learn")(conv.command)
app.command("verify", rich_help_panel="Learn")(verify.command)


def _version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"striate {__version__}\n")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    del version


def run(arguments: list[str] | None = None) -> None:
    """Run the program and exit.  Every expected error is one line on stderr."""
    _wait_briefly()
    code = outcome(arguments)
    if code and one_of_several():
        leave(code)
    sys.exit(code)


def _wait_briefly() -> None:
    """Let torch's threads sleep soon when they wait for each other, unless the user says how.

    On a machine with other work, threads that spin wait for threads that cannot run: training
    slows down by the ten (docs/decisions/0007-threads-that-wait.md).  Read once, by OpenMP, when
    torch is loaded.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "1000")


def outcome(arguments: list[str] | None = None) -> int:
    """Run the program; returns its exit code."""
    stdout = sys.stdout
    try:
        code = app(arguments, prog_name="striate", standalone_mode=False) or 0
    except (StriateError, TyperException) as error:
        message = usage(error) if isinstance(error, TyperException) else str(error)
        if message:
            complain("interrupted" if isinstance(error, Interrupted) else "error", message)
        return error.exit_code
    except ReaderGone:
        # The reader has gone (``striate trace … | head``): not an error of ours.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stdout.fileno())
        return 0
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
            raise
        complain(
            "error", f"{error.filename or 'output'}: {error.strerror}; free space or use --out"
        )
        return 2
    finally:
        sys.stdout = stdout  # ``talk`` puts stderr there for the length of a command with --json
    if code == Interrupted.exit_code:
        complain("interrupted", "stopped before it was done; no file is left half-written")
    return code
