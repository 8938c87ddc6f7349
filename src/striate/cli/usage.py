"""What to say of a command line that cannot be read: the fault, and where the right words are."""

from __future__ import annotations

from typing import Any


def usage(error: Any) -> str:
    """One line for typer's ``error``: its message, and which help to read.

    An error that knows no command line (no ``ctx``) is left as it is.
    """
    said = str(error.format_message()).strip()
    context = getattr(error, "ctx", None)
    if not said or context is None:
        return said
    joined = " " if said.endswith("?") else "; "
    return f"{said.rstrip('.')}{joined}{context.command_path} --help says what there is"
