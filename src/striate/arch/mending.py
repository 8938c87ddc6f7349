"""Literal changes of a network's modules, as a change of its architecture.

A module of a built network has no keys of its own: a stage's ``kernel`` is that of all its blocks,
``bias`` is that of every convolution.  A change is made only where the architecture can say it and
nothing else: the modules of the new network are called with what was asked for, and the others
with what they were called with before.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from striate.arch.agreement import channels
from striate.arch.literals import Literal, Place, literals
from striate.arch.spec import Arch, Stage, Stem
from striate.arch.text import from_dict, to_dict
from striate.errors import ArchError
from striate.records import Edit

_KEYS = {
    "kernel_size": "kernel", "stride": "stride", "padding": "padding", "dilation": "dilation",
    "groups": "groups", "out_channels": "width", "out_features": "width",
}  # fmt: skip
_BLOCK = re.compile(r"stages\.(\d+)\.blocks\.(\d+)\.(conv\d?|linear)")
_IN_BLOCK = re.compile(r"stages\.(\d+)\.blocks\.(\d+)(?:\.(.+))?")
_CARRIES = re.compile(r"|conv\d?|linear")
"""What a block cannot do without: itself, a convolution, its dense layer."""
_POOL = re.compile(r"(?:stages\.(\d+)(?:\.blocks\.0)?|stem)\.pool")

Key = tuple[str | int, ...]
"""Where in an architecture's plain data: ``("stages", 2, "stride")``."""


def mended(arch: Arch, edits: Sequence[Edit]) -> Arch:
    """``arch`` with ``edits``, all of them and no more.

    What follows from them comes with them: channels that the next module takes, the stride of the
    shortcut beside a block, the default padding of another kernel, the rest of a block that loses
    a convolution.  ArchError names an edit that an architecture cannot say.
    """
    wanted: dict[Place, Literal] = {}
    keys: dict[Key, Any] = {}
    for edit in edits:
        if edit.argument is None:
            continue
        value = _number(edit)
        if wanted.setdefault((edit.path, edit.argument), value) != value:
            raise ArchError(f"{edit.path} {edit.argument}: is asked to be two things")
        key = _key(arch, edit.path, edit.argument)
        if key is not None and keys.setdefault(key, value) != value:
            raise ArchError(
                f"{edit.path} {edit.argument}: {value} and {keys[key]} are asked of one key"
            )
    taken = [edit.path for edit in edits if edit.argument is None]
    after = _changed(_without(arch, taken), keys)
    _has_no_more(arch, after, wanted)
    return after


def _number(edit: Edit) -> Literal:
    value = edit.value
    if isinstance(value, tuple) and len(set(value)) == 1:
        value = value[0]
    if isinstance(value, int):
        return value
    raise ArchError(f"{edit.path} {edit.argument}: an architecture has no key for {edit.value}")


def _key(arch: Arch, path: str, argument: str) -> Key | None:
    """The key that says it; None for what follows from other keys."""
    if argument in ("in_channels", "in_features") or path.endswith(".shortcut.conv"):
        if argument == "bias":
            return ("bias",)
        return None
    if argument == "bias" and path == "stem.conv" and arch.stem_bias != arch.conv_bias:
        return ("stem", "bias")
    if argument == "bias" and path.rpartition(".")[2].startswith("conv"):
        return ("bias",)
    name = _KEYS.get(argument)
    if path == "head.pool" and argument == "output_size" and arch.head.pool != "none":
        return ("head", "size")
    if name is not None and path == "stem.conv" and argument not in ("dilation", "groups"):
        return ("stem", name)
    if name is not None and (found := _POOL.fullmatch(path)) and name != "width":
        return (*(("stages", int(found[1])) if found[1] else ("stem",)), "pool", name)
    if name is not None and (found := _BLOCK.fullmatch(path)):
        return ("stages", int(found[1]), name)
    raise ArchError(f"{path} {argument}: an architecture has no key for it")


def _without(arch: Arch, paths: Sequence[str]) -> Arch:
    """``arch`` without the pools at ``paths``, and without the blocks that hold the others."""
    data = to_dict(arch)
    blocks: dict[int, dict[int, list[str]]] = {}
    for path in paths:
        if (pool := _POOL.fullmatch(path)) is not None:
            part = data["stages"][int(pool[1])] if pool[1] else data["stem"]
            part.pop("pool", None)
            part.pop("pool_first", None)
        elif (block := _IN_BLOCK.fullmatch(path)) is not None:
            inside = blocks.setdefault(int(block[1]), {}).setdefault(int(block[2]), [])
            inside.append(block[3] or "")
        else:
            raise ArchError(f"{path}: an architecture cannot do without it")
    for index, gone in blocks.items():
        if _loses_half_a_block(arch.stages[index], gone):
            gone = _as_rows_of_convolutions(data["stages"][index], gone)
        for number, inside in gone.items():
            if not any(_CARRIES.fullmatch(name) for name in inside):
                path = f"stages.{index}.blocks.{number}.{inside[0]}"
                raise ArchError(f"{path}: an architecture cannot do without it")
        row = data["stages"][index]
        row["depth"] = _depth_without(arch, index, row["depth"], set(gone))
    while data["stages"] and data["stages"][-1]["depth"] == 0:
        data["stages"].pop()
    for index, row in enumerate(data["stages"]):
        if row["depth"] == 0:
            raise ArchError(f"stages.{index}: it would have no block left, and is not the last")
    if not data["stages"]:
        raise ArchError(f"{arch.name}: no stage would be left")
    return from_dict(data, where=arch.name)


