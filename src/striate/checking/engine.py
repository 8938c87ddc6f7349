"""One engine behind the command line, the report and the tests: all rules over one trace.

``select`` and ``ignore`` filter what is said, never what is true: a rule that is silent because of
another stays silent when that other is ignored.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import cast

from striate.checking.rule import Given, Rule, RuleFile
from striate.errors import InputError, choices
from striate.records import Finding, Trace

# The folder of rules, imported before the function of that name can be shadowed by it.
_FOLDER = import_module("striate.checking.rules")


@cache
def rules() -> tuple[Rule, ...]:
    """Every rule, by code.  A rule is any module of ``striate.checking.rules``."""
    found = [_load(f"{_FOLDER.__name__}.{info.name}") for info in iter_modules(_FOLDER.__path__)]
    return tuple(sorted(found, key=lambda rule: rule.code))


def check(
    trace: Trace,
    *,
    select: Sequence[str] = (),
    ignore: Sequence[str] = (),
    given: Given | None = None,
) -> list[Finding]:
    """What the rules find in ``trace``, in the order of its layers, then by code.

    ``select``: only these rules; ``ignore``: not these.  Each entry is a code (``FL201``), the
    beginning of one (``FL``, ``FL2``), a rule's name (``bias-before-norm``) or ``all``.  A rule on
    style runs only where its whole code or name is selected.  ``given``: what there is to judge by
    besides the trace; a rule that asks for something else is left out.  Raises InputError for an
    entry that names no rule.
    """
    wanted = codes_of(select or ("all",), "select")
    wanted -= {rule.code for rule in rules() if rule.opt_in and not _asked_for(rule, select)}
    wanted -= codes_of(ignore, "ignore")
    running = [rule for rule in rules() if not rule.opt_in or rule.code in wanted]
    found = {rule.code: rule.findings(trace, given) for rule in running}
    place = _places(trace)
    said = [
        finding
        for rule in running
        if rule.code in wanted and not any(found.get(other) for other in rule.silent_if)
        for finding in found[rule.code]
    ]
    return sorted(said, key=lambda finding: (place.get(finding.path, len(trace)), finding.code))


def rule_named(name: str) -> Rule:
    """The rule with this code or name; InputError if there is none."""
    for rule in rules():
        if name.upper() == rule.code or name.lower() == rule.name:
            return rule
    raise InputError(f"unknown rule {name!r}; {_choices(name)}")


def codes_of(entries: Sequence[str], option: str) -> set[str]:
    """The codes that ``entries`` name, as ``check`` reads them.

    InputError, which begins with ``option``, for an entry that names no rule.
    """
    codes: set[str] = set()
    for entry in entries:
        found = set(_answering(entry))
        if not found:
            raise InputError(f"{option}: no rule is called {entry!r}; {_choices(entry)}")
        codes |= found
    return codes


def _answering(entry: str) -> Iterator[str]:
    for rule in rules():
        group = entry and (entry.lower() == "all" or rule.code.startswith(entry.upper()))
        if group or rule.name == entry.lower():
            yield rule.code


def _asked_for(rule: Rule, select: Sequence[str]) -> bool:
    return any(entry.upper() == rule.code or entry.lower() == rule.name for entry in select)


def _choices(name: str) -> str:
    codes = [rule.code for rule in rules()]
    names = [rule.name for rule in rules()]
    near = choices(name.lower(), names)
    return near if near.startswith("did you mean") else choices(name.upper(), codes, most=60)


def _places(trace: Trace) -> dict[str, int]:
    """Each path's first appearance, as a position."""
    places: dict[str, int] = {}
    for position, layer in enumerate(trace):
        places.setdefault(layer.path, position)
    return places


def _load(name: str) -> Rule:
    module = import_module(name)
    file = cast("RuleFile", module)
    return Rule(
        code=file.CODE,
        name=file.NAME,
        severity=file.SEVERITY,
        doc=file.__doc__,
        find=file.find,
        silent_if=getattr(module, "SILENT_IF", ()),
        opt_in=getattr(module, "OPT_IN", False),
        asks=getattr(module, "ASKS", None),
    )
