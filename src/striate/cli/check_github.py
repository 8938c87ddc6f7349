"""Findings as annotations of a pull request: GitHub's workflow commands."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from striate.cli.check_text import folded
from striate.flow.check_types import Checked
from striate.records import Finding

_LEVELS = {"error": "error", "warning": "warning", "info": "notice"}


def workflow_commands(checked: Sequence[Checked]) -> Iterator[str]:
    """One line for each folded finding, and for each target that could not be checked.

    GitHub shows ten of a kind in one step: what one line makes many times is one annotation.
    """
    for one in checked:
        if one.error is not None:
            yield f"::error title=striate::{_data(one.error)}"
        for group in folded(one.findings):
            yield _annotation(one.target, group)


def _annotation(target: str, group: Sequence[Finding]) -> str:
    first = group[0]
    properties = {"title": f"{first.code} {first.name}"}
    place = first.defined or first.source
    if place is not None:
        file, _, line = place.rpartition(":")
        properties |= {"file": _in_repository(file), "line": line}
    times = f" (×{len(group)})" if len(group) > 1 else ""
    mend = f"\nMend: {first.fix}" if first.fix else ""
    where = first.path or "the network"
    said = f"{target}, {where}{times}: {first.message}{mend}"
    listed = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
    return f"::{_LEVELS[first.severity]} {listed}::{_data(said)}"


def _in_repository(file: str) -> str:
    """A file as it is called from the top of what was checked out."""
    top = os.environ.get("GITHUB_WORKSPACE")
    path = Path(file).resolve()
    if top and path.is_relative_to(Path(top).resolve()):
        return path.relative_to(Path(top).resolve()).as_posix()
    return Path(file).as_posix()


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
