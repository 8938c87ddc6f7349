"""What rearranges a tensor without mixing it: permute, slice, roll, broadcast."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from striate.tracing.fields.contracting import one_factor
from striate.tracing.fields.lines import (
    Line,
    Offsets,
    ends,
    settle,
    span,
)
from striate.tracing.fields.reach import (
    AXES,
    Factor,
    Rank,
    Reach,
    Term,
    plain,
    ranked,
    replaced,
    shifted,
    size,
    still,
    uneven,
)
from striate.tracing.fields.windows import slide


def permute(reach: Reach, order: Sequence[int]) -> Reach:
    """Dimensions in another order."""
    return reach.each(lambda term: Term(tuple(term.dims[d] for d in order), term.hulls))


def take(reach: Reach, d: int, start: int, step: int, n: int) -> Reach:
    """Indices start, start + step, … (n of them) of dimension ``d``."""

    def change(term: Term) -> Term:
        dim = term.dims[d]
        if start == 0 and step == 1 and n == size(dim):
            return term
        term = _cropped(_bounded_if_mixed(term, d), d, start, step, n)
        if len(dim) > 1 and still(dim):
            return replaced(term, d, (Factor(n, (0, 0), 0, any(f.mixed for f in dim)),))
        if len(dim) > 1 or any(map(uneven, dim)):
            return pick(term, d, start + step * np.arange(n, dtype=np.int64))
        return slide(term, d, first=start, reach=0, stride=step, out=n)

    return reach.each(change)


def pick(term: Term, d: int, index: Offsets) -> Term:
    """The given indices of dimension ``d``, in that order; each must exist."""
    factor, lo_more, hi_more = one_factor(term.dims[d])
    hulls = list(shifted(term.hulls, lo_more, hi_more))
    lines: list[Line] = []
    for axis in AXES:
        line = factor.lines[axis]
        if line == 0:
            lines.append(0)
            continue
        lo, hi = ends(line, factor.size)
        distance = round(span(line, factor.size) / factor.size * _rate(index) * len(index))
        new, lo_base, hi_base = settle(lo[index], hi[index], distance)
        hulls[axis] = hulls[axis]._replace(lo=hulls[axis].lo + lo_base, hi=hulls[axis].hi + hi_base)
        lines.append(new)
    new_factor = factor._replace(size=len(index), lines=(lines[0], lines[1]))
    return replaced(Term(term.dims, (hulls[0], hulls[1])), d, (new_factor,))


def _rate(index: Offsets) -> float:
    return (int(index[-1]) - int(index[0])) / (len(index) - 1) if len(index) > 1 else 1.0


def select(reach: Reach, d: int, index: int) -> Reach:
    """One index of dimension ``d``, which goes away."""
    one = take(reach, d, index, 1, 1)

    def change(term: Term) -> Term:
        return Term((*term.dims[:d], *term.dims[d + 1 :]), term.hulls)

    return one.each(change)


def roll(reach: Reach, d: int, by: int) -> Reach:
    """Index i now holds what i − by held; what goes round the edge is seen by no interior one."""

    def change(term: Term) -> Term:
        n = size(term.dims[d])
        shift = (by + n // 2) % n - n // 2
        return slide(term, d, first=-shift, reach=0, stride=1, out=n, filled=True)

    return reach.each(change)


def unsqueeze(reach: Reach, d: int) -> Reach:
    """A new dimension of one index."""
    return reach.each(lambda term: Term((*term.dims[:d], plain(1), *term.dims[d:]), term.hulls))


def squeeze(reach: Reach, over: set[int]) -> Reach:
    """Take dimensions of one index away."""
    return reach.each(
        lambda term: Term(
            tuple(dim for d, dim in enumerate(term.dims) if d not in over), term.hulls
        )
    )


def expand(reach: Reach, shape: Sequence[int]) -> Reach:
    """Broadcast to ``shape``: new and widened dimensions move nothing."""

    def change(term: Term) -> Term:
        extra = len(shape) - len(term.dims)
        dims = [plain(n) for n in shape[:extra]]
        for dim, n in zip(term.dims, shape[extra:], strict=True):
            same = size(dim) == n
            dims.append(dim if same else (Factor(n, (0, 0), dim[0].axes, copied=True),))
        return Term(tuple(dims), term.hulls)

    return reach.each(change)


def _cropped(term: Term, d: int, start: int, step: int, n: int) -> Term:
    """A slice that leaves out more than the places between its steps is a crop."""
    if start < step and start + n * step >= size(term.dims[d]):
        return term
    hulls = [
        hull._replace(cropped=hull.cropped or any(f.lines[axis] != 0 for f in term.dims[d]))
        for axis, hull in enumerate(term.hulls)
    ]
    return Term(term.dims, (hulls[0], hulls[1]))


def _bounded_if_mixed(term: Term, d: int) -> Term:
    if not any(factor.mixed for factor in term.dims[d]):
        return term
    return Term(term.dims, ranked(term.hulls, Rank.BOUND))
