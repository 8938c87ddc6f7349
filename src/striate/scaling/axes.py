"""What a sweep varies: ``depth=8,14,20``, ``width=x0.5,x1``, ``image=24,32``, any key of an Arch.

``depth``, ``width`` and ``image`` change the whole network; every other axis is a key of the
architecture's file: one of the network (``norm``), of a part (``head.dropout``, ``stages.1.width``)
or of every stage that has it (``kernel``, ``squeeze``, ``skip``).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from striate.arch import (
    NETWORK_KEYS,
    Arch,
    adapt,
    from_dict,
    is_key,
    key_problem,
    known_keys,
    plain_twin,
    scaled,
    to_dict,
)
from striate.errors import InputError, choices
from striate.scaling.depths import at_depth, times_deeper

WHOLE = ("depth", "width", "image")
"""Axes of the whole network.  They are set last, in this order."""

_MOST = 64
Value = bool | int | float | str | tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Times:
    """A factor, written ``x0.5``."""

    by: float

    def __str__(self) -> str:
        return f"x{self.by:g}"


@dataclass(frozen=True, kw_only=True)
class Axis:
    """One axis: its name, its values in the order given, and the base it is of (None: all)."""

    name: str
    values: tuple[Value | Times, ...]
    base: str | None = None


def shown(value: Value | Times) -> str:
    """A value as it is written on the command line.

    >>> shown((24, 32)), shown(True), shown(Times(by=0.5))
    ('24x32', 'true', 'x0.5')
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return str(value[0]) if value[0] == value[1] else f"{value[0]}x{value[1]}"
    return f"{value:g}" if isinstance(value, float) else str(value)


def plain(value: Value | Times) -> bool | int | float | str:
    """A value as JSON has it: sides as 24 or ``24x32``, factors as ``x0.5``."""
    if isinstance(value, tuple) and value[0] == value[1]:
        return value[0]
    return value if isinstance(value, (bool, int, float, str)) else shown(value)


def parse_axis(text: str) -> Axis:
    """Read ``NAME=VALUE,…`` or ``BASE:NAME=VALUE,…``; ``8:20:6`` is 8, 14, 20.

    InputError for an axis or a value that cannot be.

    >>> parse_axis("depth=8:20:6").values, parse_axis("vit:width=x0.5,x2").base
    ((8, 14, 20), 'vit')
    """
    written, equals, listed = (part.strip() for part in text.partition("="))
    base, _, name = written.rpartition(":")
    if not equals or not listed or not name:
        raise InputError(f"--axis {text}: write NAME=VALUE,VALUE, such as depth=8,14,20")
    known_axis(name)
    values: list[Value | Times] = []
    for part in listed.split(","):
        values.extend(_values(name, part.strip(), text))
    if len(values) > _MOST:
        raise InputError(f"--axis {text}: {len(values)} values; {_MOST} of one axis are the most")
    twice = {shown(value) for value in values if values.count(value) > 1}
    if twice:
        raise InputError(f"--axis {text}: {min(twice)} is given twice; leave one out")
    return Axis(name=name, values=tuple(values), base=base or None)


def known_axis(name: str) -> None:
    """InputError for a name that is no axis."""
    if name in WHOLE or is_key(name):
        return
    if name == "resolution":
        raise InputError("--axis resolution: the axis is called image, such as image=24,32")
    raise InputError(f"--axis {name}: no such axis; {choices(name, (*WHOLE, *known_keys()))}")


def _values(name: str, text: str, said: str) -> Iterable[Value | Times]:
    spread = re.fullmatch(r"(\d+):(\d+)(?::(\d+))?", text)
    if spread is not None:
        first, last, step = int(spread[1]), int(spread[2]), int(spread[3] or 1)
        if step < 1 or first > last:
            raise InputError(f"--axis {said}: {text} counts nothing; write FIRST:LAST:STEP")
        numbers = range(first, last + 1, step)
        if len(numbers) > _MOST:
            raise InputError(f"--axis {said}: {len(numbers)} values; {_MOST} of one axis are most")
        return [_one(name, str(number), said) for number in numbers]
    return [_one(name, text, said)]


def _one(name: str, text: str, said: str) -> Value | Times:
    if name == "image":
        sides = re.fullmatch(r"(\d+)(?:[x×](\d+))?", text)
        if sides is None or not 0 < int(sides[1]) <= 65536 or not 0 < int(sides[2] or 1) <= 65536:
            raise InputError(f"--axis {said}: {text or repr(text)} is no size; write 24 or 24x32")
        return int(sides[1]), int(sides[2] or sides[1])
    times = re.fullmatch(r"[x×](\d+(?:\.\d+)?)", text)
    if times is not None and name in ("depth", "width"):
        if not 0 < float(times[1]) <= 64:
            raise InputError(f"--axis {said}: {text} is no factor; write x0.5 or x2")
        return Times(by=float(times[1]))
    if name in ("depth", "width"):
        if not re.fullmatch(r"\d+", text) or not 0 < int(text) <= 65536:
            raise InputError(
                f"--axis {said}: {text or repr(text)} is no {name}; write a whole number, or a "
                "factor such as x0.5"
            )
        return int(text)
    value = _literal(text, said)
    problem = key_problem(name, value)
    if problem is not None:
        raise InputError(f"--axis {said}: {name} = {text} {problem}")
    return value


