"""From the value inside to the record outside."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from striate.records.trace import Field, Status
from striate.tracing.fields.contracting import contract, one_factor
from striate.tracing.fields.lines import Pairs, Table, extremes, span
from striate.tracing.fields.reach import (
    AXES,
    Dim,
    Factor,
    Rank,
    Reach,
    Term,
)
from striate.tracing.fields.unions import alike


class Side(NamedTuple):
    """One axis of a Field."""

    size: int
    least: int
    stride: int
    start: int
    spans: Pairs | None
    rank: Rank
    whole: bool
    interior: tuple[int, int]


def field_of(reach: Reach) -> Field | None:
    """The field of one position, channels taken together; None without a spatial axis."""
    terms = reach.terms
    if len(terms) == 1 and (plainly := _of_map(terms[0], gated=reach.gated)) is not None:
        return plainly
    channels = [_channels(term) for term in terms]
    if any(channels):
        over = set[int]().union(*channels)
        terms = alike([_together(term, over, reach.image) for term in terms])
    if not _is_spatial(terms):
        return None
    height = _side(terms, 0)
    width = _side(terms, 1)
    uneven = height.spans is not None or width.spans is not None
    return Field(
        status=_status(height, width),
        size=(height.size, width.size),
        least=(height.least, width.least),
        stride=(height.stride, width.stride),
        start=(height.start, width.start),
        spans=(height.spans, width.spans) if uneven else None,
        gated=reach.gated,
        interior=(height.interior, width.interior),
    )


def _of_map(term: Term, *, gated: bool) -> Field | None:
    """The field of an image's map (…, H, W) with even steps, by which most layers are read."""
    *outer, rows, columns = term.dims if len(term.dims) > 2 else ((), (), ())
    if len(rows) != 1 or len(columns) != 1:
        return None
    down, along = rows[0], columns[0]
    step, level = down.lines
    upright, pace = along.lines
    if not (down.axes == 1 and along.axes == 2 and level == 0 and upright == 0):
        return None
    if not (isinstance(step, int) and isinstance(pace, int)):
        return None
    for dim in outer:
        if len(dim) != 1 or dim[0].moves or dim[0].axes:
            return None
    height, width = term.hulls
    if height.whole is not None or width.whole is not None:
        return None
    return Field(
        status=_RANKED[max(height.rank, width.rank)],
        size=(height.hi - height.lo + 1, width.hi - width.lo + 1),
        least=(height.least, width.least),
        stride=(step, pace),
        start=(height.lo, width.lo),
        spans=None,
        gated=gated,
        interior=((height.near, height.far), (width.near, width.far)),
    )


_RANKED: dict[Rank, Status] = {
    Rank.EXACT: "exact",
    Rank.BOUND: "bound",
    Rank.DATA: "data-dependent",
    Rank.UNKNOWN: "unknown",
}


def _is_spatial(terms: tuple[Term, ...]) -> bool:
    for term in terms:
        for dim in term.dims:
            for factor in dim:
                if factor.axes:
                    return True
    return False


def _status(height: Side, width: Side) -> Status:
    worst = max(height.rank, width.rank)
    return "whole" if worst is Rank.EXACT and (height.whole or width.whole) else _RANKED[worst]


def _channels(term: Term) -> set[int]:
    """The dimensions that tell channels of one position apart by what they see."""
    moving: list[int] = []
    plain = True
    for d, dim in enumerate(term.dims):
        for factor in dim:
            if factor.moves and d:
                moving.append(d)
                plain = plain and len(dim) == 1 and factor.axes in (1, 2)
                break
    if plain and len({term.dims[d][0].axes for d in moving}) == len(moving):
        return set()
    return {
        d for d in moving if _has_channels(term.dims[d]) or _finer(term.dims[d], term.dims[d + 1 :])
    }


def _together(term: Term, over: set[int], image: tuple[int, int]) -> Term:
    """The term with the intervals of a position's channels taken together."""
    together = contract(term, over, image, keep=True)
    dims = tuple((Factor(1),) if d in over else dim for d, dim in enumerate(together.dims))
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


