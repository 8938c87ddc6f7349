"""Tensors that become one: matrix products, concatenation, sums over dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import numpy as np

from striate.tracing.fields.contracting import contract, one_factor
from striate.tracing.fields.lines import (
    NOWHERE,
    Line,
    Offsets,
    ends,
    extremes,
    settle,
    span,
)
from striate.tracing.fields.moves import expand
from striate.tracing.fields.reach import (
    AXES,
    Dim,
    Factor,
    Hull,
    Rank,
    Reach,
    Term,
    plain,
    replaced,
    still,
    tightened,
    worsened,
)
from striate.tracing.fields.unions import both, union
from striate.tracing.fields.windows import pad


def product(a: Reach | None, b: Reach | None, shape: Sequence[int]) -> Reach | None:
    """A matrix product (…, M, K) × (…, K, N): element (m, n) sees all k of both."""
    parts: list[Reach] = []
    if a is not None:
        last = len(a.terms[0].dims) - 1
        left = a.each(lambda term: contract(term, {last}, a.image, keep=True))
        parts.append(_widened(left, -1, shape))
    if b is not None:
        rows = len(b.terms[0].dims) - 2
        right = b.each(lambda term: contract(term, {rows}, b.image, keep=True))
        parts.append(_widened(right, -2, shape))
    return reduce(union, parts) if parts else None


def _widened(reach: Reach, d: int, shape: Sequence[int]) -> Reach:
    """The contracted dimension ``d`` takes the other operand's size, as new indices."""

    def change(term: Term) -> Term:
        dims = list(term.dims)
        dims[d] = plain(shape[d])
        return Term(tuple(dims), term.hulls)

    return expand(reach.each(change), shape)


def concatenate(parts: Sequence[tuple[Reach | None, int]], d: int, shape: Sequence[int]) -> Reach:
    """Tensors one after another along ``d``; a part without a Reach sees no pixel.

    ``parts``: each tensor's Reach and its size along ``d``.
    """
    known = [reach for reach, _ in parts if reach is not None]
    if all(still(term.dims[d]) for reach in known for term in reach.terms):
        flat = [_with_dim(reach, d, plain(shape[d])) for reach in known]
        if len(known) == len(parts) and all(other == flat[0] for other in flat[1:]):
            return flat[0]
        row = _in_a_row(parts, d, shape)
        if row is not None:
            return row
        return _with_dim(reduce(union, flat), d, (Factor(shape[d], mixed=True),))
    if len(known) == 1 and len(known[0].terms) == 1 and len(known[0].terms[0].dims[d]) == 1:
        before = 0
        for reach, n in parts:
            if reach is not None:
                break
            before += n
        return pad(known[0], {d: (before, shape[d] - before - known[0].shape[d])})
    row = _in_a_row(parts, d, shape)
    return _bounded_row(known, d, shape) if row is None else row


def _with_dim(reach: Reach, d: int, dim: Dim) -> Reach:
    return reach.each(lambda term: replaced(term, d, dim))


def _in_a_row(
    parts: Sequence[tuple[Reach | None, int]], d: int, shape: Sequence[int]
) -> Reach | None:
    """Concatenation index by index, as one table per axis; None where parts differ elsewhere."""
    known = [reach for reach, _ in parts if reach is not None]
    first = known[0]
    rest = replaced(first.terms[0], d, plain(1)).dims
    whole = [hull.whole is None for hull in first.terms[0].hulls]
    for reach in known:
        term = reach.terms[0]
        if (
            len(reach.terms) > 1
            or replaced(term, d, plain(1)).dims != rest
            or [hull.whole is None for hull in term.hulls] != whole
        ):
            return None
    axes, blended, channels = 0, False, False
    hulls: list[Hull] = []
    lines: list[Line] = []
    for axis in AXES:
        los: list[Offsets] = []
        his: list[Offsets] = []
        distance = 0
        inside: list[Hull] = []
        for reach, n in parts:
            if reach is None:
                los.append(np.full(n, NOWHERE))
                his.append(np.full(n, -NOWHERE))
                continue
            factor, lo_more, hi_more = one_factor(reach.terms[0].dims[d])
            axes |= factor.axes
            blended = blended or factor.blended
            channels = channels or (not factor.axes and n > 1)
            hull = tightened(reach.terms[0], axis)
            inside.append(hull)
            lo, hi = ends(factor.lines[axis], n)
            los.append(lo + hull.lo + lo_more[axis])
            his.append(hi + hull.hi + hi_more[axis])
            distance += span(factor.lines[axis], n)
        line, lo_base, hi_base = settle(np.concatenate(los), np.concatenate(his), distance)
        base = reduce(both, inside)
        hulls.append(base._replace(lo=lo_base, hi=hi_base))
        lines.append(line)
    blended = blended or (channels and axes != 0)
    factor = Factor(shape[d], (lines[0], lines[1]), axes, blended=blended)
    term = replaced(first.terms[0], d, (factor,), (hulls[0], hulls[1]))
    return Reach((term,), first.image, any(reach.gated for reach in known))


def _bounded_row(known: Sequence[Reach], d: int, shape: Sequence[int]) -> Reach:
    """A bound for a concatenation whose parts move differently: every index sees every part."""

    def change(term: Term) -> Term:
        hulls = list(term.hulls)
        for axis in AXES:
            hull = hulls[axis]
            lo, hi = hull.lo, hull.hi
            for factor in term.dims[d]:
                far_lo, far_hi = extremes(factor.lines[axis], factor.size)
                lo, hi = lo + far_lo, hi + far_hi
            hulls[axis] = hull._replace(lo=lo, hi=hi)
        return replaced(term, d, plain(shape[d]), (hulls[0], hulls[1]))

    return worsened(reduce(union, [reach.each(change) for reach in known]), Rank.BOUND)


def without(reach: Reach, over: set[int], *, keep: bool) -> Reach:
    """Sum, mean, maximum … over dimensions: every element sees all of them."""
    return reach.each(lambda term: contract(term, over, reach.image, keep=keep))


def everywhere(reach: Reach, over: set[int]) -> Reach:
    """Every index along ``over`` sees all of them (softmax, sort, attention's keys)."""
    sizes = reach.shape
    kept = without(reach, over, keep=True)

    def change(term: Term) -> Term:
        dims = tuple(
            (Factor(sizes[d], (0, 0), dim[0].axes),) if d in over else dim
            for d, dim in enumerate(term.dims)
        )
        return Term(dims, term.hulls)

    return kept.each(change)


def anywhere(reach: Reach, shape: Sequence[int], rank: Rank = Rank.BOUND) -> Reach:
    """Where nothing is known of positions: every element may see what any element saw.

    The last two dimensions are taken for height and width, so that a status is shown.
    """
    over = set(range(len(reach.shape)))
    flat = without(reach, over, keep=False)
    dims = [plain(n) for n in shape]
    for axis in AXES:
        if len(shape) > 2:
            dims[axis - 2] = (Factor(shape[axis - 2], (0, 0), 1 << axis),)

    def change(term: Term) -> Term:
        first, second = term.hulls
        hulls = (first._replace(squeezed=False), second._replace(squeezed=False))
        return Term(tuple(dims), hulls)

    return worsened(flat.each(change), rank)