def _literal(text: str, said: str) -> bool | float | str:
    if text in ("true", "false"):
        return text == "true"
    for kind in (int, float):
        try:
            number = kind(text)
        except ValueError:
            continue
        if math.isfinite(number):
            return number
    if not re.fullmatch(r"[A-Za-z_]\w*", text):
        raise InputError(f"--axis {said}: {text or repr(text)} is no value; separate with commas")
    return text


def placed(
    arch: Arch, point: Sequence[tuple[str, Value | Times]], *, name: str, divisor: int
) -> Arch:
    """``arch`` at ``point``, one value of each axis.

    ``divisor``: what widths are rounded to a multiple of where a factor is given; a width in
    channels is taken as it is.  InputError where ``arch`` has no such axis, or cannot have such a
    depth or width; ArchError where the values are possible and the network is not.
    """
    order = {key: index for index, key in enumerate(WHOLE, 1)}
    for key, value in sorted(point, key=lambda pair: order.get(pair[0], 0)):
        if key == "depth":
            arch = (
                times_deeper(arch, value.by, name=name)
                if isinstance(value, Times)
                else at_depth(arch, _whole(value), name=name)
            )
        elif key == "width":
            arch = _wide(arch, value, name, divisor)
        elif key == "image":
            assert isinstance(value, tuple)
            arch = adapt(arch, image=value, name=name)
        else:
            assert not isinstance(value, (Times, tuple))
            arch = _keyed(arch, key, value, name)
    return arch


def _whole(value: Value | Times) -> int:
    assert isinstance(value, int)
    return value


def _wide(arch: Arch, value: Value | Times, name: str, divisor: int) -> Arch:
    """Every width in proportion; a number is the width of the first stage."""
    if isinstance(value, Times):
        return scaled(arch, name=name, width=value.by, divisor=divisor)
    first, wanted = arch.stages[0].width, _whole(value)
    made = scaled(arch, name=name, width=wanted / first, divisor=1)
    found = made.stages[0].width
    if found != wanted:
        near = sorted({found, *(_nearest(arch, name, wanted, step) for step in (-1, 1))} - {wanted})
        raise InputError(
            f"width {wanted}: the first stage of {arch.name} (of {first} channels) cannot have "
            f"{wanted}, because of its heads or groups; the nearest are "
            f"{' and '.join(map(str, near))}"
        )
    return made


def _nearest(arch: Arch, name: str, wanted: int, step: int) -> int:
    """The first width beyond ``wanted`` on one side that the network can have."""
    first = arch.stages[0].width
    for width in range(wanted + step, max(0, wanted + step * 4096), step):
        if scaled(arch, name=name, width=width / first, divisor=1).stages[0].width == width:
            return width
    return first


def _keyed(arch: Arch, key: str, value: bool | float | str, name: str) -> Arch:
    data = to_dict(arch)
    data["name"] = name
    part, _, inner = key.partition(".")
    if key in NETWORK_KEYS:
        data[key] = value
    elif part == "stages":
        number, inner = key.split(".")[1:]
        if int(number) >= len(arch.stages):
            raise InputError(
                f"--axis {key}: {arch.name} has {len(arch.stages)} stages, counted from 0"
            )
        data["stages"][int(number)][inner] = value
    elif inner:
        if part == "stem" and arch.stem is None:
            raise InputError(f"--axis {key}: {arch.name} has no stem")
        data.setdefault(part, {})[inner] = value
    elif key == "skip":
        return _skips(arch, value, name)
    else:
        rows: list[dict[str, Any]] = [
            row
            for row, stage in zip(data["stages"], arch.stages, strict=True)
            if key in stage.kind.keys
        ]
        if not rows:
            blocks = ", ".join(dict.fromkeys(stage.block for stage in arch.stages))
            raise InputError(
                f"--axis {key}: {arch.name} has no such axis, its blocks ({blocks}) have no {key}"
            )
        for row in rows:
            row[key] = value
    return from_dict(data, where=name)


def _skips(arch: Arch, value: object, name: str) -> Arch:
    """The plain twin (He et al. 2015), or the residual network of the same convolutions."""
    if not any(stage.kind.skip for stage in arch.stages):
        raise InputError(f"--axis skip: {arch.name} has no blocks that could have a skip")
    if not isinstance(value, bool):
        raise InputError(f"--axis skip={value}: write skip=true,false")
    if not value:
        twin = plain_twin(arch, name=name)
        return twin.model_copy(update={"name": name})
    data = to_dict(arch)
    data["name"] = name
    for row in data["stages"]:
        row.pop("skip", None)
    return from_dict(data, where=name)
