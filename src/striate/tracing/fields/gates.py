"""Element-wise operations, in which a squeezed operand is a gate and not a branch."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import NamedTuple

from striate.tracing.fields.moves import expand
from striate.tracing.fields.reach import (
    AXES,
    Reach,
    Term,
    axis_moves,
)
from striate.tracing.fields.unions import aligned, assembled, lines_along, union


class Met(NamedTuple):
    """Operands met element by element; ``gate``: one of them was a gate, and was left out."""

    reach: Reach
    gate: bool


def meet(reaches: Sequence[Reach], shape: Sequence[int]) -> Met:
    """An element-wise operation, broadcast to ``shape``.

    A factor that was squeezed to one position and is broadcast back over a map is a gate: what it
    saw is left out, axis by axis, and the result says so (``gated``).
    """
    shape = tuple(shape)
    gates = _gates(reaches) if len(reaches) > 1 else {}
    spread = [reach if reach.shape == shape else expand(reach, shape) for reach in reaches]
    if not gates:
        return Met(reduce(union, spread), gate=False)
    kept: list[Reach] = []
    for i, reach in enumerate(spread):
        if i not in gates:
            kept.append(reach)
            continue
        for axis, by in gates[i].items():
            reach = _with_axis_of(reach, axis, spread[by])
        if len(gates[i]) < len(AXES):
            kept.append(reach)
    return Met(reduce(union, kept)._replace(gated=True), gate=True)


def _gates(reaches: Sequence[Reach]) -> dict[int, dict[int, int]]:
    """For each operand that is a gate: along which axes, and which operand is the map there."""
    found: dict[int, dict[int, int]] = {}
    for axis in AXES:
        moves = [any(axis_moves(term.dims, axis) for term in reach.terms) for reach in reaches]
        if not any(moves):
            continue
        for i, reach in enumerate(reaches):
            squeezed = all(term.hulls[axis].squeezed for term in reach.terms)
            by = moves.index(True)
            if squeezed and not moves[i] and _is_one(reach, reaches[by], axis):
                found.setdefault(i, {})[axis] = by
    return found


def _is_one(reach: Reach, other: Reach, axis: int) -> bool:
    """Whether it has one value for all positions along this axis of the map it is spread over."""
    pairs = zip(reversed(reach.terms[0].dims), reversed(other.terms[0].dims), strict=False)
    return all(
        all(factor.size == 1 or factor.copied for factor in own)
        for own, dim in pairs
        if any(factor.lines[axis] != 0 and factor.axes for factor in dim)
    )


def _with_axis_of(reach: Reach, axis: int, other: Reach) -> Reach:
    """``reach``, which along ``axis`` now sees what ``other`` does."""

    def change(term: Term) -> Term:
        own, base = aligned(term, other.terms[0])
        hulls = list(own.hulls)
        hulls[axis] = base.hulls[axis]
        parts = [(hulls[a], lines_along(base if a == axis else own, a)) for a in AXES]
        return assembled(own, base, parts[0], parts[1])

    return reach.each(change)
