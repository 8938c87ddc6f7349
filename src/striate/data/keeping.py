"""One place for decoded pixels: RAM, a mapped file, or none."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from striate.data.encoded import Flat, InRam
from striate.data.options import Pixels
from striate.data.pixel_files import PixelFile, PixelWriter, Recipe, open_pixels

_BEYOND = "decoded at every look, as they exceed the cache"


class Keeper:
    """Takes pixels in their order and keeps them in its place.

    ``found``: the file that holds them already; nothing need be put then.  ``kept``: what was
    found or put, once it is finished; None where nothing is kept.  ``said``: where they are.
    """

    def __init__(self, *, values: int, dtype: np.dtype[np.uint8 | np.uint16]) -> None:
        self.bytes = values * dtype.itemsize
        self.said = _BEYOND
        self.kept: Flat | None = None
        self.found: PixelFile | None = None
        self._dtype = dtype
        self._held: Pixels | None = None
        self._writer: PixelWriter | None = None
        self._at = 0

    @property
    def in_ram(self) -> bool:
        return self._held is not None

    @property
    def ram_bytes(self) -> int:
        """What it takes of the RAM that there is for pixels."""
        return self.bytes if self._held is not None else 0

    @property
    def disk_bytes(self) -> int:
        """What it will take of the disk."""
        return self.bytes if self._writer is not None else 0

    def hold(self) -> None:
        """Keep in RAM."""
        self._held = np.empty(self.bytes // self._dtype.itemsize, dtype=self._dtype)
        self.said = "held in RAM"

    def take(self, found: PixelFile) -> None:
        """Keep what was found."""
        self.found = self.kept = found
        self._say(found)

    def write(self, recipe: Recipe, counts: tuple[int, ...]) -> None:
        """Keep in a file, if it can be begun."""
        values = self.bytes // self._dtype.itemsize
        try:
            self._writer = PixelWriter(recipe, values=values, dtype=self._dtype, counts=counts)
        except OSError as error:
            self._fail(error)

    def room(self, values: int) -> Pixels:
        """Where the next ``values`` are to be written before ``put``."""
        if self._held is None:
            return np.empty(values, dtype=self._dtype)
        return self._held[self._at : self._at + values]

    def put(self, pixels: Pixels) -> None:
        """What ``room`` gave, filled."""
        self._at += pixels.size
        if self._writer is not None:
            try:
                self._writer.write(pixels)
            except OSError as error:
                self._fail(error)

    def finish(self, counts: NDArray[np.int64]) -> None:
        """All pixels are put."""
        if self._held is not None:
            self.kept = InRam(flat=self._held)
        if self._writer is not None:
            try:
                found = self._writer.finish(counts)
            except (OSError, ValueError) as error:
                self._fail(error)
            else:
                self.kept = found
                self._say(found)

    def drop(self) -> None:
        """Leave no part of a file behind."""
        if self._writer is not None:
            self._writer.drop()
            self._writer = None

    def _say(self, found: PixelFile) -> None:
        self.said = f"mapped from {found.path}, which every process shares"

    def _fail(self, error: Exception) -> None:
        why = error.strerror if isinstance(error, OSError) else str(error)
        self.said = f"decoded at every look, as the cache on disk cannot be written ({why})"
        self.drop()


def choose_keeper(
    recipe: Recipe,
    *,
    values: int,
    dtype: np.dtype[np.uint8 | np.uint16],
    counts: tuple[int, ...],
    ram: int,
    disk: int,
) -> Keeper:
    """RAM where ``ram`` bytes are enough, else the recipe's file, new where ``disk`` bytes are."""
    keeper = Keeper(values=values, dtype=dtype)
    if keeper.bytes <= ram:
        keeper.hold()
    elif disk and (found := open_pixels(recipe)) is not None:
        keeper.take(found)
    elif keeper.bytes <= disk:
        keeper.write(recipe, counts)
    return keeper
