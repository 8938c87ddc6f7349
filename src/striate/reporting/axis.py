"""Everything that is measured of a block, on one axis: the depth of the network.

Ways of looking name what they measure by the module it belongs to, at their own grain: a block, a
layer inside one, a whole stage.  Here each number goes to the block it was measured behind.

Comes in: a Trace and Evidence.  Goes out: ``Axis``: blocks, and a ``Measure`` for each number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from striate.records import Evidence, Layer, Trace
from striate.reporting.blocks import blocks
from striate.reporting.wording import number, percent, short

MOST = 64  # more blocks than this are no longer told apart
_MINUS = str.maketrans("-", "−")


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One number of every block, NaN where it was not measured.

    ``title`` names it, ``told`` says in a sentence what it is.  ``say`` writes a value.  ``least``
    and ``most``: the ends of its scale.  ``ghost``: the same of a control, by its name.
    """

    title: str
    told: str
    values: tuple[float, ...]
    say: Callable[[float], str]
    most: float
    least: float = 0.0
    ghost: tuple[str, tuple[float, ...]] | None = None


@dataclass(frozen=True, kw_only=True)
class Axis:
    """``names``: the modules of the blocks, in order of depth."""

    names: tuple[str, ...]
    measures: tuple[Measure, ...]

    def measure(self, title: str) -> Measure | None:
        """The measure of this title, where it was taken."""
        return next((one for one in self.measures if one.title == title), None)


def within(name: str, block: str) -> bool:
    """Whether ``name`` is ``block`` or a module inside it.

    >>> within("stages.1.conv", "stages.1"), within("stages.10", "stages.1")
    (True, False)
    """
    return name == block or name.startswith(f"{block}.")


def axis_of(trace: Trace, evidence: Sequence[Evidence]) -> Axis:
    """The blocks, and every measure there is evidence of; withheld ones are left out."""
    shown = {
        piece.name: piece for piece in evidence if piece.inapplicable is None and not piece.withheld
    }
    names = _names(trace, shown)
    place = _Placed(names)
    taken = [*_of_trace(trace, names), *_of_stream(shown, place), *_of_depth(shown, place)]
    wide = _effective(trace, shown, place)
    measures = [*taken, *([wide] if wide is not None else [])]
    return Axis(
        names=names,
        measures=tuple(one for one in measures if np.isfinite(one.values).any()),
    )


def _names(trace: Trace, shown: Mapping[str, Evidence]) -> tuple[str, ...]:
    """Blocks of the stream and points of the probes, by depth; else the parts of the network."""
    named = [
        tuple(map(str, shown[key].facts["names"]))
        for key in ("stream.strip", "stream.lesions", "depth.probes", "depth.saturation")
        if key in shown
    ]
    first = {layer.path: layer.index for layer in reversed(trace.layers)}

    def begins(name: str) -> int:
        places = [index for path, index in first.items() if within(path, name)]
        return min(places, default=len(first))

    for some in (dict.fromkeys(name for names in named for name in names), *named):
        # A layer inside a block that is there already belongs to the block.
        found = [n for n in some if not any(n != other and within(n, other) for other in some)]
        if 1 < len(found) <= MOST:
            return tuple(sorted(found, key=begins))
    return tuple(part.path for part in blocks(trace))


class _Placed:
    """Puts what was measured behind a module to the block it is in, or that it ends with."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names

    def __call__(self, measured: Sequence[str], values: Sequence[float]) -> tuple[float, ...]:
        found = dict.fromkeys(self.names, float("nan"))
        exact: set[str] = set()
        for name, value in zip(measured, values, strict=True):
            if name in found:
                found[name] = float(value)
                exact.add(name)
                continue
            inside = [block for block in self.names if within(name, block)]
            ended = [block for block in self.names if within(block, name)]
            for block in inside[:1] or ended[-1:]:
                if block not in exact:
                    found[block] = float(value)
        return tuple(found[name] for name in self.names)


def _of_trace(trace: Trace, names: Sequence[str]) -> list[Measure]:
    inside = [[layer for layer in trace if within(layer.path, name)] for name in names]
    macs = tuple(float(sum(layer.macs or 0 for layer in layers)) for layers in inside)
    params = tuple(float(sum(layer.params for layer in layers)) for layers in inside)
    fields = tuple(_field(layers, trace) for layers in inside)
    return [
        _measure("parameters", "Weights the block holds.", params, short),
        _measure("MACs", "Multiply-accumulates it spends on an image.", macs, short),
        _measure(
            "field",
            "Receptive field behind it, as a share of the image's side; larger ones are full.",
            fields,
            _percent,
            most=1.0,
        ),
    ]


def _field(layers: Sequence[Layer], trace: Trace) -> float:
    """The share of the image's side that the last map of a block sees."""
    seen = [one.field for one in layers if one.field is not None and len(one.shape) == 4]
    if not seen or seen[-1].status in ("unknown", "data-dependent"):
        return float("nan")
    if seen[-1].status == "whole":
        return 1.0
    return min(1.0, max(s / side for s, side in zip(seen[-1].size, trace.image[1:], strict=True)))


