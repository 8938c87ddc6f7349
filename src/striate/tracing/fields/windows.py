"""What slides along a dimension: windows, padding, pools."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from striate.tracing.fields.contracting import contract, met_padding, one_factor
from striate.tracing.fields.lines import (
    NOWHERE,
    Line,
    Offsets,
    Table,
    settle,
    span,
    windowed,
)
from striate.tracing.fields.reach import (
    AXES,
    Hull,
    Reach,
    Term,
    replaced,
    shifted,
    size,
    uneven,
)


def slide(
    term: Term,
    d: int,
    *,
    first: int,
    reach: int,
    stride: int,
    out: int,
    image: tuple[int, int] | None = None,
    apart: int = 1,
    filled: bool = False,
) -> Term:
    """Output o of dimension ``d`` sees the input indices first + o·stride … that + ``reach``.

    ``first`` is −padding, ``reach`` is dilation·(kernel − 1), ``apart`` the dilation.
    ``filled``: what lies outside is not zero but pixels from inside.  Where the ``image`` is
    given, a window that takes in the whole dimension without padding is global pooling.
    """
    dim = term.dims[d]
    n = size(dim)
    if image is not None and out == 1 and first == 0 and reach == n - 1 and n > 1:
        return contract(term, {d}, image, keep=True)
    factor = dim[0]
    if len(dim) > 1 or uneven(factor):
        o = np.arange(out, dtype=np.int64) * stride + first
        return remap(term, d, o, o + reach, grown=reach, apart=apart, filled=filled)
    if not factor.moves:
        return replaced(term, d, (factor._replace(size=out),))
    beyond = first < 0 or first + (out - 1) * stride + reach >= n
    hulls = met_padding(term, d, filled=filled) if beyond else term.hulls
    lines: list[int] = []
    changed: list[Hull] = []
    for axis in AXES:
        step = factor.lines[axis]
        assert isinstance(step, int)
        hull = hulls[axis]
        if step:
            near, far = step * first, step * (first + reach)
            grow = abs(step) * reach
            lo, hi = (near, far) if step > 0 else (far, near)
            hull = hull._replace(lo=hull.lo + lo, hi=hull.hi + hi, least=hull.least + grow)
        lines.append(step * stride)
        changed.append(hull)
    new = factor._replace(size=out, lines=(lines[0], lines[1]))
    return replaced(term, d, (new,), (changed[0], changed[1]))


def remap(
    term: Term,
    d: int,
    first: Offsets,
    last: Offsets,
    *,
    grown: int = 0,
    apart: int = 1,
    filled: bool = False,
    none: NDArray[np.bool_] | None = None,
) -> Term:
    """Output o of dimension ``d`` sees the input indices first[o] … last[o] (may lie outside).

    ``grown``: input indices that the narrowest window adds to the first, for the least path.
    ``apart``: which of them it reads (a dilated kernel).  ``none``: outputs that see nothing.
    """
    factor, lo_more, hi_more = one_factor(term.dims[d])
    n, out = factor.size, len(first)
    if not factor.moves:
        return replaced(term, d, (factor._replace(size=out),))
    if int(first.min()) < 0 or int(last.max()) >= n:
        term = Term(term.dims, met_padding(term, d, filled=filled))
    rate = (int(first[-1]) - int(first[0])) / max(1, out - 1) if out > 1 else 1.0
    hulls = list(shifted(term.hulls, lo_more, hi_more))
    lines: list[Line] = []
    for axis in AXES:
        line = factor.lines[axis]
        if line == 0:
            lines.append(0)
            continue
        covered = span(line, n)
        if isinstance(line, Table):
            lo, hi = windowed(line, first, last, apart)
        else:
            near, far = line * first, line * last
            lo, hi = np.minimum(near, far), np.maximum(near, far)
        if none is not None and none.any():
            lo, hi = np.where(none, NOWHERE, lo), np.where(none, -NOWHERE, hi)
        new, lo_base, hi_base = settle(lo, hi, round(covered / n * rate * out))
        hull = hulls[axis]
        grow = round(abs(covered) / n * grown)
        hulls[axis] = hull._replace(
            lo=hull.lo + lo_base, hi=hull.hi + hi_base, least=hull.least + grow
        )
        lines.append(new)
    new_factor = factor._replace(size=out, lines=(lines[0], lines[1]))
    return replaced(term, d, (new_factor,), (hulls[0], hulls[1]))


def pad(reach: Reach, before: dict[int, tuple[int, int]], *, filled: bool = False) -> Reach:
    """Elements added before and after dimensions; the fields of the others stay where they are.

    Any kind of padding: what it puts outside is seen by no interior element.  ``filled``: with
    pixels from inside (reflected, repeated, from the other side) and not with a constant.
    """

    def change(term: Term) -> Term:
        for d, (left, right) in before.items():
            dim = term.dims[d]
            n = size(dim)
            out = n + left + right
            if not filled and len({axis for axis in AXES for f in dim if f.lines[axis] != 0}) > 1:
                places = np.arange(out, dtype=np.int64) - left  # tokens: what is added sees nothing
                inside = np.clip(places, 0, n - 1)
                term = remap(term, d, inside, inside, none=places != inside)
                continue
            term = slide(term, d, first=-left, reach=0, stride=1, out=out, filled=filled)
        return term

    return reach.each(change)


def pool(
    reach: Reach,
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    out: Sequence[int],
) -> Reach:
    """A pool over the last ``len(kernel)`` dimensions; ``out`` are their new sizes."""
    k = len(kernel)

    def change(term: Term) -> Term:
        base = len(term.dims) - k
        for i in range(k):
            if kernel[i] == 1 and stride[i] == 1 and padding[i] == 0:
                continue
            term = slide(
                term,
                base + i,
                first=-padding[i],
                reach=dilation[i] * (kernel[i] - 1),
                stride=stride[i],
                out=out[base + i] if len(out) > k else out[i],
                image=reach.image,
                apart=dilation[i],
            )
        return term

    return reach.each(change)
