"""TOML and plain data to Arch, and back.

``from_toml`` is strict: an unknown key, a wrong type or an impossible value is an ArchError of one
line.  ``to_toml`` leaves defaults out and gives the same Arch back exactly.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from striate.arch.complaints import complaint
from striate.arch.spec import Arch, Pool
from striate.errors import ArchError


def from_dict(data: Mapping[str, Any], *, where: str = "arch") -> Arch:
    """An Arch from plain data, as ``tomllib`` or ``json`` give it; ArchError begins with ``where``.

    >>> from_dict({"name": "n", "image": [1, 8, 8], "classes": 10,
    ...            "stages": [{"block": "conv", "depth": 1, "width": 4, "kernl": 3}]})
    Traceback (most recent call last):
    striate.errors.ArchError: arch: stages.0: unknown key 'kernl'; did you mean kernel?
    """
    try:
        return Arch.model_validate(data)
    except ValidationError as problem:
        raise ArchError(f"{where}: {complaint(problem)}") from None


def from_toml(text: str, *, where: str = "TOML") -> Arch:
    """An Arch from TOML text; ArchError begins with ``where`` (a file's name, say)."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        raise ArchError(f"{where}: not valid TOML: {problem}") from None
    except ValueError:  # Python's limit on the digits of an integer
        raise ArchError(
            f"{where}: not valid TOML: a number of more digits than can be read"
        ) from None
    except RecursionError:
        raise ArchError(f"{where}: not valid TOML: nested too deep") from None
    return from_dict(data, where=where)


def load_arch(path: Path) -> Arch:
    """An Arch from a TOML file; ArchError if it is missing, unreadable or invalid."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ArchError(f"{path}: no such file; give the path of an architecture's TOML") from None
    except UnicodeDecodeError as problem:
        raise ArchError(f"{path}: not UTF-8 text (byte {problem.start}); TOML is") from None
    except OSError as problem:
        reason = problem.strerror or type(problem).__name__
        raise ArchError(f"{path}: cannot be read ({reason})") from None
    return from_toml(text, where=str(path))


def to_dict(arch: Arch) -> dict[str, Any]:
    """Plain data with the defaults left out; ``from_dict`` gives the same Arch back."""
    return arch.model_dump(mode="json", exclude_defaults=True)


def to_toml(arch: Arch) -> str:
    """TOML text with the defaults left out: one ``[[stages]]`` table for each row.

    >>> from striate.arch import zoo
    >>> print(to_toml(zoo("mlp")))
    name = "mlp"
    image = [3, 224, 224]
    classes = 1000
    norm = "none"
    <BLANKLINE>
    [[stages]]
    block = "dense"
    depth = 1
    width = 1000
    <BLANKLINE>
    [head]
    pool = "none"
    <BLANKLINE>
    """
    data = to_dict(arch)
    tables = [f"[stem]\n{rows_text(data.pop('stem'))}"] if "stem" in data else []
    tables += [f"[[stages]]\n{rows_text(stage)}" for stage in data.pop("stages")]
    tables += [f"[head]\n{rows_text(data.pop('head'))}"] if "head" in data else []
    return "\n".join([rows_text(data), *tables])


def json_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of an architecture's TOML, every key described; for editors.

    What one key alone cannot say (a skip whose maps differ, a map that vanishes) ``from_toml``
    checks and the schema does not.
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Arch.model_json_schema(),
        "title": "striate architecture",
    }


def rows_text(table: Mapping[str, Any]) -> str:
    """One ``key = value`` line each."""
    return "".join(f"{key} = {_value(value)}\n" for key, value in table.items())


def _value(value: object) -> str:
    """TOML writes our strings, numbers, flags and lists as JSON does; a table here is a pool."""
    if not isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    pool = Pool.model_validate(value)
    # Kind, kernel and stride are said even where they are the defaults: {} would say nothing.
    said = {"kind": pool.kind, "kernel": pool.kernel, "stride": pool.stride}
    if pool.padding:
        said["padding"] = pool.padding
    return "{ " + ", ".join(f"{key} = {_value(part)}" for key, part in said.items()) + " }"
