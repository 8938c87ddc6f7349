"""One split: its samples in the order of their ids, and where their pixels come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from striate.data.options import Indices, Pixels, Words
from striate.data.shards.order import Chunked
from striate.data.strings import Strings
from striate.errors import DataError


class Store(Protocol):
    """Where pixels come from.  Pure: the same indices give the same pixels, in any process."""

    def pixels(self, indices: Indices) -> Pixels:
        """(n, C, H, W) at the data set's size; a new array that the caller may change."""
        ...

    def originals(self, indices: Indices) -> list[Pixels]:
        """Each image (C, h, w) at the size it came in, upright, in the data set's channels."""
        ...


@dataclass(frozen=True, kw_only=True)
class Truth:
    """Where the planted objects are, in an image of the data set's size.

    ``boxes`` (n, 4) int64: top, left, bottom, right, in pixels, the last two exclusive.
    ``masks`` (n, H, W) bool: the pixels that the object covers by half or more.
    """

    boxes: NDArray[np.int64]
    masks: NDArray[np.bool_]


class Truths(Protocol):
    """What draws pictures of known content also says where it put them."""

    def truth(self, indices: Indices) -> Truth: ...


@dataclass(frozen=True, kw_only=True, eq=False)
class Split:
    """``ids`` (N,) ascending; ``labels`` (N,) int64, indices into the data set's classes.

    ``image``: (C, H, W).  ``fill``: the training split's mean colour per channel, rounded to
    whole pixel values.  ``scale``: what a pixel is divided by to be in 0…1.
    ``chunked``: which samples lie together, where that decides the order in which they come.
    """

    name: str
    ids: Words
    labels: Indices
    store: Store
    names: Strings
    image: tuple[int, int, int]
    fill: tuple[int, ...]
    truths: Truths | None = None
    scale: float = 255.0
    chunked: Chunked | None = None

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def side(self) -> tuple[int, int]:
        """(H, W) of its pixels."""
        return self.image[1:]

    def pixels(self, indices: Indices) -> Pixels:
        """(n, C, H, W) uint8 or uint16, a new array; ImageError where a file has vanished."""
        return self.store.pixels(indices)

    def originals(self, indices: Indices) -> list[Pixels]:
        """Each image (C, h, w) at the size it came in."""
        return self.store.originals(indices)

    def paths(self, indices: Indices) -> list[str]:
        """Where each sample lies, relative to the data set (``cat/07.jpg``)."""
        return [self.names[i] for i in indices.tolist()]

    def truth(self, indices: Indices) -> Truth:
        """Where the planted objects are; DataError for data whose truth is not known."""
        if self.truths is None:
            raise DataError(
                f"the {self.name} split does not know where its objects are; use the data set "
                "'shapes' for what needs a ground truth"
            )
        return self.truths.truth(indices)


@dataclass(frozen=True, kw_only=True, eq=False)
class HeldPixels:
    """A store of decoded pixels in RAM, (N, C, H, W), all of one size."""

    array: Pixels

    def pixels(self, indices: Indices) -> Pixels:
        return self.array[indices]

    def originals(self, indices: Indices) -> list[Pixels]:
        return [self.array[i] for i in indices.tolist()]
