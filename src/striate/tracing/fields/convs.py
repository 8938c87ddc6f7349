"""Convolutions and transposed convolutions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from striate.tracing.fields.contracting import contract
from striate.tracing.fields.lines import (
    Offsets,
)
from striate.tracing.fields.reach import (
    Dim,
    Factor,
    Reach,
    Term,
    plain,
    ranked,
    replaced,
    shifted,
    size,
    still,
)
from striate.tracing.fields.splitting import split_dim
from striate.tracing.fields.windows import remap, slide


def mix_channels(term: Term, d: int, groups: int, out: int, image: tuple[int, int]) -> Term:
    """Dimension ``d`` becomes ``out`` channels, each made of all in its group."""
    dim = term.dims[d]
    if still(dim):
        mixed = groups > 1 and any(factor.mixed for factor in dim)
        new: Dim = (Factor(out, mixed=True),) if mixed else plain(out)
        return replaced(term, d, new)
    if groups == 1:
        term = contract(term, {d}, image, keep=True)
        return replaced(term, d, plain(out))
    inside = size(dim) // groups
    (outer, inner), lo, hi, rank = split_dim(dim, (groups, inside))
    hulls = ranked(shifted(term.hulls, lo, hi), rank)
    dims = (*term.dims[:d], outer, inner, *term.dims[d + 1 :])
    term = contract(Term(dims, hulls), {d + 1}, image, keep=False)
    rest = out // groups
    return replaced(term, d, (*outer, Factor(rest)) if rest > 1 else outer)


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
