"""The hull of two branches, as one term where one can say it exactly."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from itertools import pairwise

import numpy as np

from striate.tracing.fields.contracting import one_factor
from striate.tracing.fields.lines import (
    Line,
    ends,
    settle,
    span,
)
from striate.tracing.fields.reach import (
    AXES,
    Dim,
    Factor,
    Hull,
    Rank,
    Reach,
    Term,
    replaced,
    shifted,
    tightened,
)

MOST_TERMS = 4
"""More branches that no single term describes than this are bounded by one."""

Pair = tuple[int, int]
Axis = tuple[Hull, list[Line]]
"""One axis of a term: its hull and the line of every factor."""


def union(a: Reach, b: Reach) -> Reach:
    """The hull of two reaches of one shape."""
    gated = a.gated or b.gated
    if len(a.terms) == 1 and len(b.terms) == 1:
        first, second = a.terms[0], b.terms[0]
        if first.dims is second.dims or first.dims == second.dims:
            return Reach((_both_terms(first, second),), a.image, gated)
    return Reach(joined((*a.terms, *b.terms)), a.image, gated)


def joined(terms: Sequence[Term]) -> tuple[Term, ...]:
    """A union of terms as few of them as can say it, or a bound where those are too many."""
    if len(terms) == 1:
        return tuple(terms)
    kept: list[Term] = []
    for term in terms:
        _add(kept, term)
    return tuple(kept) if len(kept) <= MOST_TERMS else (reduce(bounding, kept),)


def alike(terms: Sequence[Term]) -> tuple[Term, ...]:
    """Terms that have come to move alike, as one."""
    kept: list[Term] = []
    for term in terms:
        same = next((i for i, old in enumerate(kept) if old.dims == term.dims), None)
        if same is None:
            kept.append(term)
        else:
            kept[same] = _both_terms(kept[same], term)
    return tuple(kept)


def both(a: Hull, b: Hull) -> Hull:
    """The hull of two that move alike; where one is whole, so is the other."""
    whole = None
    if a.whole is not None and b.whole is not None:
        whole = min(a.whole[0], b.whole[0]), max(a.whole[1], b.whole[1])
    return _common(a, b)._replace(
        lo=min(a.lo, b.lo),
        hi=max(a.hi, b.hi),
        rank=max(a.rank, b.rank) if whole is None else min(a.rank, b.rank),
        whole=whole,
    )


def _common(a: Hull, b: Hull) -> Hull:
    """``a`` with all of a union but its ends, its rank and whether it is whole."""
    return a._replace(
        near=max(a.near, b.near),
        far=min(a.far, b.far),
        least=min(a.least, b.least),
        squeezed=a.squeezed and b.squeezed,
        cropped=a.cropped and b.cropped,
        wrapped=a.wrapped or b.wrapped,
        first=min(a.first, b.first),
        last=max(a.last, b.last),
    )


def _both_terms(a: Term, b: Term) -> Term:
    """The hull of two terms of the same dimensions."""
    hulls: list[Hull] = []
    for axis in AXES:
        first, second = _comparable(a, b, axis)
        if (first.whole is None) == (second.whole is None):
            hulls.append(both(first, second))
        elif first.whole is None:
            hulls.append(_swallowed(second, a, axis))
        else:
            hulls.append(_swallowed(first, b, axis))
    return Term(a.dims, (hulls[0], hulls[1]))


def _swallowed(sure: Hull, other: Term, axis: int) -> Hull:
    """A hull that is whole, once ``other``, which is not, was joined to it."""
    assert sure.whole is not None
    hull = tightened(other, axis)
    whole = min(sure.whole[0], hull.first), max(sure.whole[1], hull.last)
    return _common(sure, hull)._replace(whole=whole)


def _comparable(a: Term, b: Term, axis: int) -> tuple[Hull, Hull]:
    """Two hulls of which both say what they do not see, where one does."""
    first, second = a.hulls[axis], b.hulls[axis]
    if (first.first, first.last) == (second.first, second.last):
        return first, second
    return tightened(a, axis), tightened(b, axis)


def _add(terms: list[Term], new: Term) -> None:
    """Put a term into a union, merged with one that it can be merged with exactly."""
    for i, old in enumerate(terms):
        one = merge(old, new)
        if one is not None:
            del terms[i]
            _add(terms, one)
            return
    terms.append(new)


def merge(a: Term, b: Term) -> Term | None:
    """Two terms as a single one that is exactly their hull, or None if there is none."""
    a, b = _channels_joined(*aligned(a, b))
    if a.dims == b.dims:
        return _both_terms(a, b)
    parts = [_merge_axis(a, b, axis) for axis in AXES]
    if parts[0] is None or parts[1] is None:
        return None
    return assembled(a, b, parts[0], parts[1])


def _channels_joined(a: Term, b: Term) -> tuple[Term, Term]:
    """Two aligned terms with the channels of a dimension as one factor where several differ."""
    for d, (dim_a, dim_b) in enumerate(zip(a.dims, b.dims, strict=True)):
        differ = sum(one != two for one, two in zip(dim_a, dim_b, strict=True))
        if differ > 1 and not any(factor.axes for factor in (*dim_a, *dim_b)):
            one, lo, hi = one_factor(dim_a)
            a = replaced(a, d, (one,), shifted(a.hulls, lo, hi))
            one, lo, hi = one_factor(dim_b)
            b = replaced(b, d, (one,), shifted(b.hulls, lo, hi))
    return a, b


def _merge_axis(a: Term, b: Term, axis: int) -> Axis | None:
    first, second = _comparable(a, b, axis)
    lines_a, lines_b = lines_along(a, axis), lines_along(b, axis)
    sizes = [factor.size for dim in a.dims for factor in dim]
    told_apart = [x if x != 0 else y for x, y in zip(lines_a, lines_b, strict=True)]
    if first.whole is not None and second.whole is not None:
        return both(first, second), told_apart
    if first.whole is not None:
        return _swallowed(first, b, axis), told_apart
    if second.whole is not None:
        return _swallowed(second, a, axis), told_apart
    differ = [
        i
        for i, (x, y, n) in enumerate(zip(lines_a, lines_b, sizes, strict=True))
        if n > 1 and x != y
    ]
    if not differ:
        return both(first, second), told_apart
    least_lo = most_lo = first.lo - second.lo
    least_hi = most_hi = first.hi - second.hi
    for i in differ:
        lo_a, hi_a = ends(lines_a[i], sizes[i])
        lo_b, hi_b = ends(lines_b[i], sizes[i])
        least_lo += int((lo_a - lo_b).min())
        most_lo += int((lo_a - lo_b).max())
        least_hi += int((hi_a - hi_b).min())
        most_hi += int((hi_a - hi_b).max())
    if least_lo >= 0 and most_hi <= 0:
        return _common(second, first), lines_b
    if most_lo <= 0 and least_hi >= 0:
        return _common(first, second), lines_a
    if len(differ) > 1:
        return None
    i = differ[0]
    lo_a, hi_a = ends(lines_a[i], sizes[i])
    lo_b, hi_b = ends(lines_b[i], sizes[i])
    lo = np.minimum(first.lo + lo_a, second.lo + lo_b)
    hi = np.maximum(first.hi + hi_a, second.hi + hi_b)
    distance = max(span(lines_a[i], sizes[i]), span(lines_b[i], sizes[i]), key=abs)
    line, lo_base, hi_base = settle(lo, hi, distance)
    rank = max(first.rank, second.rank)
    lines = list(lines_a)
    lines[i] = line
    return _common(first, second)._replace(lo=lo_base, hi=hi_base, rank=rank), lines


def lines_along(term: Term, axis: int) -> list[Line]:
    """The line of every factor, in order."""
    return [factor.lines[axis] for dim in term.dims for factor in dim]


def assembled(a: Term, b: Term, height: Axis, width: Axis) -> Term:
    """A term with the dimensions of two aligned ones and the given hulls and lines."""
    dims: list[Dim] = []
    at = 0
    for dim_a, dim_b in zip(a.dims, b.dims, strict=True):
        factors: list[Factor] = []
        for one, two in zip(dim_a, dim_b, strict=True):
            lines = (height[1][at], width[1][at])
            mixed, blended = one.mixed or two.mixed, one.blended or two.blended
            factors.append(Factor(one.size, lines, one.axes | two.axes, mixed, blended))
            at += 1
        dims.append(tuple(factors))
    return Term(tuple(dims), (height[0], width[0]))


def bounding(a: Term, b: Term) -> Term:
    """One term that contains both."""
    a, b = aligned(a, b)
    axes: list[Axis] = []
    for axis in AXES:
        exact = _merge_axis(a, b, axis)
        if exact is not None:
            axes.append(exact)
            continue
        first, second = _comparable(a, b, axis)
        lines_a, lines_b = lines_along(a, axis), lines_along(b, axis)
        sizes = [factor.size for dim in a.dims for factor in dim]
        lo = second.lo - first.lo
        hi = second.hi - first.hi
        for x, y, n in zip(lines_a, lines_b, sizes, strict=True):
            if x == y:
                continue
            lo_a, hi_a = ends(x, n)
            lo_b, hi_b = ends(y, n)
            lo += int((lo_b - lo_a).min())
            hi += int((hi_b - hi_a).max())
        hull = _common(first, second)._replace(
            lo=first.lo + min(0, lo),
            hi=first.hi + max(0, hi),
            rank=max(Rank.BOUND, first.rank, second.rank),
        )
        axes.append((hull, lines_a))
    return assembled(a, b, axes[0], axes[1])


def aligned(a: Term, b: Term) -> tuple[Term, Term]:
    """The same two terms with the same factor sizes in every dimension."""
    dims_a: list[Dim] = []
    dims_b: list[Dim] = []
    hulls_a, hulls_b = a.hulls, b.hulls
    for dim_a, dim_b in zip(a.dims, b.dims, strict=True):
        if len(dim_a) == 1 == len(dim_b):
            dims_a.append(dim_a)
            dims_b.append(dim_b)
            continue
        new_a, new_b, lo_a, hi_a, lo_b, hi_b = _refined(dim_a, dim_b)
        hulls_a, hulls_b = shifted(hulls_a, lo_a, hi_a), shifted(hulls_b, lo_b, hi_b)
        dims_a.append(new_a)
        dims_b.append(new_b)
    return Term(tuple(dims_a), hulls_a), Term(tuple(dims_b), hulls_b)


def _refined(a: Dim, b: Dim) -> tuple[Dim, Dim, Pair, Pair, Pair, Pair]:
    """Two factor lists of one dimension over their common refinement, or as a single factor."""
    cuts = sorted({*_cuts(a), *_cuts(b)})
    if all(later % earlier == 0 for earlier, later in pairwise(cuts)):
        new_a, new_b = _cut(a, cuts), _cut(b, cuts)
        if new_a is not None and new_b is not None:
            return new_a, new_b, (0, 0), (0, 0), (0, 0), (0, 0)
    one_a, lo_a, hi_a = one_factor(a)
    one_b, lo_b, hi_b = one_factor(b)
    return (one_a,), (one_b,), lo_a, hi_a, lo_b, hi_b


def _cuts(dim: Dim) -> list[int]:
    """Products of the inner factors: where a mixed radix carries over."""
    cuts, product = [1], 1
    for factor in reversed(dim):
        product *= factor.size
        cuts.append(product)
    return cuts


def _cut(dim: Dim, cuts: list[int]) -> Dim | None:
    """Factors with exactly these carries; None where a table would have to be split."""
    out: list[Factor] = []
    inner, at = 1, 0
    for factor in reversed(dim):
        step, end = 1, inner * factor.size
        while inner * step < end:
            at += 1
            n = cuts[at] // (inner * step)
            lines: list[Line] = []
            for line in factor.lines:
                if not isinstance(line, int):
                    if n != factor.size:
                        return None
                    lines.append(line)
                else:
                    lines.append(line * step)
            out.append(factor._replace(size=n, lines=(lines[0], lines[1])))
            step *= n
        inner = end
    return tuple(reversed(out))
