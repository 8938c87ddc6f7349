"""A Trace cut into the few blocks a person would draw.

Comes in: a Trace.  Goes out: ``Block`` records, in the order the image passes them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import groupby

from striate.records import Field, Layer, Trace

MOST = 12


@dataclass(frozen=True, kw_only=True)
class Block:
    """Consecutive layers of one part of the network.

    ``path``: the module it is, or the last of them where several are drawn as one.  ``shape``:
    (C, H, W) of its last feature map, or (units,) where it leaves none.  ``field``: of that map,
    None where there is no map.  ``whole``: each value sees the whole image.
    """

    name: str
    path: str
    shape: tuple[int, ...]
    field: Field | None
    whole: bool
    params: int
    macs: int
    operations: int


def blocks(trace: Trace) -> list[Block]:
    """One block for each stage (or child module), the image itself left out; at most ``MOST``.

    Where there would be more, neighbours whose maps have the same size become one.
    """
    layers = [layer for layer in trace if layer.op != "input"]
    names = _names(layers)
    parts = [
        (name, [layer for _, layer in pairs])
        for name, pairs in groupby(zip(names, layers, strict=True), key=lambda pair: pair[0])
    ]
    if len(parts) > MOST:
        parts = _merged(parts)
    return [_block(name, members) for name, members in parts]


def _names(layers: list[Layer]) -> list[str]:
    """For each layer the part it belongs to: its first module, or its place in a numbered one."""
    splits = [layer.path.split(".") for layer in layers]
    numbered = {
        path[0] for path in splits if len(path) > 1 and path[1].isdigit() and path[1] != "0"
    }
    names: list[str] = []
    for path in splits:
        inner = path[0] in numbered and len(path) > 1 and path[1].isdigit()
        name = f"{path[0]}.{path[1]}" if inner else path[0]
        # What the top module does itself (a flatten, an activation) belongs to the part before it.
        names.append(name or (names[-1] if names else "start"))
    return names


def _merged(parts: list[tuple[str, list[Layer]]]) -> list[tuple[str, list[Layer]]]:
    merged: list[tuple[str, list[Layer]]] = []
    for _, group in groupby(parts, key=lambda part: _shape(part[1])[1:]):
        run = list(group)
        first, last = run[0][0], run[-1][0]
        members = [layer for _, members in run for layer in members]
        merged.append((first if first == last else f"{first} – {last}", members))
    if len(merged) > MOST:
        middle = [layer for _, members in merged[MOST - 2 : -1] for layer in members]
        named = f"{merged[MOST - 2][0]} … {merged[-2][0]}"
        merged = [*merged[: MOST - 2], (named, middle), merged[-1]]
    return merged


def _shape(members: list[Layer]) -> tuple[int, ...]:
    maps = [layer for layer in members if len(layer.shape) == 4 and max(layer.shape[2:]) > 1]
    return (maps[-1] if maps else members[-1]).shape[1:]


def _block(name: str, members: list[Layer]) -> Block:
    shape = _shape(members)
    ends = members[-1].shape[1:]
    # A part that ends in a vector (a head) is drawn as that vector, whatever came inside it.
    if len(ends) == 1:
        shape = ends
    seen = [layer for layer in members if layer.shape[1:] == shape and layer.field is not None]
    field = seen[-1].field if seen else None
    stage = re.fullmatch(r"stages\.(\d+)", name)
    return Block(
        name=f"stage {int(stage[1]) + 1}" if stage else name,
        path=re.split(" – | … ", name)[-1],
        shape=shape,
        field=field if len(shape) == 3 else None,
        whole=field is None or field.status == "whole",
        params=sum(layer.params for layer in members),
        macs=sum(layer.macs or 0 for layer in members),
        operations=len(members),
    )