def _side(terms: tuple[Term, ...], axis: int) -> Side:
    hulls = [term.hulls[axis] for term in terms]
    interior = max(hull.near for hull in hulls), min(hull.far for hull in hulls)
    least = min(hull.least for hull in hulls)
    whole = [hull.rank for hull in hulls if hull.whole]
    if whole:
        steps = [_step(f, axis) for t in terms for dim in t.dims for f in dim if f.lines[axis] != 0]
        stride = round(min(steps)) if steps else 0
        first = min(hull.whole[0] for hull in hulls if hull.whole)
        last = max(hull.whole[1] for hull in hulls if hull.whole)
        return Side(last - first + 1, least, stride, first, None, min(whole), True, interior)
    if len(terms) == 1:
        size, stride, start, spans = _even_or_not(terms[0], axis)
        return Side(size, least, stride, start, spans, hulls[0].rank, False, interior)
    los: list[int] = []
    his: list[int] = []
    for term in terms:
        low, high = term.hulls[axis].lo, term.hulls[axis].hi
        for dim in term.dims:
            for factor in dim:
                far_lo, far_hi = extremes(factor.lines[axis], factor.size)
                low, high = low + far_lo, high + far_hi
        los.append(low)
        his.append(high)
    lo, hi = min(los), max(his)
    rank = max(Rank.BOUND, *(hull.rank for hull in hulls))
    return Side(hi - lo + 1, least, 0, lo, None, rank, False, interior)


def _even_or_not(term: Term, axis: int) -> tuple[int, int, int, Pairs | None]:
    """(size, stride, start, spans) along one axis of a single term."""
    hull = term.hulls[axis]
    bit = 1 << axis
    along: list[Factor] = []
    moving = 0
    for dim in term.dims:
        for factor in dim:
            if factor.lines[axis] != 0:
                moving += 1
                along.append(factor)
            elif factor.axes & bit and factor.size > 1:
                along.append(factor)
    extent = hull.hi - hull.lo
    if not moving:
        return extent + 1, 0, hull.lo, None
    lines = [factor.lines[axis] for factor in along]
    steps = [line for line in lines if isinstance(line, int)]
    if len(steps) < len(lines):
        return _by_table(along, axis, hull.lo, extent)
    sizes = [factor.size for factor in along]
    if moving == len(along):
        pairs = sorted(zip(steps, sizes, strict=True), reverse=True)
        if all(a[0] == b[0] * b[1] for a, b in pairwise(pairs)):
            return extent + 1, pairs[-1][0], hull.lo, None
    stride, spans = _staircase(tuple(steps), tuple(sizes), extent)
    return extent + 1, stride, hull.lo, spans


def _by_table(
    along: list[Factor], axis: int, start: int, extent: int
) -> tuple[int, int, int, Pairs | None]:
    one, lo_more, hi_more = one_factor(tuple(along))
    line = one.lines[axis]
    start, extent = start + lo_more[axis], extent + hi_more[axis] - lo_more[axis]
    if not isinstance(line, Table):
        return extent + 1, line, start, None
    spans = line.pairs(extent)
    size = int((line.hi - line.lo).max()) + extent + 1
    stride = round(line.span / one.size) if one.size > 1 else 0
    return size, stride, start + int(line.lo[0]), spans


@lru_cache(maxsize=512)
def _staircase(
    steps: tuple[int, ...], sizes: tuple[int, ...], extent: int
) -> tuple[int, Pairs | None]:
    """Mean stride and spans of a dimension of several factors, each of even steps."""
    factors = tuple(Factor(n, (step, 0)) for step, n in zip(steps, sizes, strict=True))
    one, _, _ = one_factor(factors)
    line = one.lines[0]
    if not isinstance(line, Table):
        return line, None
    return round(line.span / one.size), line.pairs(extent)
