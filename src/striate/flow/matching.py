"""What another tool counted, held against a trace: each difference with its reason, or without."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import NamedTuple

from striate.records import Layer, Trace
from striate.records.portion import prefixes
from striate.records.reconciliation import Account, Reason, Reconciliation

_MOST_KINDS = 12
"""Kinds of operations in one module whose combinations are tried."""


class _Note(NamedTuple):
    op: str
    why: str | None
    path: str
    theirs: int
    ours: int


def reconcile(trace: Trace, account: Account) -> Reconciliation:
    """Every difference between a tool's account and the trace.

    What the tool counted for an operation is first held against what it means (its own rule, from
    the shapes).  What it means is then held, module by module, against the layers traced there: a
    part of them that makes up just what is missing is what it leaves out.  What neither says is
    left over, and said to be.
    """
    notes: list[_Note] = []
    meant: Counter[str] = Counter()
    for one in account.counted:
        meant[one.path] += one.meant
        if one.macs != one.meant:
            notes.append(_Note(one.op, one.why, one.path, one.macs, one.meant))
    layers: dict[str, list[Layer]] = defaultdict(list)
    for layer in trace.layers:
        if layer.macs:
            layers[layer.path].append(layer)
    missing = {
        path: sum(layer.macs or 0 for layer in layers[path]) - meant[path]
        for path in dict.fromkeys([*layers, *meant])
    }
    _seen_elsewhere(missing)
    _seen_above(missing, layers)
    for path, gap in missing.items():
        notes += _missing(path, gap, layers[path], account)
    rest = account.total - sum(one.macs for one in account.counted)
    if rest:
        notes.append(_Note("total", None, "", rest, 0))
    reasons = _together(notes)
    return Reconciliation(
        tool=account.tool,
        version=account.version,
        ours=trace.totals.macs,
        total=account.total,
        unit=account.unit,
        explained=tuple(reason for reason in reasons if reason.why is not None),
        leftover=tuple(reason for reason in reasons if reason.why is None),
    )


def _seen_elsewhere(missing: dict[str, int]) -> None:
    """Cancel what a tool saw in another module than we did: the one above it, or one below.

    (A module's forward may be called without the module being called.)
    """
    for path, gap in list(missing.items()):
        if gap >= 0:
            continue
        near = [
            other
            for other, owed in missing.items()
            if owed > 0 and (_inside(other, path) or _inside(path, other))
        ]
        for others in [*([other] for other in near), near]:
            if others and sum(missing[other] for other in others) == -gap:
                missing[path] = 0
                missing.update(dict.fromkeys(others, 0))
                break


def _seen_above(missing: dict[str, int], layers: dict[str, list[Layer]]) -> None:
    """Count what a module lacks with one above it, where only both together make sense."""
    for path, gap in list(missing.items()):
        if gap <= 0:
            continue
        around = ["", *prefixes(path)][:-1]
        for above in reversed(around):
            owed = missing.get(above, 0)
            if (
                owed
                and _that_make(owed, layers[above]) is None
                and _that_make(owed + gap, layers[above]) is not None
            ):
                missing[above], missing[path] = owed + gap, 0
                break


def _inside(path: str, other: str) -> bool:
    return not other or path.startswith(other + ".")


def _missing(path: str, gap: int, layers: list[Layer], account: Account) -> list[_Note]:
    """``gap``: what the layers of one module cost above what the tool means to count there."""
    if not gap:
        return []
    reasons = account.leaves_out
    known = [layer for layer in layers if layer.op in reasons]
    left = _that_make(gap, known) or _that_make(gap, layers)
    if left is None:
        op = ", ".join(dict.fromkeys(layer.op for layer in layers)) or "nothing of ours"
        ours = sum(layer.macs or 0 for layer in layers)
        return [_Note(op, None, path, ours - gap, ours)]
    return [
        _Note(layer.op, reasons.get(layer.op, reasons.get("*")), path, 0, layer.macs or 0)
        for layer in left
    ]


def _that_make(gap: int, layers: Sequence[Layer]) -> list[Layer] | None:
    """Layers that cost ``gap`` together: all of an operation if possible, and of as few as can be.

    None if there are no such.
    """
    by_op: dict[str, list[Layer]] = defaultdict(list)
    alike: dict[tuple[str, int | None], list[Layer]] = defaultdict(list)
    for layer in layers:
        by_op[layer.op].append(layer)
        alike[layer.op, layer.macs].append(layer)
    ways = (list(by_op.values()), list(alike.values()), [[layer] for layer in layers])
    return next((found for way in ways if (found := _subset(gap, way)) is not None), None)


def _subset(gap: int, groups: list[list[Layer]]) -> list[Layer] | None:
    if len(groups) > _MOST_KINDS:
        return None
    for size in range(1, len(groups) + 1):
        for some in combinations(groups, size):
            if sum(layer.macs or 0 for group in some for layer in group) == gap:
                return [layer for group in some for layer in group]
    return None


def _together(notes: Iterable[_Note]) -> list[Reason]:
    """Notes of the same operation and reason as one, the largest difference first."""
    groups: dict[tuple[str, str | None], list[_Note]] = defaultdict(list)
    for note in notes:
        groups[note.op, note.why].append(note)
    reasons = [
        Reason(
            op=op,
            why=why,
            count=len(some),
            paths=tuple(dict.fromkeys(note.path for note in some)),
            theirs=sum(note.theirs for note in some),
            ours=sum(note.ours for note in some),
        )
        for (op, why), some in groups.items()
    ]
    return sorted(reasons, key=lambda reason: -abs(reason.difference))
