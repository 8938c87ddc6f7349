"""Several indices seen as one: factors joined, dimensions summed over, ends looked beyond."""

from __future__ import annotations

import numpy as np

from striate.tracing.fields.lines import (
    NOWHERE,
    Line,
    beyond_ends,
    ends,
    extremes,
    known_extremes,
    settle,
    span,
)
from striate.tracing.fields.reach import (
    AXES,
    Dim,
    Factor,
    Hulls,
    Rank,
    Term,
    axis_moves,
    seen_of,
    size,
)


def one_factor(dim: Dim) -> tuple[Factor, tuple[int, int], tuple[int, int]]:
    """A dimension's factors as a single one, and what that adds to (lo, hi) per axis."""
    if len(dim) == 1:
        return dim[0], (0, 0), (0, 0)
    n = size(dim)
    lines: list[Line] = []
    more_lo, more_hi = [0, 0], [0, 0]
    for axis in AXES:
        if all(factor.lines[axis] == 0 for factor in dim):
            lines.append(0)
            continue
        lo = hi = np.zeros(1, np.int64)
        for factor in dim:
            inner_lo, inner_hi = ends(factor.lines[axis], factor.size)
            lo = np.add.outer(lo, inner_lo).ravel()
            hi = np.add.outer(hi, inner_hi).ravel()
        outer = next((f for f in dim if f.size > 1), dim[0])
        line, more_lo[axis], more_hi[axis] = settle(
            np.minimum(lo, NOWHERE), np.maximum(hi, -NOWHERE), span(outer.lines[axis], outer.size)
        )
        lines.append(line)
    axes, mixed = 0, False
    for factor in dim:
        axes |= factor.axes
        mixed = mixed or factor.mixed
    blended = axes != 0 and any(f.blended or (f.size > 1 and not f.axes) for f in dim)
    factor = Factor(n, (lines[0], lines[1]), axes, mixed, blended)
    return factor, (more_lo[0], more_lo[1]), (more_hi[0], more_hi[1])


def contract(term: Term, over: set[int], image: tuple[int, int], *, keep: bool) -> Term:
    """Every element now depends on all indices of the dimensions ``over`` (sum, mean, product).

    With ``keep`` they stay as dimensions of one index.
    """
    hulls = list(term.hulls)
    gone = [factor for d in over for factor in term.dims[d]]
    dims = tuple(
        (Factor(1, (0, 0), _axes(dim)),) if d in over else dim
        for d, dim in enumerate(term.dims)
        if keep or d not in over
    )
    for axis in AXES:
        hull = hulls[axis]
        moving = [factor for factor in gone if factor.lines[axis] != 0]
        if not moving:
            continue
        lo, hi, least = hull.lo, hull.hi, hull.least
        for factor in moving:
            far_lo, far_hi = extremes(factor.lines[axis], factor.size)
            lo, hi = lo + far_lo, hi + far_hi
            if factor.axes:
                least += far_hi - far_lo
        squeezed = hull.squeezed or (not axis_moves(dims, axis) and any(f.axes for f in moving))
        whole, covers = hull.whole, lo <= 0 and hi >= image[axis] - 1
        if whole is None and squeezed and (covers or not hull.cropped):
            whole = seen_of(hull, lo, hi)
        rank = hull.rank
        if squeezed and hull.wrapped and hull.cropped:  # which of the wrapped ones are left?
            rank = max(Rank.BOUND, rank)
        hulls[axis] = hull._replace(
            lo=lo, hi=hi, least=least, rank=rank, squeezed=squeezed, whole=whole
        )
    return Term(dims, (hulls[0], hulls[1]))


def _axes(dim: Dim) -> int:
    axes = 0
    for factor in dim:
        axes |= factor.axes
    return axes


def met_padding(term: Term, d: int, *, filled: bool = False) -> Hulls:
    """The hulls once windows over dimension ``d`` have looked beyond its ends.

    From here on an interior element's interval must end before that of the first index outside
    begins to count.  Where other dimensions take larger steps along the same axis (a window that
    is padded at its own edge), what lies outside is not outside the image: a bound, and one that
    holds for interior elements alone if what lies outside is ``filled`` with pixels from inside.
    """
    hulls = list(term.hulls)
    factor, lo_more, hi_more = one_factor(term.dims[d])
    for axis in AXES:
        line, hull = factor.lines[axis], hulls[axis]
        if line == 0:
            continue
        others_lo = others_hi = places = 0
        for other, dim in enumerate(term.dims):
            for part in dim if other != d else ():
                far_lo, far_hi = extremes(part.lines[axis], part.size)
                others_lo, others_hi = others_lo + far_lo, others_hi + far_hi
                places += far_hi - far_lo if part.axes else 0
        least, greatest = known_extremes(line, factor.size)
        first, last = seen_of(
            hull,
            hull.lo + lo_more[axis] + least + others_lo,
            hull.hi + hi_more[axis] + greatest + others_hi,
        )
        hull = hull._replace(first=first, last=last, wrapped=hull.wrapped or filled)
        covered = span(line, factor.size)
        before, after = beyond_ends(line, factor.size)
        if places >= abs(covered) // factor.size:
            hull = hull._replace(rank=max(Rank.BOUND, hull.rank))
            if not filled:
                hulls[axis] = hull
                continue
        near = hull.lo + lo_more[axis] + before + others_hi + 1
        far = hull.hi + hi_more[axis] + after + others_lo - 1
        hulls[axis] = hull._replace(near=max(hull.near, near), far=min(hull.far, far))
    return hulls[0], hulls[1]
