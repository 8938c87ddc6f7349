"""What pydantic found wrong with an architecture, in one line that names place, value and mend.

A place is a path of keys, counted from 0 as in ``state_dict`` names: ``stages.2.kernel`` is the
third ``[[stages]]`` table's kernel.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from striate.arch.spec import Arch, Head, Pool, Stage, Stem
from striate.errors import choices

_PARTS: dict[str, type[BaseModel]] = {"stem": Stem, "stages": Stage, "head": Head, "pool": Pool}
_KINDS = {
    "int_type": "an integer",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "a string",
    "tuple_type": "a list",
    "model_type": "a table",
}
_BOUNDS = {
    "greater_than_equal": ("ge", "is too small; the least is {}"),
    "greater_than": ("gt", "is too small; it must be above {}"),
    "less_than_equal": ("le", "is too large; the most is {}"),
    "less_than": ("lt", "is too large; it must be below {}"),
}


def complaint(problem: ValidationError) -> str:
    """The most telling of the errors, and how many more there are.

    An unknown key comes first: a misspelt one is often reported as missing too.
    """
    found = problem.errors(include_url=False)
    # A list is also called too short when its rows are wrong; the rows' own errors are the cause.
    errors = [error for error in found if not any(_inside(other, error) for other in found)]
    errors.sort(key=lambda error: error["type"] != "extra_forbidden")
    lines = list(dict.fromkeys(map(_line, errors)))
    return lines[0] + (f" (and {len(lines) - 1} more)" if len(lines) > 1 else "")


def _inside(inner: ErrorDetails, outer: ErrorDetails) -> bool:
    depth = len(outer["loc"])
    return len(inner["loc"]) > depth and inner["loc"][:depth] == outer["loc"]


def _line(error: ErrorDetails) -> str:
    kind, loc, value = error["type"], error["loc"], error["input"]
    limits: dict[str, Any] = error.get("ctx", {})
    if kind == "extra_forbidden":
        said = f"unknown key {str(loc[-1])!r}; {choices(loc[-1], _part(loc[:-1]).model_fields)}"
        return _at(loc[:-1], said)
    if loc[:1] == ("image",) and kind in ("missing", "too_long", "too_short"):
        if len(loc) == 1 and kind == "missing":
            return "missing key 'image'; write image = [channels, height, width]"
        return f"image: {_shown(value)} is not three numbers; write [channels, height, width]"
    if loc == ("stages",) and kind == "too_short":
        return "stages: [] has too few; write at least one [[stages]] table"
    if kind == "string_too_short":
        return _at(loc, f"{_shown(value)} is empty")
    if kind == "missing":
        return _at(loc[:-1], f"missing key {str(loc[-1])!r}")
    if kind == "value_error":
        return _at(loc, str(limits["error"]))
    if kind == "literal_error":
        known = [name.strip("'") for name in limits["expected"].replace(" or ", ", ").split(", ")]
        return _at(loc, f"unknown value {_shown(value)}; {choices(value, known)}")
    if kind in _KINDS:
        return _at(loc, f"{_shown(value)} is not {_KINDS[kind]}")
    if kind in _BOUNDS:
        key, text = _BOUNDS[kind]
        limit = limits[key]
        said = text.format(f"{limit:g}" if isinstance(limit, float) else limit)
        return _at(loc, f"{_shown(value)} {said}")
    return _at(loc, f"{_shown(value)}: {error['msg'][:1].lower()}{error['msg'][1:]}")


def _at(loc: tuple[int | str, ...], said: str) -> str:
    return f"{'.'.join(map(str, loc))}: {said}" if loc else said


def _part(loc: tuple[int | str, ...]) -> type[BaseModel]:
    """The model whose keys stand at ``loc``."""
    for key in reversed(loc):
        if isinstance(key, str):
            return _PARTS[key]
    return Arch


def _shown(value: object) -> str:
    """The value as TOML would have it, short enough for one line."""
    text = {True: "true", False: "false"}[value] if isinstance(value, bool) else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
