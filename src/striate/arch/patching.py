"""A user's TOML with another architecture in it: comments, order and spacing stay as they were."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Any, cast

import tomlkit
from pydantic import BaseModel

from striate.arch.spec import Arch, Head, Pool, Stage, Stem
from striate.arch.text import from_toml, rows_text, to_dict
from striate.errors import ArchError

_MODELS: dict[str, type[BaseModel]] = {"stem": Stem, "stages": Stage, "head": Head, "pool": Pool}

Table = MutableMapping[str, Any]


def patched_toml(text: str, after: Arch, *, where: str = "TOML") -> str:
    """``text`` (the TOML of an Arch) changed where ``after`` differs, and nowhere else.

    What becomes a default is written out where it was written before.  ArchError for a text that
    is no Arch.

    >>> from striate.arch import from_toml
    >>> text = '''name = "n"
    ... image = [3, 8, 8]
    ... classes = 10
    ... [[stages]] # the only one
    ... block = "conv"
    ... depth = 1
    ... width = 4
    ... stride = 2 # too early?
    ... '''
    >>> after = from_toml(text.replace("stride = 2", "stride = 1"))
    >>> patched_toml(text, after) == text.replace("stride = 2", "stride = 1")
    True
    """
    before = from_toml(text, where=where)
    document = tomlkit.parse(text)
    _patch(cast("Table", document), to_dict(before), to_dict(after), Arch)
    new = tomlkit.dumps(document)
    if from_toml(new, where=where) != after:
        raise ArchError(
            f"{where}: is written in a way that could not be changed; change it by hand"
        )
    return new


def _patch(
    table: Table, old: Mapping[str, Any], new: Mapping[str, Any], model: type[BaseModel]
) -> None:
    for key in [*new, *(key for key in old if key not in new)]:
        if old.get(key) == new.get(key):
            continue
        if key == "stages":
            _patch_stages(table[key], old[key], new[key])
        elif isinstance(new.get(key), dict) and isinstance(old.get(key), dict):
            _patch(table[key], old[key], new[key], _MODELS[key])
        elif key in new:
            table[key] = new[key]
        elif key in _MODELS or model.model_fields[key].default is None:
            del table[key]
        else:
            table[key] = model.model_fields[key].default


def _patch_stages(tables: Any, old: list[dict[str, Any]], new: list[dict[str, Any]]) -> None:
    """Stages are taken away from the end, and added there, only."""
    while len(tables) > len(new):
        del tables[-1]
    for table, before, after in zip(tables, old, new, strict=False):
        _patch(table, before, after, Stage)
    for added in new[len(old) :]:
        written = tomlkit.parse(f"[[stages]]\n{rows_text(added)}\n")
        tables.append(cast("Any", written)["stages"][0])
