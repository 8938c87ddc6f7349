"""What strides do at the far edge of a map: which pixels no window reads, which sizes fit.

Along one axis of n elements, a window of kernel k, stride s, dilation d and padding p stands at
floor((n + 2p − d(k−1) − 1) / s) + 1 places.  What the division leaves over, the remainder, is read
by no window: first padding, then the map's own elements.

Comes in: traces.  Goes out: plain numbers and ``Unread`` records.  Runs nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from striate.records import Layer, Trace
from striate.records.layout import sides
from striate.records.trace_sweep import Unread

Shape = tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Window:
    """A sliding window along one axis."""

    kernel: int
    stride: int
    before: int
    after: int
    dilation: int
    ceil: bool = False

    @property
    def reach(self) -> int:
        """Elements from the first that it reads to the last."""
        return self.dilation * (self.kernel - 1) + 1

    def places(self, length: int) -> int:
        """Where it stands on ``length`` elements; below 1 where it does not fit."""
        room = length + self.before + self.after - self.reach
        if not self.ceil:
            return room // self.stride + 1
        count = -(-room // self.stride) + 1
        # A last window that would begin in the padding behind the map is left out.
        return count - 1 if (count - 1) * self.stride >= length + self.before else count

    def unread(self, length: int) -> int:
        """Elements at the far edge that it never reads, though it could.

        A kernel narrower than its stride skips elements between any two places; as many at the
        edge are no loss beyond that.
        """
        last = (self.places(length) - 1) * self.stride - self.before + self.reach - 1
        skipped = max(0, self.stride - self.reach)
        return max(0, length - 1 - last - skipped)

    def fits(self, length: int) -> bool:
        """Whether it reads all of ``length``, and one element more would be lost or add a place."""
        if self.places(length) < 1 or self.unread(length):
            return False
        return self.places(length + 1) > self.places(length) or self.unread(length + 1) > 0


def windows(layer: Layer) -> tuple[Window, Window] | None:
    """Its windows along height and width; None where it is no sliding window over a map.

    Adaptive pools (whose bins always cover the map) and transposed convolutions are none.
    """
    attrs = layer.attrs
    kernel = attrs.get("kernel")
    sliding = layer.op.startswith(("conv", "max_pool", "avg_pool")) and not attrs.get("transposed")
    if not sliding or kernel is None or len(kernel) != 2 or len(layer.shape) != 4:
        return None
    before = attrs["padding"]
    after = attrs.get("padding_after", before)
    tall, wide = (
        Window(
            kernel=kernel[axis],
            stride=attrs["stride"][axis],
            before=before[axis],
            after=after[axis],
            dilation=attrs["dilation"][axis],
            ceil=bool(attrs.get("ceil_mode")),
        )
        for axis in (0, 1)
    )
    return tall, wide


def read(trace: Trace) -> Iterator[tuple[Layer, tuple[Window, Window], tuple[int, int]]]:
    """Each sliding window of a trace, with the (height, width) of the map it reads."""
    for layer in trace:
        found = windows(layer)
        if found is not None and layer.inputs:
            height, width = trace.layers[layer.inputs[0]].shape[-2:]
            yield layer, found, (height, width)


def unread(trace: Trace) -> tuple[Unread, ...]:
    """The windows that leave rows or columns of their map unread."""
    found: list[Unread] = []
    for layer, (tall, wide), (height, width) in read(trace):
        rows, columns = tall.unread(height), wide.unread(width)
        if rows or columns:
            found.append(
                Unread(
                    path=layer.path, op=layer.op, map=(height, width), rows=rows, columns=columns
                )
            )
    return tuple(found)


def fits(trace: Trace) -> bool:
    """Whether every stride above 1 fits the map it reads exactly."""
    return all(
        window.fits(length)
        for _, pair, lengths in read(trace)
        for window, length in zip(pair, lengths, strict=True)
        if window.stride > 1
    )


def fitting(trace: Trace, sizes: Sequence[int]) -> list[int]:
    """The sizes of square images at which every stride would fit, by arithmetic on one trace.

    Lengths are followed from window to window through whatever leaves them as they are; where
    something else changes a length (a resize, a computed padding), what comes behind is not
    looked at.
    """
    return [size for size in sizes if _would_fit(trace, size, 0) and _would_fit(trace, size, 1)]


def _would_fit(trace: Trace, size: int, axis: int) -> bool:
    lengths: list[int | None] = []
    for layer in trace:
        known = lengths[layer.inputs[0]] if layer.inputs else None
        pair = windows(layer)
        if layer.op == "input":
            known = size
        elif pair is not None and known is not None:
            if pair[axis].stride > 1 and not pair[axis].fits(known):
                return False
            known = pair[axis].places(known)
        elif known is not None and not _keeps(trace.layers[layer.inputs[0]], layer, axis):
            known = None
        lengths.append(known)
    return True


def _keeps(before: Layer, after: Layer, axis: int) -> bool:
    """Whether the length along an axis went through an operation unchanged."""
    return (
        len(before.shape) == len(after.shape) == 4
        and before.shape[2 + axis] == after.shape[2 + axis]
        and not after.op.startswith("adaptive")
    )


def final_map(trace: Trace) -> tuple[int, int] | None:
    """(height, width) of the last map: what global pooling, or the end, is given.

    Maps inside squeeze gates are none of the network's own.
    """
    for layer, found in zip(reversed(trace.layers), reversed(sides(trace.layers)), strict=True):
        seen = layer.field
        if found is None or layer.gate or seen is None or "adaptive" in layer.op:
            continue
        if seen.status in ("exact", "bound") or not _pools_all(layer, found):
            return found
    return None


def _pools_all(layer: Layer, made: tuple[int, int]) -> bool:
    """Whether one element is left that sees everything, by a mean or an average pool.

    A convolution or a max pool that has shrunk to that is still a map of the network.
    """
    sliding = windows(layer) is not None and not layer.op.startswith("avg")
    return made == (1, 1) and not sliding


def collapsed(trace: Trace) -> str | None:
    """The module that leaves a single pixel to later windows wider than that; None if none does."""
    made: str | None = None
    for layer, (tall, wide), given in read(trace):
        if layer.gate:
            continue
        if made is not None and max(tall.reach, wide.reach) > 1 and given == (1, 1):
            return made
        if layer.shape[2:] == (1, 1) and given != (1, 1) and made is None:
            made = layer.path
    return None
