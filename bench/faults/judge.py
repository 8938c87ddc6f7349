"""Whether a finding is the one that was asked for, and whether it stands at the right layer."""

from __future__ import annotations

import importlib.util
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from striate.checking import check
from striate.checking.rule import Given
from striate.records import Finding, Layer, Trace
from striate.tracing import trace

from faults.expected import EXPECTED, RELATIONAL
from faults.program import Mutant

WEIGHTED = ("conv2d", "linear", "batch_norm", "group_norm", "layer_norm", "instance_norm")
_NUMBERS = count()


@dataclass(frozen=True)
class Verdict:
    """What the rules made of one mutant.

    ``found``: a finding says what its kind asks for.  ``placed``: one of those stands at a layer
    that was touched.  ``stray``: findings at layers neither touched nor downstream of it.
    ``refused``: what was said instead, where the network could not be made at all.
    """

    mutant: Mutant
    found: bool
    placed: bool
    stray: tuple[Finding, ...]
    findings: tuple[Finding, ...]
    trace: Trace | None
    refused: str | None = None


def load(text: str, where: Path) -> Callable[[], Any]:
    """``network`` of a source file with this text, written into ``where``."""
    name = f"mutant_{next(_NUMBERS)}"
    path = where / f"{name}.py"
    path.write_text(text, "utf-8")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module.network


def judge(mutant: Mutant, network: Callable[[], Any], known: Sequence[Finding] = ()) -> Verdict:
    """Trace and check one mutant.  ``known``: what is found in the healthy network anyway."""
    expected = EXPECTED[mutant.kind]
    try:
        traced = trace(network, mutant.image, name=mutant.net)
    except Exception as error:  # noqa: BLE001  # a constructor that raises: the mutant's own code
        return Verdict(mutant, False, False, (), (), None, f"{type(error).__name__}: {error}")
    asked = [code for code in expected if code in _opt_in()]
    given = None if mutant.batch is None else Given(batch=mutant.batch)
    findings = check(traced, select=("all", *asked), given=given)
    settled = {(one.code, one.path) for one in known}
    findings = [one for one in findings if (one.code, one.path) not in settled]
    touched = touched_layers(traced, mutant)
    wanted = [one for one in findings if one.code in expected]
    places = right_places(traced, mutant, touched)
    downstream = closure(traced.consumers(), touched)
    allowed = {traced.layers[i].path for i in downstream} | places
    stray = [one for one in findings if one.severity != "info" and not _at(one.path, allowed)]
    if not traced.complete:
        # Behind a failure nothing is known; the place of failure follows from what was touched.
        stray = [one for one in stray if one.path != getattr(traced.failure, "path", None)]
    return Verdict(
        mutant,
        bool(wanted),
        any(_at(one.path, places) for one in wanted),
        tuple(stray),
        tuple(findings),
        traced,
    )


def touched_layers(traced: Trace, mutant: Mutant) -> set[int]:
    """Layers made or called at a line that was touched, or at a path that was."""
    found: set[int] = set()
    for layer in traced:
        lines = {_line(layer.source), _line(layer.defined)}
        if lines & mutant.lines or any(_under(layer.path, path) for path in mutant.paths):
            found.add(layer.index)
    return found


def right_places(traced: Trace, mutant: Mutant, touched: set[int]) -> set[str]:
    """Paths at which a finding counts as placed."""
    indices = set(touched)
    if mutant.before:
        indices |= closure({layer.index: layer.inputs for layer in traced}, touched)
    if mutant.kind in RELATIONAL:
        indices |= _neighbours(traced, touched)
    places = {traced.layers[index].path for index in indices}
    places |= set(mutant.paths)
    names = (*traced.unused, *traced.frozen)
    modules = {name.rpartition(".")[0] for name in names}
    places |= {path for path in modules if _made_at_touched(path, mutant) or not touched}
    if traced.failure is not None:
        line = _line(traced.failure.source)
        near = closure({layer.index: layer.inputs for layer in traced}, set(traced.failure.inputs))
        if line in mutant.lines or near & touched or mutant.image:
            places.add(traced.failure.path)
    return places


def closure(edges: Any, start: Iterable[int]) -> set[int]:
    """Everything reached from ``start``, itself included."""
    seen, waiting = set(start), list(start)
    while waiting:
        for other in edges.get(waiting.pop(), ()):
            if other not in seen:
                seen.add(other)
                waiting.append(other)
    return seen


def _neighbours(traced: Trace, touched: set[int]) -> set[int]:
    """The nearest layers with weights before and behind the touched ones, and what is between."""
    before = {layer.index: layer.inputs for layer in traced}
    found: set[int] = set()
    for edges in (before, traced.consumers()):
        waiting = list(touched)
        while waiting:
            for other in edges.get(waiting.pop(), ()):
                if other in found:
                    continue
                found.add(other)
                if traced.layers[other].op not in WEIGHTED:
                    waiting.append(other)
    return found


def _made_at_touched(path: str, mutant: Mutant) -> bool:
    lines = mutant.text.splitlines()
    last = path.rpartition(".")[2]
    return any(f"self.{last}" in lines[line - 1] for line in mutant.lines) or any(
        _under(path, other) for other in mutant.paths
    )


def _at(path: str, places: set[str]) -> bool:
    """At one of the places, or at the module right above or below one."""
    return any(
        path == place or (path and place.startswith(f"{path}.")) or _under(path, place)
        for place in places
    )


def _under(path: str, other: str) -> bool:
    return path == other or (bool(other) and path.startswith(f"{other}."))


def _line(place: str | None) -> int:
    return int(place.rpartition(":")[2]) if place else 0


def _opt_in() -> set[str]:
    from striate.checking import rules

    return {rule.code for rule in rules() if rule.opt_in}


def layers_at(traced: Trace, path: str) -> list[Layer]:
    """The layers of a path."""
    return [layer for layer in traced if _under(layer.path, path)]


def workplace() -> tempfile.TemporaryDirectory[str]:
    """A folder for the mutants' files."""
    return tempfile.TemporaryDirectory(prefix="mutants")
