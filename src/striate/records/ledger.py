"""Who wrote how much of a logit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class LedgerPart:
    """Something that was put into the stream.

    ``kind``: ``image`` (what the network was given), ``block`` (what a branch added), ``bias``
    (a constant added on the way), ``frozen`` (the outcome of an operation that nothing is carried
    through).  ``path``: the module; ``name``: for people, unique.
    """

    name: str
    path: str
    kind: str


@dataclass(frozen=True, kw_only=True)
class Ledger:
    """``written`` (parts, classes): what each part came to, in each of these ``classes``' logits.

    ``logits`` (classes,): the network's own, in float64, of one image.  ``notes``: what a reader
    must know, one sentence each.
    """

    parts: tuple[LedgerPart, ...]
    classes: tuple[int, ...]
    written: NDArray[np.float64]
    logits: NDArray[np.float64]
    notes: tuple[str, ...] = ()

    @property
    def error(self) -> float:
        """The greatest |sum of the parts − logit|, relative to the greatest |logit|."""
        missed = float(np.abs(self.written.sum(axis=0) - self.logits).max())
        most = float(np.abs(self.logits).max())
        return missed / most if most > 0 else missed

    def by_kind(self) -> dict[str, NDArray[np.float64]]:
        """The sum of each kind's parts, (classes,); the four together are the logits."""
        kinds = np.array([part.kind for part in self.parts])
        return {
            kind: self.written[kinds == kind].sum(axis=0)
            for kind in ("image", "block", "bias", "frozen")
        }

    def by_module(self) -> dict[str, NDArray[np.float64]]:
        """The sum of what was put in at each path, (classes,), in order."""
        found: dict[str, NDArray[np.float64]] = {}
        for part, row in zip(self.parts, self.written, strict=True):
            found[part.path] = found.get(part.path, np.zeros_like(row)) + row
        return found
