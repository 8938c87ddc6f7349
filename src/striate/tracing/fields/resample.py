"""What changes the grid: adaptive pools and interpolation."""

from __future__ import annotations

import numpy as np

from striate.tracing.fields.contracting import contract
from striate.tracing.fields.lines import Offsets
from striate.tracing.fields.reach import Reach, Term, size
from striate.tracing.fields.windows import remap


def adaptive(reach: Reach, out: tuple[int, ...]) -> Reach:
    """An adaptive pool over the last dimensions: output o averages ⌊o·n/m⌋ … ⌈(o+1)·n/m⌉ − 1."""
    k = len(out)

    def change(term: Term) -> Term:
        base = len(term.dims) - k
        for i, m in enumerate(out):
            n = size(term.dims[base + i])
            if m == n:
                continue
            if m == 1:
                term = contract(term, {base + i}, reach.image, keep=True)
                continue
            o = np.arange(m, dtype=np.int64)
            first, last = o * n // m, -(-(o + 1) * n // m) - 1
            term = remap(term, base + i, first, last, grown=int((last - first).min()))
        return term

    return reach.each(change)


SUPPORT = {"nearest": 0, "linear": 1, "cubic": 2}


def taps(
    n: int, m: int, scale: float | None, kind: str, *, align: bool, exact_nearest: bool = False
) -> tuple[Offsets, Offsets]:
    """First and last of ``n`` inputs that each of ``m`` outputs of an interpolation reads.

    ``scale``: the scale factor that was asked for, where it is used instead of m/n.
    Not cut at the ends: what lies outside is padding.
    """
    o = np.arange(m, dtype=np.float64)
    ratio = n / m if scale is None else 1.0 / scale
    if kind == "nearest":  # in float32, as torch rounds
        near = o.astype(np.float32) + np.float32(0.5 if exact_nearest else 0.0)
        place = np.floor(near * np.float32(ratio)).astype(np.int64)
        place = np.minimum(place, n - 1)
        return place, place
    if align:
        place = o * ((n - 1) / (m - 1)) if m > 1 else np.zeros(m)
    else:
        place = (o + 0.5) * ratio - 0.5
    low = np.floor(place + 1e-9).astype(np.int64)
    between = place - low > 1e-9
    reach = SUPPORT[kind]
    return np.where(between, low - reach + 1, low), np.where(between, low + reach, low)


def antialiased(n: int, m: int, scale: float | None, kind: str) -> tuple[Offsets, Offsets]:
    """The same for antialiased interpolation, whose support grows with the reduction."""
    ratio = n / m if scale is None else 1.0 / scale
    support = SUPPORT[kind] * max(ratio, 1.0)
    centre = ratio * (np.arange(m, dtype=np.float64) + 0.5)
    first = (centre - support + 0.5).astype(np.int64)
    last = (centre + support + 0.5).astype(np.int64) - 1
    return first, last


def resize(reach: Reach, tables: dict[int, tuple[Offsets, Offsets]]) -> Reach:
    """Interpolation: for each dimension, the taps of every output."""

    def change(term: Term) -> Term:
        for d, (first, last) in tables.items():
            term = remap(term, d, first, last, grown=int((last - first).min()))
        return term

    return reach.each(change)
