"""``# striate: ignore[PA301]`` in a source file, or in an architecture's TOML.

A comment silences what is found at its line: where a module is called, or where it is made.  One
that names no rule, an unknown rule, or silences nothing is said aloud.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from striate.checking import codes_of
from striate.errors import InputError
from striate.flow.check_types import Checked
from striate.records import Finding

_COMMENT = re.compile(r"#.*?\bstriate:\s*ignore\b(?:\[([^\]]*)\])?")


@dataclass(frozen=True, kw_only=True)
class Silenced:
    """Targets without what comments silence, how many findings that was, and what to say of it."""

    checked: tuple[Checked, ...]
    count: int
    notes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class _Comment:
    place: str
    entries: tuple[str, ...]
    codes: frozenset[str]


def silence(checked: Sequence[Checked], active: Callable[[str], set[str]]) -> Silenced:
    """Apply the comments in the files of these targets.

    ``active``: the codes that were asked for of a target; a comment on another code is not called
    idle.
    """
    notes: list[str] = []
    comments: dict[str, _Comment] = {}
    for file in dict.fromkeys(file for one in checked for file in one.files):
        for comment in _comments(file, notes):
            comments[comment.place] = comment
    used: set[tuple[str, str]] = set()
    told: list[Checked] = []
    for one in checked:
        kept: list[Finding] = []
        for finding in one.findings:
            places = [
                place
                for place in dict.fromkeys((finding.source, finding.defined))
                if place in comments and finding.code in comments[place].codes
            ]
            used |= {(place, finding.code) for place in places if place}
            if not places:
                kept.append(finding)
        told.append(replace(one, findings=tuple(kept)))
    count = sum(len(one.findings) for one in checked) - sum(len(one.findings) for one in told)
    notes += _idle(comments, used, checked, active)
    return Silenced(checked=tuple(told), count=count, notes=tuple(notes))


def _comments(file: str, notes: list[str]) -> Iterator[_Comment]:
    try:
        text = Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return  # what could be imported from it was; it has no comment that we can read
    if "striate:" not in text:
        return
    for line, comment in _lines(file, text):
        match = _COMMENT.search(comment)
        if match is None:
            continue
        place = f"{file}:{line}"
        entries = tuple(part.strip() for part in (match[1] or "").split(",") if part.strip())
        if not entries:
            notes.append(f"{place}: ignore names no rule; write # striate: ignore[PA301]")
        codes: set[str] = set()
        for entry in entries:
            try:
                codes |= codes_of([entry], place)
            except InputError as error:
                notes.append(str(error))
        yield _Comment(place=place, entries=entries, codes=frozenset(codes))


def _lines(file: str, text: str) -> Iterator[tuple[int, str]]:
    if not file.endswith(".py"):
        yield from enumerate(text.splitlines(), 1)
        return
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def _idle(
    comments: Mapping[str, _Comment],
    used: set[tuple[str, str]],
    checked: Sequence[Checked],
    active: Callable[[str], set[str]],
) -> Iterator[str]:
    """A line for each entry that silences nothing, where the code around it was looked at."""
    touched: dict[str, set[str]] = {}
    for one in checked if comments else ():
        codes = active(one.target)
        for place in one.lines:
            touched.setdefault(place, set()).update(codes)
    for comment in comments.values():
        asked = _looked_at(comment.place, touched)
        for entry in comment.entries:
            try:
                codes = codes_of([entry], "ignore")
            except InputError:
                continue  # said already
            silences = any((comment.place, code) in used for code in codes)
            if not silences and codes & asked:
                yield f"{comment.place}: ignore[{entry}] silences nothing; take it away"


def _looked_at(place: str, touched: Mapping[str, set[str]]) -> set[str]:
    """The codes that were looked for in the function (or file) that holds this line."""
    file, _, line = place.rpartition(":")
    if not file.endswith(".py"):
        scope = range(1, 1 << 30)
    else:
        scope = _function(Path(file).read_text(encoding="utf-8"), int(line))
    found: set[str] = set()
    for other, codes in touched.items():
        name, _, number = other.rpartition(":")
        if name == file and int(number) in scope:
            found |= codes
    return found


def _function(text: str, line: int) -> range:
    """The lines of the innermost function around ``line``; all lines where there is none."""
    best = range(1, text.count("\n") + 2)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            lines = range(node.lineno, (node.end_lineno or node.lineno) + 1)
            if line in lines and len(lines) < len(best):
                best = lines
    return best
