"""Stores of encoded images: decoded at every look, or once and held."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

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


@dataclass(frozen=True, kw_only=True, eq=False)
class CachedStore:
    """Holds the fitted pixels (N, C, H, W); originals are decoded again."""

    array: Pixels
    behind: EncodedStore

    def pixels(self, indices: Indices) -> Pixels:
        return self.array[indices]

    def originals(self, indices: Indices) -> list[Pixels]:
        return self.behind.originals(indices)


def decode_rows(
    content: Encoded,
    rows: Indices,
    form: Form,
    out: Pixels,
    done: Callable[[int], None],
) -> dict[int, str]:
    """Decode ``rows`` into ``out`` (n, C, H, W); the reasons of those that could not be, by row."""

    def one(i: int) -> str | None:
        try:
            out[i] = form.apply(content.read(int(rows[i])))
        except BadImage as bad:
            return str(bad)
        return None

    reasons = in_parallel(one, range(len(rows)), done)
    return {int(row): why for row, why in zip(rows, reasons, strict=True) if why is not None}
