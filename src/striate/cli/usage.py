"""What to say of a command line that cannot be read: the fault, and where the right words are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

_MUST: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "int_parsing": lambda _: "a whole number",
    "int_from_float": lambda _: "a whole number",
    "int_parsing_size": lambda _: "a whole number of fewer digits",
    "float_parsing": lambda _: "a number",
    "greater_than_equal": lambda bound: f"at least {bound['ge']}",
    "less_than_equal": lambda bound: f"at most {bound['le']}",
}
"""By pydantic's name of the fault, which typer passes on: what a value must be."""


def usage(error: Any) -> str:
    """One line for typer's ``error``: its message, and which help to read.

    An error that knows no command line (no ``ctx``) is left as it is.
    """
    said = _of_number(error) or str(error.format_message()).strip().replace(": Value error, ", ": ")
    context = getattr(error, "ctx", None)
    if not said or context is None:
        return said
    joined = " " if said.endswith("?") else "; "
    return f"{said.rstrip('.')}{joined}{context.command_path} --help says what there is"


def _of_number(error: Any) -> str | None:
    """``--epochs x: must be a whole number``; None where ``error`` is another."""
    errors: Any = getattr(error.__cause__, "errors", None)
    found: list[Mapping[str, Any]] = errors() if errors is not None else []
    if not found or found[0]["type"] not in _MUST:
        return None
    option = max(error.param.opts, key=len)
    value = ascii(str(found[0]["input"]))[1:-1]  # no control characters into a terminal
    return f"{option} {value}: must be {_MUST[found[0]['type']](found[0].get('ctx', {}))}"
