"""What each block is: the keys a stage of it takes, and the windows it slides over the map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

BlockName = Literal[
    "conv",
    "basic",
    "bottleneck",
    "inverted",
    "fused",
    "convnext",
    "densenet",
    "transformer",
    "dense",
]

_WINDOW = ("kernel", "padding", "dilation", "pool")
_BRANCH = ("expansion", "skip")


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of block.

    ``keys``: those of a stage, beyond depth and width, that mean something to it.  ``skip``: how a
    block's input returns: added to its output (``add``), added where the shapes agree and left out
    elsewhere (``same``), or never.  ``expansion``: its default, a multiple of ``of``.
    ``windows``: spatial windows in one block.  ``on``: what it works on.
    """

    keys: tuple[str, ...] = ()
    skip: Literal["add", "same"] | None = None
    expansion: float = 1.0
    of: Literal["width", "input"] = "width"
    windows: int = 1
    on: Literal["map", "tokens", "features"] = "map"


KINDS: dict[BlockName, Kind] = {
    "conv": Kind(keys=(*_WINDOW, "pool_first", "stride", "groups", "squeeze")),
    "basic": Kind(
        keys=(*_WINDOW, *_BRANCH, "stride", "groups", "squeeze", "shortcut"), skip="add", windows=2
    ),
    "bottleneck": Kind(
        keys=(*_WINDOW, *_BRANCH, "stride", "groups", "squeeze", "shortcut"),
        skip="add",
        expansion=0.25,
    ),
    "inverted": Kind(
        keys=(*_WINDOW, *_BRANCH, "stride", "squeeze"), skip="same", expansion=6.0, of="input"
    ),
    "fused": Kind(
        keys=(*_WINDOW, *_BRANCH, "stride", "squeeze"), skip="same", expansion=4.0, of="input"
    ),
    "convnext": Kind(keys=(*_WINDOW, *_BRANCH, "stride", "layer_scale"), skip="add", expansion=4.0),
    "densenet": Kind(keys=(*_WINDOW, "expansion", "transition"), expansion=4.0),
    "transformer": Kind(
        keys=(*_BRANCH, "heads", "layer_scale"), skip="add", expansion=4.0, windows=0, on="tokens"
    ),
    "dense": Kind(windows=0, on="features"),
}

RESIDUAL_BLOCKS: tuple[BlockName, ...] = tuple(
    name for name, kind in KINDS.items() if kind.skip is not None
)
