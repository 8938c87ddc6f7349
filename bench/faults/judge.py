"""Whether a finding is the one that was asked for, and whether it stands at the right layer."""

from __future__ import annotations

import ast
import difflib
import importlib.util
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from faults.expected import BEHIND, EXPECTED, OWNERS, PRECEDING, RELATIONAL
from faults.program import Mutant
from striate.checking import check, rules
from striate.checking.rule import Given
from striate.flow.targets import raised
from striate.records import Finding, Layer, Trace
from striate.tracing import trace

WEIGHTED = ("conv2d", "conv_transpose2d", "linear", "batch_norm", "group_norm", "layer_norm")
LINEAR = ("conv2d", "conv_transpose2d", "linear")
CALLED_WITH = (
    "kernel", "stride", "padding", "dilation", "groups", "bias", "out_channels", "out_features",
)  # fmt: skip
_NUMBERS = count()


@dataclass(frozen=True)
class Verdict:
    """What the rules made of one mutant.

    ``found``: a finding says what its kind asks for.  ``placed``: one of those stands at a layer
    that was touched.  ``chance``: the share of the network's layers that would have been right.
    ``stray``: warnings and errors at layers neither touched nor downstream.
    ``refused``: what is said instead, where the network could not be made at all: it counts as
    found where it ends with a mend, and as placed where it names the line.
    """

    mutant: Mutant
    found: bool
    placed: bool
    stray: tuple[Finding, ...]
    findings: tuple[Finding, ...]
    chance: float = 0.0
    refused: str | None = None


def load(text: str, where: Path) -> Callable[[], Any]:
    """``network`` of a source file with this text, written into ``where``."""
    name = f"mutant_{next(_NUMBERS)}"
    path = where / f"{name}.py"
    path.write_text(text, "utf-8")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module.network


def judge(
    mutant: Mutant, network: Callable[[], Any], healthy: Trace, known: Sequence[Finding] = ()
) -> Verdict:
    """Trace and check one mutant of a network whose trace is ``healthy``.

    ``known``: what is said of the healthy network, which does not count.
    """
    expected = EXPECTED[mutant.kind]
    try:
        traced = trace(network, mutant.image, name=mutant.net)
    except Exception as error:  # noqa: BLE001  # a constructor that raises: the mutant's own code
        said = raised(error)
        line = re.search(r"mutant_\d+\.py:(\d+)", said)
        mended = "would divide" in said
        placed = mended and line is not None and int(line[1]) in mutant.lines
        return Verdict(mutant, mended, placed, (), (), refused=said)
    opinions = [rule.code for rule in rules() if rule.opt_in and rule.code in expected]
    given = None if mutant.batch is None else Given(batch=mutant.batch)
    settled = {(one.code, one.path) for one in known}
    findings = [
        one
        for one in check(traced, select=("all", *opinions), given=given)
        if (one.code, one.path) not in settled
    ]
    touched = touched_layers(traced, healthy, mutant)
    wanted = [one for one in findings if one.code in expected]
    here = [one for one in findings if {_line(one.source), _line(one.defined)} & mutant.lines]
    places = right_places(traced, mutant, touched)
    followed = closure(traced.consumers(), touched | _rewired(traced, healthy))
    allowed = places | Places(frozenset(traced.layers[index].path for index in followed))
    if traced.failure is not None:
        allowed |= Places(frozenset((traced.failure.path,)))
    return Verdict(
        mutant,
        bool(wanted),
        any(one in here or _stands(one, traced, places, named=True) for one in wanted),
        tuple(
            one
            for one in findings
            if one.severity != "info" and one not in here and not _stands(one, traced, allowed)
        ),
        tuple(findings),
        sum(places.hold(layer.path) for layer in traced) / len(traced),
    )


