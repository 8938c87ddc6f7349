"""Python source mended: literal arguments, at the very line that made the module.

A line may make many modules.  Where one call makes them (a loop, a factory that is called often),
it is changed only if each of them asks for the same, so that nothing else changes with it.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from striate.errors import InputError
from striate.flow.check import Inspected, inspect_target
from striate.flow.check_types import Asked
from striate.flow.fix_calls import CallEdit, Value, changed_calls
from striate.flow.fix_files import Patch, shown
from striate.flow.fix_reload import imported_anew
from striate.records import Edit, Trace

Place = tuple[Path, int, str]
"""(file, line, class): what is changed together."""


@dataclass(frozen=True, kw_only=True)
class SourceDesign:
    """A TARGET of Python, and what its files would hold.

    ``known``: modules that are not imported anew.  ``held``: what each file held when it was first
    imported; ``changed``: what it would hold, where that is something else.
    """

    target: str
    known: frozenset[str]
    held: dict[Path, bytes] = field(default_factory=dict[Path, bytes])
    changed: Mapping[Path, bytes] = field(default_factory=dict[Path, bytes])

    def mended(self, edits: Sequence[Edit], found: Inspected) -> SourceDesign:
        """A copy with the edits made; InputError says why one cannot be."""
        changed = dict(self.changed)
        for file, calls in _planned(edits, found.trace, self.held).items():
            source = changed.get(file, self.held[file])
            try:
                changed[file] = changed_calls(source, calls, _parameters)
            except InputError as error:
                raise InputError(f"{shown(file)} {error}") from error
        return replace(self, changed=changed)

    def inspected(self, asked: Asked) -> Inspected:
        """Imported anew with what its files would hold, traced and checked."""
        with imported_anew(self.known, self.changed) as read:
            found = inspect_target(self.target, asked)
        for file, source in read.items():
            self.held.setdefault(file, source)
        return found

    def patches(self) -> tuple[Patch, ...]:
        """What the files would become."""
        return tuple(
            Patch(file=file, before=self.held[file], after=after)
            for file, after in self.changed.items()
            if after != self.held[file]
        )


def _planned(
    edits: Sequence[Edit], trace: Trace, files: Mapping[Path, bytes]
) -> dict[Path, list[CallEdit]]:
    """The calls to change, by file.

    Where the modules of a line do not all ask for the same, each stands for the call at its place,
    which holds if there are as many calls (``changed_calls`` counts them).
    """
    wanted: dict[str, dict[str | None, Value]] = {}
    for edit in edits:
        asked = wanted.setdefault(edit.path, {})
        if asked.setdefault(edit.argument, edit.value) != edit.value:
            raise InputError(f"{edit.path}: {edit.argument} is asked to be two things")
    places: dict[Place, dict[str, dict[str | None, Value]]] = {}
    for path, asked in wanted.items():
        places.setdefault(_place(path, trace, files), {})[path] = asked
    found: dict[Path, list[CallEdit]] = {}
    for (file, line, name), modules in places.items():
        made = _made_at(trace, next(iter(modules)))
        first = next(iter(modules.values()))
        together = len(modules) == len(made) and all(asked == first for asked in modules.values())
        for path, asked in [next(iter(modules.items()))] if together else modules.items():
            found.setdefault(file, []).append(
                CallEdit(
                    line=line,
                    name=name,
                    modules=len(made),
                    index=None if together else made.index(path),
                    arguments={key: value for key, value in asked.items() if key is not None},
                    away=None in asked,
                )
            )
    return found


def _place(path: str, trace: Trace, files: Mapping[Path, bytes]) -> Place:
    defined = trace.defined.get(path)
    if defined is None:
        raise InputError(f"{path or 'the top module'}: the line that made it is not known")
    name, _, line = defined.rpartition(":")
    file = Path(name).resolve()
    if file not in files:
        raise InputError(f"{path}: was made in {name}, which is not among this network's sources")
    return file, int(line), trace.modules[path]


def _made_at(trace: Trace, path: str) -> list[str]:
    """Every module that the line of ``path`` made, of its class, in the order they are held."""
    line, kind = trace.defined[path], trace.modules[path]
    return [
        other
        for other, defined in trace.defined.items()
        if defined == line and trace.modules[other] == kind
    ]


def _parameters(name: str) -> list[str] | None:
    """The parameters of a class of ``torch.nn``, in order."""
    from torch import nn

    kind = getattr(nn, name, None)
    return None if kind is None else list(inspect.signature(kind).parameters)
