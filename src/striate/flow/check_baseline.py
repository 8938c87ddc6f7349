"""A baseline: findings that are known and accepted, so that only new ones are reported.

A finding is known again by its target, its rule and the module's path, or, where an inserted layer
has moved the path (``3`` is ``4`` now), by the text of the line that made the module; never by the
line's number.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from striate.errors import InputError
from striate.flow.check_types import Checked
from striate.records import Finding

VERSION = 1


@dataclass(frozen=True, kw_only=True, order=True)
class Known:
    """One accepted finding.  ``line``: the text that made the module, or an empty one."""

    target: str
    code: str
    path: str
    line: str


@dataclass(frozen=True, kw_only=True)
class Compared:
    """Targets without what is known, how many findings that was, and how many are there no more."""

    checked: tuple[Checked, ...]
    count: int
    gone: int


def known_of(checked: Sequence[Checked], name: Callable[[str], str]) -> list[Known]:
    """Every finding as a baseline has it.  ``name``: a TARGET as it is called there."""
    return [_known(finding, name(one.target)) for one in checked for finding in one.findings]


def written(known: Sequence[Known]) -> bytes:
    """The baseline's file."""
    findings = [
        {"target": one.target, "code": one.code, "path": one.path, "line": one.line}
        for one in sorted(known)
    ]
    document = {"striate-baseline": VERSION, "findings": findings}
    return (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode()


def read_baseline(file: Path) -> list[Known]:
    """The findings in a baseline; InputError for a file that is none."""
    try:
        document: Any = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{file}: no such baseline; --write-baseline makes one") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{file}: is no baseline ({error}); --write-baseline makes one") from None
    try:
        if document["striate-baseline"] != VERSION:
            raise InputError(
                f"{file}: is a baseline of version {document['striate-baseline']}, and this "
                f"striate knows {VERSION}; --write-baseline makes it anew"
            )
        entries = cast("list[dict[str, str]]", document["findings"])
        return [Known(**entry) for entry in entries]
    except (KeyError, TypeError):
        raise InputError(f"{file}: is no baseline; --write-baseline makes one") from None


def compare(
    checked: Sequence[Checked], known: Sequence[Known], name: Callable[[str], str]
) -> Compared:
    """Leave out what is known; each entry accounts for one finding."""
    left = Counter(known)
    exact: set[int] = set()
    numbered = [
        (number, one, finding)
        for number, (one, finding) in enumerate(
            (one, finding) for one in checked for finding in one.findings
        )
    ]
    # First by path: an entry is not to be spent on a moved finding while its own is there.
    for number, one, finding in numbered:
        here = _known(finding, name(one.target))
        match = next((k for k in left if left[k] and _same_path(k, here)), None)
        if match is not None:
            left[match] -= 1
            exact.add(number)
    for number, one, finding in numbered:
        here = _known(finding, name(one.target))
        if number in exact or not here.line:
            continue
        match = next((k for k in left if left[k] and _same_line(k, here)), None)
        if match is not None:
            left[match] -= 1
            exact.add(number)
    new = {id(finding) for number, _, finding in numbered if number not in exact}
    told = tuple(
        replace(one, findings=tuple(f for f in one.findings if id(f) in new)) for one in checked
    )
    looked = {name(one.target) for one in checked if one.error is None}
    gone = sum(number for entry, number in left.items() if entry.target in looked)
    return Compared(checked=told, count=len(exact), gone=gone)


def _same_path(known: Known, here: Known) -> bool:
    return (known.target, known.code, known.path) == (here.target, here.code, here.path)


def _same_line(known: Known, here: Known) -> bool:
    return (known.target, known.code, known.line) == (here.target, here.code, here.line)


def _known(finding: Finding, target: str) -> Known:
    return Known(
        target=target, code=finding.code, path=finding.path, line=line_text(finding.defined)
    )


def line_text(place: str | None) -> str:
    """What stands at ``file:line``, its spaces evened out; empty where that cannot be read."""
    if place is None:
        return ""
    file, _, line = place.rpartition(":")
    try:
        lines = Path(file).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return ""
    number = int(line) - 1
    return " ".join(lines[number].split()) if 0 <= number < len(lines) else ""