def touched_layers(traced: Trace, healthy: Trace, mutant: Mutant) -> set[int]:
    """Layers made or called at a line that was touched, or called otherwise than they were.

    Where nothing but the image was changed that is the image itself; where a touched line makes
    and calls no layer, the layers of the modules it speaks of.
    """
    if not mutant.lines and not mutant.paths:
        return {0}
    found = {
        layer.index
        for layer in traced
        if {_line(layer.source), _line(layer.defined)} & mutant.lines
        or any(_under(layer.path, path) for path in mutant.paths)
    }
    found |= _differing(traced, healthy)
    for modules in (named_modules, made_modules):
        if not found:
            paths = modules(traced, mutant)
            found = {one.index for one in traced if any(_under(one.path, path) for path in paths)}
    if not found:
        paths = _instances(traced, mutant)
        found = {one.index for one in traced if any(_under(one.path, path) for path in paths)}
    return found


def _differing(traced: Trace, healthy: Trace) -> set[int]:
    """Layers that have no counterpart in the healthy network, or stand beside one that went."""
    found: set[int] = set()
    for tag, _, last, first, end in _aligned(traced, healthy):
        if tag == "delete" and last < len(healthy):
            found.update((first - 1, first))
        elif tag in ("insert", "replace"):
            found.update(range(first, end))
    return {index for index in found if 0 < index < len(traced)}


def _rewired(traced: Trace, healthy: Trace) -> set[int]:
    """Layers that are what they were, and are given something else."""
    was = {
        new: old
        for tag, first, last, start, end in _aligned(traced, healthy)
        if tag == "equal"
        for old, new in zip(range(first, last), range(start, end), strict=True)
    }
    return {
        new
        for new, old in was.items()
        if [was.get(index) for index in traced.layers[new].inputs]
        != list(healthy.layers[old].inputs)
    }


def _aligned(traced: Trace, healthy: Trace) -> list[tuple[str, int, int, int, int]]:
    """How the healthy network's layers become the mutant's, as ``difflib`` says it."""

    def facts(layer: Layer) -> tuple[object, ...]:
        return layer.op, *(layer.attrs.get(name) for name in CALLED_WITH)

    old, new = [facts(layer) for layer in healthy], [facts(layer) for layer in traced]
    return difflib.SequenceMatcher(None, old, new, False).get_opcodes()


def named_modules(traced: Trace, mutant: Mutant) -> set[str]:
    """Modules that a touched line calls by their name (``self.down2``)."""
    lines = mutant.text.splitlines()
    return {
        ".".join(part for part in (path, name) if part)
        for line in mutant.lines
        for path in _of_class(traced, mutant, line)
        for name in re.findall(r"self\.(\w+)", lines[line - 1])
    }


def made_modules(traced: Trace, mutant: Mutant) -> set[str]:
    """Modules that were made at a touched line."""
    return {path for path, place in traced.defined.items() if _line(place) in mutant.lines}


def _instances(traced: Trace, mutant: Mutant) -> set[str]:
    """Modules of the classes whose bodies were touched."""
    return {path for line in mutant.lines for path in _of_class(traced, mutant, line) if path}


def _of_class(traced: Trace, mutant: Mutant, line: int) -> set[str]:
    """Paths of the modules of the class around a line."""
    for node in ast.walk(ast.parse(mutant.text)):
        if isinstance(node, ast.ClassDef) and node.lineno <= line <= (node.end_lineno or 0):
            return {path for path, name in traced.modules.items() if name == node.name}
    return set()


@dataclass(frozen=True)
class Places:
    """Where a finding may stand: at a layer's path or the module right around it, or anywhere in
    a module.
    """

    layers: frozenset[str] = frozenset()
    modules: frozenset[str] = frozenset()

    def __or__(self, other: Places) -> Places:
        return Places(self.layers | other.layers, self.modules | other.modules)

    def hold(self, path: str) -> bool:
        """Whether ``path`` is among them."""
        return any(path == one or path == one.rpartition(".")[0] != "" for one in self.layers) or (
            any(_under(path, one) or path == one.rpartition(".")[0] != "" for one in self.modules)
        )


