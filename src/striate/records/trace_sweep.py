"""One network at many image sizes: which it takes, what they cost, which of them suit it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from striate.records.layer import Failure

RULE = (
    "every stride fits exactly (it leaves no row or column of its map unread, and of one pixel "
    "more it would, or its map would grow), and the final map is at least 2×2"
)
"""What makes a size friendly."""


@dataclass(frozen=True, kw_only=True)
class Unread:
    """A window whose stride stops short of the far edge of its map.

    ``map``: (height, width) of what it reads.  ``rows`` and ``columns`` at the far edge are read
    by no position of the window; what a kernel narrower than its stride skips between positions is
    not counted.
    """

    path: str
    op: str
    map: tuple[int, int]
    rows: int
    columns: int


@dataclass(frozen=True, kw_only=True)
class AtSize:
    """The network at one square image size, in pixels.

    ``final``: (height, width) of the last map, before global pooling; None where there is none.
    ``fits``: every stride fits its map exactly.  ``collapsed``: the module that leaves a 1×1 map
    to later windows, which then read one pixel and padding.  Where ``failure`` says why the
    network cannot take the size, everything else is empty.
    """

    size: int
    failure: Failure | None = None
    final: tuple[int, int] | None = None
    params: int = 0
    macs: int = 0
    activations: int = 0
    infer_bytes: int = 0
    train_bytes: int = 0
    unread: tuple[Unread, ...] = ()
    fits: bool = False
    collapsed: str | None = None

    @property
    def valid(self) -> bool:
        """Whether the network takes images of this size."""
        return self.failure is None

    @property
    def friendly(self) -> bool:
        """Whether the size suits the network, by ``RULE``."""
        return self.valid and self.fits and (self.final is None or min(self.final) >= 2)


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """A network at many sizes, the smallest first.

    ``exhaustive``: every size from the first to the last was tried.
    """

    target: str
    channels: int
    sizes: tuple[AtSize, ...]
    exhaustive: bool

    def __iter__(self) -> Iterator[AtSize]:
        return iter(self.sizes)

    def __len__(self) -> int:
        return len(self.sizes)

    @property
    def smallest(self) -> int | None:
        """The smallest size that was tried and is valid."""
        return next((found.size for found in self.sizes if found.valid), None)

    @property
    def friendliest(self) -> tuple[int, ...]:
        """The sizes that suit the network, by ``RULE``."""
        return tuple(found.size for found in self.sizes if found.friendly)

    def as_json(self) -> dict[str, Any]:
        """The ``sweep`` document."""
        return {
            "striate": 1,
            "target": self.target,
            "sweep": {
                "channels": self.channels,
                "exhaustive": self.exhaustive,
                "smallest": self.smallest,
                "friendliest": list(self.friendliest),
                "rule": RULE,
                "sizes": [_size_json(found) for found in self.sizes],
            },
        }


def _size_json(found: AtSize) -> dict[str, Any]:
    failure = found.failure
    if failure is not None:
        return {
            "size": found.size,
            "valid": False,
            "failure": {
                "path": failure.path,
                "op": failure.op,
                "shapes": [list(shape) for shape in failure.shapes],
                "message": failure.message,
                "source": failure.source,
                "hint": failure.hint,
            },
        }
    return {
        "size": found.size,
        "valid": True,
        "final": None if found.final is None else list(found.final),
        "params": found.params,
        "macs": found.macs,
        "activations": found.activations,
        "infer_bytes": found.infer_bytes,
        "train_bytes": found.train_bytes,
        "fits": found.fits,
        "friendly": found.friendly,
        "collapsed": found.collapsed,
        "unread": [
            {
                "path": part.path,
                "op": part.op,
                "map": list(part.map),
                "rows": part.rows,
                "columns": part.columns,
            }
            for part in found.unread
        ],
    }