def _of_stream(shown: Mapping[str, Evidence], place: _Placed) -> list[Measure]:
    found: list[Measure] = []
    if (strip := shown.get("stream.strip")) is not None:
        names, arrays = strip.facts["names"], strip.arrays
        found += [
            _measure(
                "stream",
                "Root mean square of what stands behind it.",
                place(names, arrays["norm"].tolist()),
                number,
            ),
            _measure(
                "share",
                "How much of what stands behind it the block itself is.",
                place(names, arrays["share"].tolist()),
                _percent,
            ),
            _measure(
                "cosine",
                "Whether it adds along the stream (1), across it (0) or takes away (−1).",
                place(names, arrays["cosine"].tolist()),
                lambda value: f"{value:.2f}".translate(_MINUS),
                most=1.0,
                least=-1.0,
            ),
        ]
    if (lens := shown.get("stream.lens")) is not None:
        found.append(
            _measure(
                "lens",
                "Accuracy if all blocks behind it added nothing.",
                place(lens.facts["names"][1:], lens.arrays["accuracy"][1:].tolist()),
                _percent,
                most=1.0,
            )
        )
    if (lesions := shown.get("stream.lesions")) is not None:
        whole = float(lesions.facts["whole"])
        lost = [whole - value for value in lesions.arrays["accuracy"].tolist()]
        found.append(
            _measure(
                "lesion",
                f"Accuracy that is lost where {lesions.facts['unit']}, in points; whole it is "
                f"{percent(whole, 0)}.",
                place(lesions.facts["names"], lost),
                lambda value: f"{100 * value:.0f}".translate(_MINUS),
            )
        )
    return found


def _of_depth(shown: Mapping[str, Evidence], place: _Placed) -> list[Measure]:
    found: list[Measure] = []
    if (probes := shown.get("depth.probes")) is not None:
        names, arrays = probes.facts["names"], probes.arrays
        found.append(
            _measure(
                "probe",
                "Accuracy of a linear classifier on what stands behind it; the line: with random "
                "weights.",
                place(names, arrays["accuracy"].tolist()),
                _percent,
                most=1.0,
                ghost=("random weights", place(names, arrays["before"].tolist())),
            )
        )
    if (used := shown.get("depth.saturation")) is not None:
        found.append(
            _measure(
                "saturation",
                f"Share of its directions that hold {percent(float(used.facts['level']), 0)} of "
                "the variance.",
                place(used.facts["names"], used.arrays["share"].tolist()),
                _percent,
                most=1.0,
            )
        )
    return found


def _effective(trace: Trace, shown: Mapping[str, Evidence], place: _Placed) -> Measure | None:
    """Two deviations to each side of the measured field, as a share of the image's side."""
    if (fields := shown.get("fields")) is None:
        return None
    rows = [*fields.facts["layers"], *fields.facts.get("blocks", ())]
    side = max(trace.image[1:])
    return _measure(
        "effective field",
        "What it looks at in fact: four deviations of the measured field, as a share of the "
        "image's side; the line: before training.",
        place([r["path"] for r in rows], [min(1.0, 4 * r["after"]["width"] / side) for r in rows]),
        _percent,
        most=1.0,
        ghost=(
            "before training",
            place(
                [r["path"] for r in rows], [min(1.0, 4 * r["before"]["width"] / side) for r in rows]
            ),
        ),
    )


def _measure(
    title: str,
    told: str,
    values: tuple[float, ...],
    say: Callable[[float], str],
    *,
    most: float | None = None,
    least: float | None = None,
    ghost: tuple[str, tuple[float, ...]] | None = None,
) -> Measure:
    """Its scale from 0 to the greatest value, and below 0 as far as the values go."""
    finite = [value for value in values if np.isfinite(value)]
    return Measure(
        title=title,
        told=told,
        values=values,
        say=say,
        most=max([0.0, *finite]) if most is None else most,
        least=min([0.0, *finite]) if least is None else least,
        ghost=ghost,
    )


def _percent(value: float) -> str:
    return percent(value, 0).translate(_MINUS)
