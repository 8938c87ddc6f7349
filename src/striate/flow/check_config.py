"""``[tool.striate]`` of the nearest pyproject.toml that has it: what is checked, and how."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, cast

from striate.checking import codes_of
from striate.errors import InputError, choices
from striate.flow.check_types import Asked
from striate.flow.sizes import parse_bytes, parse_image
from striate.records import Severity

SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")
_ASKED = ("image", "memory", "batch", "select", "ignore")
_KEYS = (*_ASKED, "targets", "fail-on", "baseline", "per-target", "per-path")


@dataclass(frozen=True, kw_only=True)
class Config:
    """A project's settings.  ``file``: where they stand, or None for the defaults.

    ``asked``: of every target.  ``per_target``: (pattern of TARGETs, what is set for them), the
    last that fits wins.  ``per_path``: (pattern of source files, codes that are ignored there).
    """

    file: Path | None = None
    targets: tuple[str, ...] = ()
    asked: Asked = field(default_factory=Asked)
    fail_on: Severity = "warning"
    baseline: Path | None = None
    per_target: tuple[tuple[str, Mapping[str, Any]], ...] = ()
    per_path: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def asked_of(self, target: str, given: Mapping[str, Any]) -> Asked:
        """How ``target`` is checked: ``given`` on the command line, else for it, else for all."""
        asked = self.asked
        for pattern, settings in self.per_target:
            if fnmatchcase(self.in_project(target), pattern):
                asked = replace(asked, **settings)
        return replace(asked, **given)

    def in_project(self, name: str) -> str:
        """A file (or a TARGET in a file) as it is called from the project's folder."""
        place, colon, attribute = name.rpartition(":")
        file = place if place.endswith(".py") else name
        if self.file is None or not file.endswith((".py", ".toml")):
            return name
        inside = Path(os.path.relpath(file, self.file.parent)).as_posix()
        return f"{inside}:{attribute}" if colon and place.endswith(".py") else inside


def find_config(start: Path) -> Config:
    """The settings that hold in the folder ``start``: those of it or of the nearest above it.

    InputError, in one line with the file, for what is no TOML, an unknown key or a wrong value.
    """
    for folder in (start, *start.parents):
        file = folder / "pyproject.toml"
        if not file.is_file():
            continue
        try:
            data = tomllib.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(f"{file}: cannot be read: {error}") from error
        table = cast("dict[str, Any]", data.get("tool", {})).get("striate")
        if table is not None:
            return _read(table, file)
    return Config()


def _read(table: object, file: Path) -> Config:
    where = f"{file}: tool.striate"
    keys = _table(table, where, _KEYS)
    targets = _texts(keys.get("targets", []), f"{where}.targets")
    fail_on = keys.get("fail-on", "warning")
    if fail_on not in SEVERITIES:
        raise InputError(
            f"{where}.fail-on: unknown value {fail_on!r}; {choices(fail_on, SEVERITIES)}"
        )
    baseline = keys.get("baseline")
    if baseline is not None and not isinstance(baseline, str):
        raise InputError(f"{where}.baseline: {baseline!r} is not a file's name")
    per_target = _named(keys.get("per-target", {}), f"{where}.per-target")
    per_path = _named(keys.get("per-path", {}), f"{where}.per-path")
    return Config(
        file=file,
        targets=tuple(_from_here(target, file.parent) for target in targets),
        asked=replace(Asked(), **_asked(keys, where)),
        fail_on=fail_on,
        baseline=None if baseline is None else file.parent / baseline,
        per_target=tuple(
            (name, _asked(_table(part, f'{where}.per-target."{name}"', _ASKED), where))
            for name, part in per_target.items()
        ),
        per_path=tuple(
            (name, _codes(codes, f'{where}.per-path."{name}"')) for name, codes in per_path.items()
        ),
    )


def _asked(keys: Mapping[str, Any], where: str) -> dict[str, Any]:
    """What the keys say of how a target is checked."""
    found: dict[str, Any] = {}
    for key, read, example in (
        ("image", parse_image, "3x224x224"),
        ("memory", parse_bytes, "16GiB"),
    ):
        if key in keys:
            found[key] = _size(keys[key], read, f"{where}.{key}", key, example)
    if "batch" in keys:
        batch = keys["batch"]
        if not isinstance(batch, int) or isinstance(batch, bool) or batch < 1:
            raise InputError(f"{where}.batch: {batch!r} is not a number of images; write 64")
        found["batch"] = batch
    for key in ("select", "ignore"):
        if key in keys:
            found[key] = _codes(keys[key], f"{where}.{key}")
    return found


def _size(
    value: object, read: Callable[[str], object], where: str, option: str, example: str
) -> str:
    """A size as the option of that name takes it, whose complaint it makes its own."""
    if not isinstance(value, str):
        raise InputError(f'{where}: {value!r} is not a size; write "{example}"')
    try:
        read(value)
    except InputError as error:
        raise InputError(f"{where}: {str(error).removeprefix(f'--{option} ')}") from error
    return value


def _table(value: object, where: str, known: Sequence[str]) -> dict[str, Any]:
    table = _named(value, where)
    for key in table:
        if key not in known:
            raise InputError(f"{where}: unknown key {key!r}; {choices(key, known)}")
    return table


def _named(value: object, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InputError(f"{where}: {value!r} is not a table")
    return cast("dict[str, Any]", value)


def _texts(value: object, where: str) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise InputError(f"{where}: {value!r} is not a list; write [{value!r}]")
    entries = cast("list[object]", value)
    for entry in entries:
        if not isinstance(entry, str):
            raise InputError(f"{where}: {entry!r} is not text")
    return tuple(map(str, entries))


def _codes(value: object, where: str) -> tuple[str, ...]:
    entries = _texts(value, where)
    codes_of(entries, where)
    return entries


def _from_here(target: str, folder: Path) -> str:
    """A project's target as it is called from the working directory."""
    place, _, attribute = target.rpartition(":")
    file = place if place.endswith(".py") else target
    if not file.endswith((".py", ".toml")):
        return target
    here = os.path.relpath(folder / file)
    return f"{here}:{attribute}" if place.endswith(".py") else here
