"""From the value inside to the record outside."""

from __future__ import annotations

from striate.records.trace import Field, Status
from striate.tracing.fields.lines import Table, extremes, span
from striate.tracing.fields.reach import (
    AXES,
    Dim,
    Factor,
    Rank,
    Reach,
    Term,
    axis_moves,
    contract,
    one_factor,
    shifted,
)

Spans = tuple[tuple[int, int], ...]
Side = tuple[int, int, int, int, Spans | None, Rank, bool]


def field_of(reach: Reach) -> Field | None:
    """The field of one position, channels taken together; None without a spatial axis."""
    terms = tuple(_positions(term, reach.image) for term in reach.terms)
    if not any(factor.axes for term in terms for dim in term.dims for factor in dim) and not any(
        axis_moves(term.dims, axis) for term in terms for axis in AXES
    ):
        return None
    height, width = (_side(terms, axis, reach.image[axis]) for axis in AXES)
    spans = None if height[4] is None and width[4] is None else (height[4], width[4])
    return Field(
        status=_status(height, width),
        size=(height[0], width[0]),
        least=(height[1], width[1]),
        stride=(height[2], width[2]),
        start=(height[3], width[3]),
        spans=spans,
        gated=reach.gated,
        interior=(_interior(terms, 0), _interior(terms, 1)),
    )


def _interior(terms: tuple[Term, ...], axis: int) -> tuple[int, int]:
    return max(t.hulls[axis].near for t in terms), min(t.hulls[axis].far for t in terms)


def _status(height: Side, width: Side) -> Status:
    worst = max(height[5], width[5])
    if worst is Rank.UNKNOWN:
        return "unknown"
    if worst is Rank.DATA:
        return "data-dependent"
    if worst is Rank.BOUND:
        return "bound"
    return "whole" if height[6] or width[6] else "exact"


def _positions(term: Term, image: tuple[int, int]) -> Term:
    """The term with the intervals of a position's channels taken together."""
    moving = [d for d, dim in enumerate(term.dims) if d > 0 and any(f.moves for f in dim)]
    if len(moving) < 2 and not any(_has_channels(term.dims[d]) for d in moving):
        return term
    mixed = {
        d for d in moving if _has_channels(term.dims[d]) or _finer(term.dims[d], term.dims[d + 1 :])
    }
    if not mixed:
        return term
    together = contract(term, mixed, image, keep=True)
    dims = tuple((Factor(1),) if d in mixed else dim for d, dim in enumerate(together.dims))
    return Term(dims, together.hulls)


def _has_channels(dim: Dim) -> bool:
    return any(factor.blended or (not factor.axes and factor.size > 1) for factor in dim)


def _finer(dim: Dim, later: tuple[Dim, ...]) -> bool:
    """Whether it takes smaller steps than a later dimension: places within a cell, as channels."""
    for axis in AXES:
        own = [_step(factor, axis) for factor in dim if factor.lines[axis] != 0]
        rest = [_step(f, axis) for other in later for f in other if f.lines[axis] != 0]
        if own and rest and max(own) < max(rest):
            return True
    return False


def _step(factor: Factor, axis: int) -> float:
    return abs(span(factor.lines[axis], factor.size)) / factor.size


def _side(terms: tuple[Term, ...], axis: int, pixels: int) -> Side:
    """(size, least, stride, start, spans, rank, whole) along one axis."""
    least = min(term.hulls[axis].least for term in terms)
    whole = [term for term in terms if term.hulls[axis].whole]
    if whole:
        rank = min(term.hulls[axis].rank for term in whole)
        stride = max(_side_of(term, axis)[2] for term in terms)
        return pixels, least, stride, 0, None, rank, True
    rank = max(term.hulls[axis].rank for term in terms)
    if len(terms) == 1:
        size, least, stride, start, spans = _side_of(terms[0], axis)
        return size, least, stride, start, spans, rank, False
    lo = hi = None
    for term in terms:
        low, high = term.hulls[axis].lo, term.hulls[axis].hi
        for dim in term.dims:
            for factor in dim:
                far_lo, far_hi = extremes(factor.lines[axis], factor.size)
                low, high = low + far_lo, high + far_hi
        lo = low if lo is None else min(lo, low)
        hi = high if hi is None else max(hi, high)
    assert lo is not None and hi is not None
    return hi - lo + 1, least, 0, lo, None, max(rank, Rank.BOUND), False


def _side_of(term: Term, axis: int) -> tuple[int, int, int, int, Spans | None]:
    hull = term.hulls[axis]
    bit = 1 << axis
    along = [
        factor
        for dim in term.dims
        for factor in dim
        if factor.lines[axis] != 0 or (factor.axes & bit and factor.size > 1)
    ]
    moving = [factor for factor in along if factor.lines[axis] != 0]
    extent = hull.hi - hull.lo + 1
    if not moving:
        return extent, hull.least, 0, hull.lo, None
    if len(moving) == 1 == len(along) and isinstance(step := moving[0].lines[axis], int):
        return extent, hull.least, step, hull.lo, None
    if len(moving) == len(along) and not any(isinstance(f.lines[axis], Table) for f in moving):
        steps = sorted(((int(str(f.lines[axis])), f.size) for f in moving), reverse=True)
        pairs = zip(steps, steps[1:], strict=False)
        if all(outer == inner * n for (outer, _), (inner, n) in pairs):
            return extent, hull.least, steps[-1][0], hull.lo, None
    return _uneven(term, axis, along)


def _uneven(term: Term, axis: int, along: list[Factor]) -> tuple[int, int, int, int, Spans | None]:
    one, lo_more, hi_more = one_factor(tuple(along))
    hull = shifted(term.hulls, lo_more, hi_more)[axis]
    line = one.lines[axis]
    if isinstance(line, int):
        return hull.hi - hull.lo + 1, hull.least, line, hull.lo, None
    los, his = (line.lo + hull.lo).tolist(), (line.hi + hull.hi).tolist()
    spans = tuple((lo, hi) if lo <= hi else (0, -1) for lo, hi in zip(los, his, strict=True))
    size = max(hi - lo + 1 for lo, hi in spans)
    stride = round(line.span / one.size) if one.size > 1 else 0
    return size, hull.least, stride, spans[0][0], spans
