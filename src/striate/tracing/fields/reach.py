"""What each element of a tensor can see of the image, as a value.

For one image axis, the element at indices (i_0, i_1, …) depends on the pixels

    lo + Σ line_f(i_f)   …   hi + Σ line_f(i_f)

over the *factors* f of its dimensions.  A dimension that was joined from others keeps them as
factors, outermost first (mixed radix), so that a later split restores them.  A ``Reach`` is a
union of such terms: one, unless branches met that no single term can describe (the scores of
attention, whose element (i, j) sees token i and token j).

The interval is that of the image continued on all sides, so it may start before pixel 0: padding
shifts it and does not cut it.  An *interior* element is one whose interval lies inside the image,
and inside what of it the map still covered wherever it was padded (a crop, or a stride that drops
the last row, leaves less than the image): its windows never met padding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import IntEnum
from functools import lru_cache
from typing import NamedTuple

from striate.tracing.fields.lines import Line, Table, extremes

AXES = (0, 1)
"""Height and width, as positions in every pair."""


class Rank(IntEnum):
    """How much a term's interval may be believed; the worse of two wins."""

    EXACT = 0
    BOUND = 1
    DATA = 2
    UNKNOWN = 3


class Factor(NamedTuple):
    """``size`` indices that move the interval along height and width by ``lines``.

    ``axes``: bit 1 for a factor that runs along the image's height, bit 2 for its width.
    ``mixed``: intervals differ along it in a way the lines do not say (channels of a
    concatenation), so that a part of it is known by a bound only.
    ``blended``: positions and channels together, as one table.  ``copied``: every index holds the
    same value, which was broadcast.
    """

    size: int
    lines: tuple[Line, Line] = (0, 0)
    axes: int = 0
    mixed: bool = False
    blended: bool = False
    copied: bool = False

    @property
    def moves(self) -> bool:
        return self.lines != (0, 0)


Dim = tuple[Factor, ...]


class Hull(NamedTuple):
    """One image axis of one term: the interval at index 0 of every factor.

    ``near``, ``far``: first and last pixel between which an interval is that of an interior
    element.  ``least``: pixels along the narrowest path from the image.  ``squeezed``: every
    position along this axis was reduced to one.  ``cropped``: positions were left out on the way,
    and not only those that a stride had no room for.  ``first``, ``last``: pixels before and after
    which no position sees any, however far its interval reaches into padding.  ``wrapped``: some
    positions hold what is elsewhere in the image continued (rolled, reflected).

    ``whole``: sees what all positions of a map saw together, from the first of these pixels to
    the second.  ``lo`` and ``hi`` no longer matter then, and the lines tell positions apart
    without moving anything.
    """

    lo: int = 0
    hi: int = 0
    near: int = 0
    far: int = 0
    least: int = 1
    rank: Rank = Rank.EXACT
    squeezed: bool = False
    cropped: bool = False
    wrapped: bool = False
    first: int = 0
    last: int = 0
    whole: tuple[int, int] | None = None


Hulls = tuple[Hull, Hull]
"""Of height and width."""


class Term(NamedTuple):
    """One affine interval: a factor list per dimension, a hull per image axis."""

    dims: tuple[Dim, ...]
    hulls: Hulls


class Reach(NamedTuple):
    """The union of ``terms``, in an image of ``image`` = (height, width) pixels.

    ``gated``: a squeeze gate or the statistics of a norm over space were left out.
    """

    terms: tuple[Term, ...]
    image: tuple[int, int]
    gated: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(size(dim) for dim in self.terms[0].dims)

    def each(self, change: Callable[[Term], Term]) -> Reach:
        """The same change made to every term."""
        terms = self.terms
        if len(terms) == 1:
            return Reach((change(terms[0]),), self.image, self.gated)
        from striate.tracing.fields.unions import alike

        return Reach(alike([change(term) for term in terms]), self.image, self.gated)


@lru_cache(maxsize=4096)
def plain(n: int) -> Dim:
    """A dimension of ``n`` that has nothing to do with the image's axes."""
    return (Factor(n),)


def size(dim: Dim) -> int:
    """Indices in a dimension."""
    if len(dim) == 1:
        return dim[0].size
    product = 1
    for factor in dim:
        product *= factor.size
    return product


def of_image(shape: Iterable[int]) -> Reach:
    """The image itself, (…, H, W): every element sees its own pixel."""
    *outer, height, width = shape
    dims = (*map(plain, outer), (Factor(height, (1, 0), 1),), (Factor(width, (0, 1), 2),))
    hulls = (Hull(far=height - 1, last=height - 1), Hull(far=width - 1, last=width - 1))
    return Reach((Term(dims, hulls),), (height, width))


def tightened(term: Term, axis: int) -> Hull:
    """A term's hull with ``first`` and ``last`` no wider than what all its positions see."""
    hull = term.hulls[axis]
    lo, hi = hull.lo, hull.hi
    for dim in term.dims:
        for factor in dim:
            far_lo, far_hi = extremes(factor.lines[axis], factor.size)
            lo, hi = lo + far_lo, hi + far_hi
    first, last = seen_of(hull, lo, hi)
    return hull._replace(first=first, last=last)


def seen_of(hull: Hull, lo: int, hi: int) -> tuple[int, int]:
    """What of the image lies between the ends of all positions together."""
    if hull.wrapped:
        return hull.first, hull.last
    return max(lo, hull.first), min(hi, hull.last)


def axis_moves(dims: Iterable[Dim], axis: int) -> bool:
    """Whether positions along this axis are told apart (channels that differ do not count)."""
    return any(factor.axes and factor.lines[axis] != 0 for dim in dims for factor in dim)


def shifted(hulls: Hulls, lo: tuple[int, int], hi: tuple[int, int]) -> Hulls:
    """Hulls with ``lo`` and ``hi`` added to their ends."""
    if lo == (0, 0) == hi:
        return hulls
    first, second = hulls
    return (
        first._replace(lo=first.lo + lo[0], hi=first.hi + hi[0]),
        second._replace(lo=second.lo + lo[1], hi=second.hi + hi[1]),
    )


def uneven(factor: Factor) -> bool:
    """Whether neighbours along a factor are not evenly apart."""
    return isinstance(factor.lines[0], Table) or isinstance(factor.lines[1], Table)


def still(dim: Dim) -> bool:
    """Whether a dimension moves nothing."""
    return not any(factor.moves for factor in dim)


def replaced(term: Term, d: int, dim: Dim, hulls: Hulls | None = None) -> Term:
    """A term with another dimension ``d``, and other hulls where they are given."""
    dims = (*term.dims[:d], dim, *term.dims[d + 1 :])
    return Term(dims, term.hulls if hulls is None else hulls)


def ranked(hulls: Hulls, rank: Rank) -> Hulls:
    """Hulls believed no more than ``rank``."""
    if not rank:
        return hulls
    first, second = hulls
    return first._replace(rank=max(rank, first.rank)), second._replace(rank=max(rank, second.rank))


def worsened(reach: Reach, rank: Rank) -> Reach:
    """The same intervals, believed no more than ``rank``."""
    return reach.each(lambda term: Term(term.dims, ranked(term.hulls, rank)))
