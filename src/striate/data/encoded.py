"""Stores of encoded images: decoded at every look, or once and kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from striate.data.fitting import fit_image
from striate.data.form import MEND, Form
from striate.data.images.bad import BadImage
from striate.data.options import Indices, Pixels
from striate.data.parallel import in_parallel
from striate.data.sources.listing import Encoded
from striate.errors import ImageError


@dataclass(frozen=True, kw_only=True, eq=False)
class EncodedStore:
    """Decodes at every look.  Sample i of the split is row ``rows[i]`` of ``content``."""

    content: Encoded
    rows: Indices
    form: Form

    def pixels(self, indices: Indices) -> Pixels:
        out = np.empty((len(indices), *self.form.image), dtype=self.form.dtype)
        for i, row in enumerate(self.rows[indices].tolist()):
            out[i] = self._one(self.form.apply, row)
        return out

    def originals(self, indices: Indices) -> list[Pixels]:
        return [self._one(self.form.original, row) for row in self.rows[indices].tolist()]

    def _one(self, bring: Callable[[bytes], Pixels], row: int) -> Pixels:
        try:
            return bring(self.content.read(row))
        except BadImage as bad:
            raise ImageError(f"{self.content.place(row)} {bad}; {MEND}") from bad


class Flat(Protocol):
    """Pixels one behind the other, in RAM or mapped."""

    @property
    def flat(self) -> Pixels: ...


@dataclass(frozen=True, kw_only=True, eq=False)
class InRam:
    """``flat``: one dimension."""

    flat: Pixels


@dataclass(frozen=True, kw_only=True, eq=False)
class FittedPart:
    """``count`` images of the data set's size, ``image`` (C, H, W), from image ``first`` on."""

    kept: Flat
    first: int
    count: int
    image: tuple[int, int, int]

    @property
    def array(self) -> Pixels:
        """(N, C, H, W), a view."""
        values = int(np.prod(self.image))
        part = self.kept.flat[self.first * values : (self.first + self.count) * values]
        return part.reshape(self.count, *self.image)


@dataclass(frozen=True, kw_only=True, eq=False)
class Originals:
    """Decoded images at the sizes they came in: image i is (C, *``sizes[i]``), from ``starts[i]``
    on.
    """

    kept: Flat
    starts: Indices
    sizes: NDArray[np.int64]
    channels: int

    def image(self, index: int) -> Pixels:
        """(C, h, w), a new array."""
        height, width = self.sizes[index].tolist()
        start = int(self.starts[index])
        part = self.kept.flat[start : start + self.channels * height * width]
        return part.reshape(self.channels, height, width).copy()


@dataclass(frozen=True, kw_only=True, eq=False)
class KeptStore:
    """What was decoded once; what was not kept is decoded again.

    ``uniform``: all images came in the data set's size, so that they are their own originals.
    """

    fitted: FittedPart | None
    originals_kept: Originals | None
    uniform: bool
    behind: EncodedStore

    def pixels(self, indices: Indices) -> Pixels:
        if self.fitted is not None:
            return self.fitted.array[indices]
        if self.originals_kept is None:
            return self.behind.pixels(indices)
        form = self.behind.form
        out = np.empty((len(indices), *form.image), dtype=form.dtype)
        for i, index in enumerate(indices.tolist()):
            out[i] = fit_image(self.originals_kept.image(index), form.image[1:], form.fit)
        return out

    def originals(self, indices: Indices) -> list[Pixels]:
        if self.originals_kept is not None:
            return [self.originals_kept.image(i) for i in indices.tolist()]
        if self.uniform and self.fitted is not None:
            return list(self.fitted.array[indices])
        return self.behind.originals(indices)


def decode_rows(
    content: Encoded,
    rows: Indices,
    form: Form,
    take: Callable[[int, Pixels], None],
    done: Callable[[int], None],
) -> dict[int, str]:
    """Decode ``rows``; ``take(i, original)`` is called for the i-th of them, by several threads.

    Returns the reasons of those that could not be decoded, by row.
    """

    def one(i: int) -> str | None:
        try:
            take(i, form.original(content.read(int(rows[i]))))
        except BadImage as bad:
            return str(bad)
        return None

    reasons = in_parallel(one, range(len(rows)), done)
    return {int(row): why for row, why in zip(rows, reasons, strict=True) if why is not None}