def _loses_half_a_block(stage: Stage, gone: Mapping[int, list[str]]) -> bool:
    """Whether one of the two convolutions of a plain block goes, where a row of them says it too.

    Without its skip a ``basic`` block is two ``conv`` blocks.
    """
    if stage.block != "basic" or stage.residual or stage.squeeze or stage.inner != stage.width:
        return False
    return any("" not in names and not {"conv1", "conv2"} <= set(names) for names in gone.values())


def _as_rows_of_convolutions(
    row: dict[str, Any], gone: Mapping[int, list[str]]
) -> dict[int, list[str]]:
    """Say a stage of plain ``basic`` blocks in ``conv`` blocks; what goes, in its terms."""
    for key in ("skip", "shortcut", "expansion"):
        row.pop(key, None)
    row.update({"block": "conv", "depth": 2 * row["depth"]})
    found: dict[int, list[str]] = {}
    for number, names in gone.items():
        for half in (1, 2):
            here = names if "" in names else [n[:-1] for n in names if n.endswith(str(half))]
            if here:
                found[2 * number + half - 1] = here
    return found


def _depth_without(arch: Arch, index: int, depth: int, gone: set[int]) -> int:
    """How many blocks are left.  Those of a stage are alike but for what the first one changes."""
    stage, arriving = arch.stages[index], channels(arch)[index]
    if stage.block == "densenet":
        raise ArchError(f"stages.{index}: each of its blocks adds channels that the rest reads")
    changes = stage.stride > 1 or stage.width != arriving or stage.block == "dense"
    if 0 in gone and changes and len(gone) < depth:
        raise ArchError(f"stages.{index}.blocks.0: it changes the map, and the blocks behind stay")
    return depth - len(gone)


def _changed(arch: Arch, keys: Mapping[Key, Any]) -> Arch:
    data = to_dict(arch)
    for key, value in keys.items():
        part: Any = data
        for step in key[:-1]:
            if isinstance(step, str):
                part = part.setdefault(step, {})
            elif step < len(part):
                part = part[step]
            else:
                raise ArchError(f"{'.'.join(map(str, key))}: its stage is to be taken away too")
        part[key[-1]] = value
    after = from_dict(data, where=arch.name)
    for key in keys:
        if key[-1] == "padding" and "pool" not in key and _is_default_padding(arch, after, key):
            part = data["stem"] if key[0] == "stem" else data["stages"][key[1]]
            del part["padding"]
    return from_dict(data, where=arch.name)


def _is_default_padding(before: Arch, after: Arch, key: Key) -> bool:
    """Whether the padding at ``key``, of which ``before`` says nothing, need not be written."""
    parts: list[Stem | Stage | None] = [
        arch.stem if key[0] == "stem" else arch.stages[int(key[1])] for arch in (before, after)
    ]
    old, new = parts
    if old is None or new is None or old.padding is not None:
        return False
    return new.model_copy(update={"padding": None}).pad == new.pad


def _has_no_more(before: Arch, after: Arch, wanted: Mapping[Place, Literal]) -> None:
    """ArchError where the network did not change as ``wanted``, or changed elsewhere too."""
    old, new = literals(before), literals(after)
    for (path, argument), value in wanted.items():
        if new.get((path, argument)) != value:
            raise ArchError(f"{path} {argument}: no key of the architecture makes it {value}")
    for (path, argument), value in new.items():
        place = (path, argument)
        if old.get(place, value) == value or place in wanted or _follows(path, argument, wanted):
            continue
        raise ArchError(
            f"{path} {argument}: would become {value} with the rest, since one key says it for all"
        )


def _follows(path: str, argument: str, wanted: Mapping[Place, Literal]) -> bool:
    """Whether a change at this place comes with those that were asked for."""
    if argument in ("in_channels", "in_features"):
        return True
    if argument == "stride" and path.endswith(".shortcut.conv"):
        block = path.removesuffix(".shortcut.conv")
        return any((f"{block}.{conv}", "stride") in wanted for conv in ("conv1", "conv2"))
    if argument == "padding":
        return any((path, other) in wanted for other in ("kernel_size", "dilation"))
    return False
