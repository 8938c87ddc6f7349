"""Where branches meet: element-wise operations, matrix products, concatenation, gates."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import NamedTuple

import numpy as np

from striate.tracing.fields.lines import NOWHERE, Line, Offsets, ends, extremes, settle, span
from striate.tracing.fields.moves import expand
from striate.tracing.fields.reach import (
    AXES,
    Dim,
    Factor,
    Hull,
    Rank,
    Reach,
    Term,
    axis_moves,
    contract,
    one_factor,
    plain,
    shifted,
    size,
    still,
    worsened,
)
from striate.tracing.fields.windows import pad

MOST_TERMS = 4
"""More branches that no single term describes than this are bounded by one."""


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
            if squeezed and not moves[i] and _is_one(reach, axis):
                found.setdefault(i, {})[axis] = moves.index(True)
    return found


def _is_one(reach: Reach, axis: int) -> bool:
    """Whether no dimension that runs along this axis has more than one index."""
    bit = 1 << axis
    return all(
        factor.size == 1 for dim in reach.terms[0].dims for factor in dim if factor.axes & bit
    )


def _with_axis_of(reach: Reach, axis: int, other: Reach) -> Reach:
    """``reach``, which along ``axis`` now sees what ``other`` does."""

    def change(term: Term) -> Term:
        own, base = aligned(term, other.terms[0])
        hulls = list(own.hulls)
        hulls[axis] = base.hulls[axis]
        parts = [(hulls[a], _lines(base if a == axis else own, a)) for a in AXES]
        return _assemble(own, base, parts[0], parts[1])

    return reach.each(change)


def union(a: Reach, b: Reach) -> Reach:
    """The hull of two reaches of one shape."""
    gated = a.gated or b.gated
    if len(a.terms) == 1 and len(b.terms) == 1:
        first, second = a.terms[0], b.terms[0]
        if first.dims is second.dims or first.dims == second.dims:
            hulls = (_hull(first.hulls[0], second.hulls[0]), _hull(first.hulls[1], second.hulls[1]))
            return Reach((Term(first.dims, hulls),), a.image, gated)
    terms = list(a.terms)
    for term in b.terms:
        _add(terms, term)
    if len(terms) > MOST_TERMS:
        terms = [reduce(bounding, terms)]
    return Reach(tuple(terms), a.image, gated)


def _hull(a: Hull, b: Hull) -> Hull:
    if a.whole != b.whole:
        sure = a if a.whole else b
        return sure._replace(least=min(a.least, b.least), squeezed=a.squeezed and b.squeezed)
    return Hull(
        min(a.lo, b.lo),
        max(a.hi, b.hi),
        max(a.near, b.near),
        min(a.far, b.far),
        min(a.least, b.least),
        max(a.rank, b.rank) if not a.whole else min(a.rank, b.rank),
        a.squeezed and b.squeezed,
        a.whole,
    )


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
    a, b = aligned(a, b)
    if a.dims == b.dims:
        return Term(a.dims, (_hull(a.hulls[0], b.hulls[0]), _hull(a.hulls[1], b.hulls[1])))
    parts = [_merge_axis(a, b, axis) for axis in AXES]
    if parts[0] is None or parts[1] is None:
        return None
    return _assemble(a, b, parts[0], parts[1])


Axis = tuple[Hull, list[Line]]


def _merge_axis(a: Term, b: Term, axis: int) -> Axis | None:
    first, second = a.hulls[axis], b.hulls[axis]
    lines_a, lines_b = _lines(a, axis), _lines(b, axis)
    sizes = [factor.size for dim in a.dims for factor in dim]
    if first.whole or second.whole:
        return _hull(first, second), [
            x if x != 0 else y for x, y in zip(lines_a, lines_b, strict=True)
        ]
    differ = [
        i
        for i, (x, y, n) in enumerate(zip(lines_a, lines_b, sizes, strict=True))
        if n > 1 and x != y
    ]
    if not differ:
        return _hull(first, second), [
            x if x != 0 else y for x, y in zip(lines_a, lines_b, strict=True)
        ]
    near, far = max(first.near, second.near), min(first.far, second.far)
    least = min(first.least, second.least)
    squeezed = first.squeezed and second.squeezed
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
        return second._replace(near=near, far=far, least=least, squeezed=squeezed), lines_b
    if most_lo <= 0 and least_hi >= 0:
        return first._replace(near=near, far=far, least=least, squeezed=squeezed), lines_a
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
    return Hull(lo_base, hi_base, near, far, least, rank, squeezed), lines


def _lines(term: Term, axis: int) -> list[Line]:
    return [factor.lines[axis] for dim in term.dims for factor in dim]


def _assemble(a: Term, b: Term, height: Axis, width: Axis) -> Term:
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
        first, second = a.hulls[axis], b.hulls[axis]
        lines_a, lines_b = _lines(a, axis), _lines(b, axis)
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
        hull = Hull(
            first.lo + min(0, lo),
            first.hi + max(0, hi),
            max(first.near, second.near),
            min(first.far, second.far),
            min(first.least, second.least),
            max(Rank.BOUND, first.rank, second.rank),
        )
        axes.append((hull, lines_a))
    return _assemble(a, b, axes[0], axes[1])


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


Pair = tuple[int, int]


def _refined(a: Dim, b: Dim) -> tuple[Dim, Dim, Pair, Pair, Pair, Pair]:
    """Two factor lists of one dimension over their common refinement, or as a single factor."""
    cuts = sorted({*_cuts(a), *_cuts(b)})
    if all(later % earlier == 0 for earlier, later in zip(cuts, cuts[1:], strict=False)):
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
    return reach.each(lambda term: Term(_swap(term.dims, d, dim), term.hulls))


def _swap(dims: tuple[Dim, ...], d: int, dim: Dim) -> tuple[Dim, ...]:
    return (*dims[:d], dim, *dims[d + 1 :])


def _in_a_row(
    parts: Sequence[tuple[Reach | None, int]], d: int, shape: Sequence[int]
) -> Reach | None:
    """Concatenation index by index, as one table per axis; None where parts differ elsewhere."""
    known = [reach for reach, _ in parts if reach is not None]
    first = known[0]
    rest = _swap(first.terms[0].dims, d, plain(1))
    whole = [hull.whole for hull in first.terms[0].hulls]
    for reach in known:
        term = reach.terms[0]
        if (
            len(reach.terms) > 1
            or _swap(term.dims, d, plain(1)) != rest
            or [hull.whole for hull in term.hulls] != whole
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
            hull = reach.terms[0].hulls[axis]
            inside.append(hull)
            lo, hi = ends(factor.lines[axis], n)
            los.append(lo + hull.lo + lo_more[axis])
            his.append(hi + hull.hi + hi_more[axis])
            distance += span(factor.lines[axis], n)
        line, lo_base, hi_base = settle(np.concatenate(los), np.concatenate(his), distance)
        base = reduce(_hull, inside)
        hulls.append(base._replace(lo=lo_base, hi=hi_base))
        lines.append(line)
    blended = blended or (channels and axes != 0)
    factor = Factor(shape[d], (lines[0], lines[1]), axes, blended=blended)
    term = Term(_swap(first.terms[0].dims, d, (factor,)), (hulls[0], hulls[1]))
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
        return Term(_swap(term.dims, d, plain(shape[d])), (hulls[0], hulls[1]))

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
