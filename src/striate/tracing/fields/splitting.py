"""Dimensions joined and split: the mixed radix of reshape."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from striate.tracing.fields.contracting import one_factor
from striate.tracing.fields.lines import (
    NOWHERE,
    Line,
    Table,
    settle,
)
from striate.tracing.fields.reach import (
    AXES,
    Dim,
    Factor,
    Rank,
    Reach,
    Term,
    plain,
    ranked,
    shifted,
    size,
)
from striate.tracing.fields.unions import MOST_TERMS, joined
from striate.tracing.fields.windows import remap, slide

Pair = tuple[int, int]


def reshape(reach: Reach, shape: Sequence[int]) -> Reach:
    """Joined dimensions keep their factors; split ones get them back."""
    shape = tuple(shape)
    if reach.shape == shape:
        return reach
    terms: list[Term] = []
    for term in reach.terms:
        new, apart = _reshape(term, shape)
        if 1 < apart <= MOST_TERMS:
            terms.extend(_reshape(term, shape, row)[0] for row in range(apart))
        else:
            terms.append(new)
    return Reach(joined(terms), reach.image, reach.gated)


def _reshape(term: Term, shape: tuple[int, ...], row: int | None = None) -> tuple[Term, int]:
    """The term in another shape; and, where one of its dimensions cannot be split exactly, into
    how many rows that was to be.

    ``row``: say this exactly of that one row, and of the others that they see nothing.
    """
    pool = [factor for dim in term.dims for factor in dim if factor.size > 1]
    pool.reverse()
    old = [size(dim) for dim in term.dims]
    ones = _kept_ones(term, old, shape)
    hulls, worst, apart = term.hulls, Rank.EXACT, 0
    dims: list[Dim] = []
    for d, n in enumerate(shape):
        if n <= 1:
            dims.append((Factor(n, (0, 0), ones.get(d, 0)),))
            continue
        taken: list[Factor] = []
        need = n
        while need > 1:
            factor = pool.pop()
            while factor.size % need and need % factor.size:
                joined, lo, hi = one_factor((factor, pool.pop()))
                hulls, factor = shifted(hulls, lo, hi), joined
            if need % factor.size == 0:
                taken.append(factor)
                need //= factor.size
                continue
            sizes = need, factor.size // need
            (outer, inner), lo, hi, rank = split_dim((factor,), sizes, row)
            hulls, worst = shifted(hulls, lo, hi), max(worst, rank)
            if rank:
                apart = need if not apart else MOST_TERMS + 1
            taken.extend(outer)
            pool.extend(reversed(inner))
            need = 1
        dims.append(merged(_inside_cells(taken)))
    if row is not None:
        worst = Rank.EXACT
    return Term(tuple(dims), ranked(hulls, worst)), apart


def _inside_cells(factors: list[Factor]) -> list[Factor]:
    """Channels that were joined to one axis from inside are places along it (pixel shuffle)."""
    axes = 0
    for factor in factors:
        axes |= factor.axes
    if axes not in (1, 2) or not factors[0].axes:
        return factors
    return [factor if factor.axes else factor._replace(axes=axes) for factor in factors]


def _kept_ones(term: Term, old: list[int], shape: tuple[int, ...]) -> dict[int, int]:
    """Which new dimensions of one index are the same spatial dimension as before."""
    kept: dict[int, int] = {}
    if len(old) == len(shape):
        for d, (before, after) in enumerate(zip(old, shape, strict=True)):
            if before == after == 1:
                kept[d] = term.dims[d][0].axes
    return kept


def merged(factors: Sequence[Factor]) -> Dim:
    """Neighbouring factors whose steps continue each other, as one."""
    out: list[Factor] = []
    for factor in factors:
        if out and _continues(out[-1], factor):
            last = out.pop()
            factor = factor._replace(size=last.size * factor.size, mixed=last.mixed or factor.mixed)
        out.append(factor)
    return tuple(out)


def _continues(outer: Factor, inner: Factor) -> bool:
    if outer.axes != inner.axes or outer.blended or inner.blended:
        return False
    for axis in AXES:
        a, b = outer.lines[axis], inner.lines[axis]
        if isinstance(a, Table) or isinstance(b, Table) or a != b * inner.size:
            return False
    return True


def split_dim(
    dim: Dim, sizes: Pair, row: int | None = None
) -> tuple[tuple[Dim, Dim], Pair, Pair, Rank]:
    """A dimension as outer × inner of the given sizes; what to add to (lo, hi); how good it is.

    ``row``: where it is no sum of the two, be right for this outer index alone.
    """
    outer_size, inner_size = sizes
    if outer_size == 1:
        return (plain(1), dim), (0, 0), (0, 0), Rank.EXACT
    if inner_size == 1:
        return (dim, plain(1)), (0, 0), (0, 0), Rank.EXACT
    factors = list(dim)
    product = 1
    for at, factor in enumerate(factors):
        product *= factor.size
        if product == outer_size:
            pair = tuple(factors[: at + 1]), tuple(factors[at + 1 :])
            return pair, (0, 0), (0, 0), Rank.EXACT
        if product > outer_size:
            break
    whole, lo_more, hi_more = one_factor(dim)
    lo, hi = list(lo_more), list(hi_more)
    rank = Rank.EXACT
    outer_lines: list[Line] = []
    inner_lines: list[Line] = []
    for axis in AXES:
        line = whole.lines[axis]
        if isinstance(line, int):
            outer_lines.append(line * inner_size)
            inner_lines.append(line)
            continue
        first, second, lo_base, hi_base, good = _split_table(line, outer_size, inner_size, row)
        outer_lines.append(first)
        inner_lines.append(second)
        lo[axis] += lo_base
        hi[axis] += hi_base
        rank = rank if good else Rank.BOUND
    outer = _along(
        Factor(outer_size, (outer_lines[0], outer_lines[1]), whole.axes, whole.mixed, whole.blended)
    )
    inner = _along(
        Factor(inner_size, (inner_lines[0], inner_lines[1]), whole.axes, whole.mixed, whole.blended)
    )
    return ((outer,), (inner,)), (lo[0], lo[1]), (hi[0], hi[1]), rank


def _along(factor: Factor) -> Factor:
    """A part of a dimension that ran along both axes runs along those that it moves."""
    if factor.axes != 3 or not factor.moves:
        return factor
    return factor._replace(axes=sum(1 << axis for axis in AXES if factor.lines[axis] != 0))


def _split_table(
    line: Table, outer: int, inner: int, row: int | None
) -> tuple[Line, Line, int, int, bool]:
    lo, hi = line.lo.reshape(outer, inner), line.hi.reshape(outer, inner)
    within = line.span // outer
    exact = bool(
        (lo == lo[:, :1] + (lo[0] - lo[0, 0])).all()
        and (hi == hi[:, :1] + (hi[0] - hi[0, 0])).all()
        and (line.lo < NOWHERE // 2).all()
    )
    if exact:
        first, lo_base, hi_base = settle(lo[:, 0], hi[:, 0], line.span)
        second, lo_more, hi_more = settle(lo[0] - lo[0, 0], hi[0] - hi[0, 0], within)
        return first, second, lo_base + lo_more, hi_base + hi_more, True
    if row is not None:
        alone = np.full(outer, NOWHERE)
        alone[row] = 0
        second, lo_base, hi_base = settle(lo[row], hi[row], within)
        return Table(alone, -alone, line.span), second, lo_base, hi_base, False
    first, lo_base, hi_base = settle(lo.min(axis=1), hi.max(axis=1), line.span)
    return first, 0, lo_base, hi_base, False


def windows_of(
    term: Term, d: int, *, out: int, kernel: int, stride: int, dilation: int = 1, padding: int = 0
) -> Term:
    """Dimension ``d`` as (windows, places in a window): nothing is mixed, places are told apart."""
    dim = term.dims[d]
    height, width = dim[0].lines
    if len(dim) == 1 and isinstance(height, int) and isinstance(width, int):
        outer = dim[0]._replace(size=out, lines=(height * stride, width * stride))
        inner = dim[0]._replace(size=kernel, lines=(height * dilation, width * dilation))
        hulls = slide(term, d, first=-padding, reach=0, stride=stride, out=out).hulls
        return Term((*term.dims[:d], (outer,), (inner,), *term.dims[d + 1 :]), hulls)
    starts = np.arange(out, dtype=np.int64)[:, None] * stride - padding
    index = (starts + np.arange(kernel, dtype=np.int64) * dilation).ravel()
    term = remap(term, d, index, index)
    (first, second), lo, hi, rank = split_dim(term.dims[d], (out, kernel))
    hulls = ranked(shifted(term.hulls, lo, hi), rank)
    return Term((*term.dims[:d], first, second, *term.dims[d + 1 :]), hulls)