def right_places(traced: Trace, mutant: Mutant, touched: set[int]) -> Places:
    """Where a finding counts as placed."""
    upstream = {layer.index: layer.inputs for layer in traced}
    indices = set(touched)
    if mutant.before:
        indices |= closure(upstream, touched)
    if touched == {0}:
        # The image is wrong: any layer at which that shows is right.
        indices |= {layer.index for layer in traced}
    if mutant.kind in RELATIONAL:
        indices |= _neighbours(traced, touched)
    if mutant.kind in BEHIND:
        indices |= _spatial_behind(traced, touched)
    if mutant.kind in PRECEDING:
        ends = {layer.index for layer in traced if layer.op in LINEAR}
        indices |= _until(upstream, touched - ends, ends)
    places = {traced.layers[index].path for index in indices}
    modules = set(mutant.paths)
    spoken = named_modules(traced, mutant) | made_modules(traced, mutant)
    spoken |= {
        ".".join(part for part in (path, name) if part)
        for kind, name in mutant.gone
        for path, module in traced.modules.items()
        if module == kind
    }
    if mutant.before:
        modules |= named_modules(traced, mutant)
    for name in (*traced.unused, *traced.frozen):
        modules |= {other for other in spoken if _under(name.rpartition(".")[0], other)}
    if mutant.kind in OWNERS:
        places |= {path for line in mutant.lines for path in _of_class(traced, mutant, line)}
    failure = traced.failure
    if failure is not None and not touched:
        places.add(failure.path)  # all before it is as it was
    if failure is not None and mutant.kind in RELATIONAL:
        read = {index for touch in touched for index in traced.layers[touch].inputs}
        weighted = {layer.index for layer in traced if layer.op in WEIGHTED}
        given = set(failure.inputs)
        if read & (given | _until(upstream, given - weighted, weighted)):
            places.add(failure.path)
    if failure is not None and (
        closure(upstream, failure.inputs) & touched
        or _line(failure.source) in mutant.lines
        or any(_under(failure.path, other) for other in spoken | _instances(traced, mutant))
    ):
        places.add(failure.path)
    return Places(frozenset(places), frozenset(modules))


def closure(edges: Mapping[int, Iterable[int]], start: Iterable[int]) -> set[int]:
    """Everything reached from ``start``, itself included."""
    seen = set(start)
    waiting = list(seen)
    while waiting:
        for other in edges.get(waiting.pop(), ()):
            if other not in seen:
                seen.add(other)
                waiting.append(other)
    return seen


def _neighbours(traced: Trace, touched: set[int]) -> set[int]:
    """The nearest linear layers before and behind the touched ones, and what is between."""
    upstream = {layer.index: layer.inputs for layer in traced}
    ends = {layer.index for layer in traced if layer.op in LINEAR}
    return _until(upstream, touched, ends) | _until(traced.consumers(), touched, ends)


def _spatial_behind(traced: Trace, touched: set[int]) -> set[int]:
    """The first kernels behind the touched layers that look at more than one position."""
    ends = {
        layer.index
        for layer in traced
        if layer.op == "conv2d" and max(layer.attrs.get("kernel", (1,))) > 1
    }
    return _until(traced.consumers(), touched, ends)


def _until(edges: Mapping[int, Sequence[int]], start: set[int], ends: set[int]) -> set[int]:
    found: set[int] = set()
    waiting = list(start)
    while waiting:
        for other in edges.get(waiting.pop(), ()):
            if other not in found:
                found.add(other)
                if other not in ends:
                    waiting.append(other)
    return found


def _stands(finding: Finding, traced: Trace, places: Places, *, named: bool = False) -> bool:
    """At one of the places; with ``named``, its message may name one instead.

    A finding on a stretch of layers ("from here to `head`") stands at all of them.
    """
    others = re.findall(r"`([^`]+)`", finding.message) if named else []
    if any(places.hold(path) for path in (finding.path, *others)):
        return True
    stretch = re.search(r"from here to `([^`]+)`", finding.message)
    if stretch is None:
        return False
    first = [layer.index for layer in traced if _under(layer.path, finding.path)]
    last = [layer.index for layer in traced if _under(layer.path, stretch[1])]
    return any(
        places.hold(layer.path)
        for layer in traced
        if first and last and first[0] <= layer.index <= last[-1]
    )


def _under(path: str, other: str) -> bool:
    return path == other or (bool(other) and path.startswith(f"{other}."))


def _line(place: str | None) -> int:
    return int(place.rpartition(":")[2]) if place else 0
