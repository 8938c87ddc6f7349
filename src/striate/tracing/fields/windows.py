"""What slides over a map: convolutions, pools, padding, transposed convolutions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from striate.tracing.fields.lines import NOWHERE, Line, Offsets, Table, settle, span, windowed
from striate.tracing.fields.reach import (
    AXES,
    Dim,
    Factor,
    Hull,
    Reach,
    Term,
    axis_moves,
    contract,
    met_padding,
    one_factor,
    plain,
    shifted,
    size,
    still,
)


def slide(
    term: Term,
    d: int,
    *,
    first: int,
    reach: int,
    stride: int,
    out: int,
    image: tuple[int, int],
    apart: int = 1,
    filled: bool = False,
) -> Term:
    """Output o of dimension ``d`` sees the input indices first + o·stride … that + ``reach``.

    ``first`` is −padding, ``reach`` is dilation·(kernel − 1), ``apart`` the dilation.
    ``filled``: what lies outside is not zero but pixels from inside.  A window that takes in the whole
    dimension without padding is global pooling.
    """
    dim = term.dims[d]
    n = size(dim)
    if out == 1 and first == 0 and reach == n - 1 and n > 1:
        return contract(term, {d}, image, keep=True)
    factor = dim[0]
    if len(dim) > 1 or isinstance(factor.lines[0], Table) or isinstance(factor.lines[1], Table):
        o = np.arange(out, dtype=np.int64) * stride + first
        return remap(term, d, o, o + reach, grown=reach, apart=apart, filled=filled)
    if not factor.moves:
        return _put(term, d, (factor._replace(size=out),), term.hulls)
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
    return _put(term, d, (new,), (changed[0], changed[1]))


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
        return _put(term, d, (factor._replace(size=out),), term.hulls)
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
    return _put(term, d, (new_factor,), (hulls[0], hulls[1]))


def pad(reach: Reach, before: dict[int, tuple[int, int]], *, filled: bool = False) -> Reach:
    """Elements added before and after dimensions; the fields of the others stay where they are.

    Any kind of padding: what it puts outside is seen by no interior element.  ``filled``: with
    pixels from inside (reflected, repeated, from the other side) and not with a constant.
    """

    def change(term: Term) -> Term:
        for d, (left, right) in before.items():
            n = size(term.dims[d])
            out = n + left + right
            term = slide(
                term, d, first=-left, reach=0, stride=1, out=out, image=reach.image, filled=filled
            )
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


def mix_channels(term: Term, d: int, groups: int, out: int, image: tuple[int, int]) -> Term:
    """Dimension ``d`` becomes ``out`` channels, each made of all in its group."""
    dim = term.dims[d]
    if still(dim):
        mixed = groups > 1 and any(factor.mixed for factor in dim)
        new: Dim = (Factor(out, mixed=True),) if mixed else plain(out)
        return _put(term, d, new, term.hulls)
    if groups == 1:
        term = contract(term, {d}, image, keep=True)
        return _put(term, d, plain(out), term.hulls)
    from striate.tracing.fields.moves import split_dim

    inside = size(dim) // groups
    (outer, inner), lo, hi, rank = split_dim(dim, (groups, inside))
    hulls = shifted(term.hulls, lo, hi)
    hulls = (
        hulls[0]._replace(rank=max(rank, hulls[0].rank)),
        hulls[1]._replace(rank=max(rank, hulls[1].rank)),
    )
    dims = (*term.dims[:d], outer, inner, *term.dims[d + 1 :])
    term = contract(Term(dims, hulls), {d + 1}, image, keep=False)
    rest = out // groups
    return _put(term, d, (*outer, Factor(rest)) if rest > 1 else outer, term.hulls)


def convolve(
    reach: Reach,
    *,
    channels: int,
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[tuple[int, int]],
    dilation: Sequence[int],
    groups: int,
    out: Sequence[int],
) -> Reach:
    """A convolution over the last ``len(kernel)`` dimensions, channels before them."""
    k = len(kernel)

    def change(term: Term) -> Term:
        base = len(term.dims) - k
        term = mix_channels(term, base - 1, groups, channels, reach.image)
        for i in range(k):
            if kernel[i] == 1 and stride[i] == 1 and padding[i] == (0, 0):
                continue
            term = slide(
                term,
                base + i,
                first=-padding[i][0],
                reach=dilation[i] * (kernel[i] - 1),
                stride=stride[i],
                out=out[base + i],
                image=reach.image,
                apart=dilation[i],
            )
        return term

    return reach.each(change)


def convolve_transposed(
    reach: Reach,
    *,
    channels: int,
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
    out: Sequence[int],
) -> Reach:
    """A transposed convolution: output o gets input i through tap t where o = i·s − p + t·d."""
    k = len(kernel)

    def change(term: Term) -> Term:
        base = len(term.dims) - k
        term = mix_channels(term, base - 1, groups, channels, reach.image)
        for i in range(k):
            first, last, none = taps_of_transposed(
                out[base + i], kernel[i], stride[i], padding[i], dilation[i]
            )
            grown = int((last - first)[~none].min())
            term = remap(term, base + i, first, last, grown=grown, none=none)
        return term

    return reach.each(change)


def taps_of_transposed(
    out: int, kernel: int, stride: int, padding: int, dilation: int
) -> tuple[Offsets, Offsets, NDArray[np.bool_]]:
    """First and last input index that each output gets, and which outputs get none at all."""
    o = np.arange(out, dtype=np.int64) + padding
    first = np.full(out, np.iinfo(np.int64).max)
    last = np.full(out, np.iinfo(np.int64).min)
    for tap in range(kernel):
        place = o - tap * dilation
        hit = place % stride == 0
        index = place // stride
        first[hit] = np.minimum(first[hit], index[hit])
        last[hit] = np.maximum(last[hit], index[hit])
    none = first > last
    first[none] = last[none] = o[none] // stride
    return first, last, none


def _put(term: Term, d: int, dim: Dim, hulls: tuple[Hull, Hull]) -> Term:
    dims = term.dims
    return Term((*dims[:d], dim, *dims[d + 1 :]), hulls)


def uniform(term: Term, axis: int) -> bool:
    """Whether nothing along this axis needs a table."""
    return not axis_moves(term.dims, axis) or not any(
        isinstance(factor.lines[axis], Table) for dim in term.dims for factor in dim
    )
