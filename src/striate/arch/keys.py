"""Single keys of an architecture's file, by name: whether there is one, and what it may be."""

from __future__ import annotations

import re
from typing import Any, cast

from pydantic import BaseModel, ValidationError, create_model
from pydantic.fields import FieldInfo

from striate.arch.spec import Arch, Head, Stage, Stem

_PARTS: dict[str, type[BaseModel]] = {"stem": Stem, "head": Head}

NETWORK_KEYS = tuple(
    key
    for key in Arch.model_fields
    if key not in ("name", "image", "classes", "stem", "stages", "head")
)
"""Keys of the whole network: ``norm``, ``activation``, ``preact`` …"""

STAGE_KEYS = tuple(
    key for key in Stage.model_fields if key not in ("block", "depth", "width", "pool")
)
"""Keys that can be set in every stage that has them: ``kernel``, ``groups``, ``squeeze`` …"""


def known_keys() -> tuple[str, ...]:
    """Every name that ``key_problem`` takes, but for those of single stages."""
    parts = (f"{part}.{key}" for part, model in _PARTS.items() for key in model.model_fields)
    return (*STAGE_KEYS, *NETWORK_KEYS, *parts)


def is_key(name: str) -> bool:
    """Whether ``name`` is one of ``known_keys``, or ``stages.N.KEY``."""
    return _field(name) is not None


def key_problem(name: str, value: object) -> str | None:
    """Why ``name`` cannot be ``value`` in any architecture; None where it can in some.

    >>> key_problem("norm", "batch"), key_problem("stages.0.kernel", 0)
    (None, 'should be greater than or equal to 1')
    """
    field = _field(name)
    assert field is not None
    alone = create_model("Key", value=(cast("Any", field.annotation), field))
    try:
        alone.model_validate({"value": value})
    except ValidationError as problem:
        return problem.errors(include_url=False)[0]["msg"].removeprefix("Input ")
    return None


def _field(name: str) -> FieldInfo | None:
    if name in NETWORK_KEYS:
        return Arch.model_fields[name]
    if name in STAGE_KEYS:
        return Stage.model_fields[name]
    single = re.fullmatch(r"stages\.\d+\.(\w+)", name)
    if single is not None:
        return Stage.model_fields.get(single[1])
    part, _, key = name.partition(".")
    return _PARTS[part].model_fields.get(key) if part in _PARTS else None
