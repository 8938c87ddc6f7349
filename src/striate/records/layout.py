"""Which axes of a map are its height and width.

Comes in: a trace's layers.  Goes out: one answer a layer.
"""

from __future__ import annotations

from collections.abc import Sequence

from striate.records.layer import Layer


def sides(layers: Sequence[Layer]) -> list[tuple[int, int] | None]:
    """(height, width) of each layer's output; None where it is no map (not of four axes).

    The image, convolutions and pools put channels first; each permutation of a map since then
    turns it over, and what else is done to it leaves it as it is.
    """
    last: list[bool] = []
    found: list[tuple[int, int] | None] = []
    for layer in layers:
        before = layers[layer.inputs[0]] if layer.inputs else None
        turned = before is not None and last[before.index]
        if layer.op.startswith("conv") or "pool" in layer.op or before is None:
            turned = False
        elif layer.op in ("permute", "transpose") and len(before.shape) == len(layer.shape) == 4:
            turned = not turned
        last.append(turned)
        if len(layer.shape) != 4:
            found.append(None)
        else:
            _, first, second, third = layer.shape
            found.append((first, second) if turned else (second, third))
    return found
