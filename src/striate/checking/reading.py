"""Which elements of a map anyone ever looks at."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from striate.checking.graph import POINTWISE, Graph, is_map, kernel, map_size, pair
from striate.checking.taps import read, read_by
from striate.checking.windows import has_window, pad_amounts
from striate.records import Layer

Seen = NDArray[np.bool_]


class Reading:
    """What is read of each map by all that take it, as an (H, W) array.

    Looked at behind activations and norms, which leave pixels in their place, through constant
    padding, and through slices with a step.  What is no window over a map reads all of it.
    ``endless``: as if the windows never stopped at the far edge.
    """

    def __init__(self, graph: Graph, *, endless: bool) -> None:
        self._graph, self._endless = graph, endless
        self._known: dict[int, Seen] = {}

    def of(self, layer: Layer) -> Seen:
        """What is read of its output, which must be a map."""
        known = self._known.get(layer.index)
        if known is None:
            users = self._graph.users(layer)
            known = np.full(map_size(layer), fill_value=not users)
            for user in users:
                known |= self._by(user, layer)
            self._known[layer.index] = known
        return known

    def _by(self, user: Layer, layer: Layer) -> Seen:
        if is_map(user) and self._graph.source(user) is layer:
            if has_window(user):
                return self._by_window(user, layer)
            same = map_size(user) == map_size(layer)
            if user.op in POINTWISE and same and len(self._graph.sources(user)) == 1:
                return self.of(user)
            if user.op == "slice" and int(user.attrs.get("step", 1)) > 1:
                return self._by_slice(user, layer)
            if user.op == "pad" and (amounts := pad_amounts(user)) is not None:
                return _inside(self.of(user), amounts[0], map_size(layer))
        return np.ones(map_size(layer), dtype=bool)

    def _by_window(self, user: Layer, layer: Layer) -> Seen:
        rows, columns = (self._along(user, axis, n) for axis, n in enumerate(map_size(layer)))
        return np.logical_and.outer(rows, columns)

    def _along(self, user: Layer, axis: int, length: int) -> Seen:
        window = {
            "kernel": kernel(user)[axis],
            "stride": pair(user, "stride", 1)[axis],
            "padding": pair(user, "padding", 0)[axis],
            "dilation": pair(user, "dilation", 1)[axis],
        }
        if self._endless:
            return read(length, **window)
        return read_by(length, outputs=map_size(user)[axis], **window)

    def _by_slice(self, user: Layer, layer: Layer) -> Seen:
        axis, step = int(user.attrs["dim"]) - 2, int(user.attrs["step"])
        if axis not in (0, 1):
            return np.ones(map_size(layer), dtype=bool)
        seen = np.zeros(map_size(layer), dtype=bool)
        start = int(user.attrs.get("start", 0))
        taken = self.of(user)
        at = list(range(start, start + step * taken.shape[axis], step))
        if axis == 0:
            seen[at] = taken
        else:
            seen[:, at] = taken
        return seen


def _inside(padded: Seen, before: tuple[int, int], size: tuple[int, int]) -> Seen:
    """The part of a padded map that was there before."""
    seen = np.zeros(size, dtype=bool)
    spots = [np.arange(length) + shift for length, shift in zip(size, before, strict=True)]
    kept = [(spot >= 0) & (spot < length) for spot, length in zip(spots, padded.shape, strict=True)]
    seen[np.ix_(kept[0], kept[1])] = padded[np.ix_(spots[0][kept[0]], spots[1][kept[1]])]
    return seen
