"""The ways of looking, in the order they are worked out; loads no torch and no charts.

A way is two halves that share its name: ``compute`` here (from the room ``seeing``), and its
drawing in ``striate.reporting.ways``.  To add one: a function here that imports its half late, one
line in ``WAYS``, one in ``DRAWINGS``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from striate.errors import InputError, choices
from striate.records import Evidence

if TYPE_CHECKING:
    from striate.seeing.subject import Subject, Tick

Compute = Callable[["Subject", "Tick"], Sequence[Evidence]]


@dataclass(frozen=True, kw_only=True)
class Way:
    """``name``: the first word of its pieces' names, too.  ``what`` it shows, in a line.

    ``in_fit``: it is so quick that ``striate fit`` does it too.  ``pair``: it looks at two
    networks, and so only where a second is named.
    """

    name: str
    what: str
    compute: Compute
    in_fit: bool = False
    pair: bool = False


def _errors(subject: Subject, tick: Tick) -> Sequence[Evidence]:
    from striate.seeing.confusions import confusions
    from striate.seeing.errors import errors

    del tick
    return [errors(subject), confusions(subject)]


def _slices(subject: Subject, tick: Tick) -> Sequence[Evidence]:
    from striate.seeing.slices import slices

    return slices(subject, tick)


def _typical(subject: Subject, tick: Tick) -> Sequence[Evidence]:
    from striate.seeing.typical import typical

    return typical(subject, tick)


def _labels(subject: Subject, tick: Tick) -> Sequence[Evidence]:
    from striate.seeing.labels import labels

    return labels(subject, tick)


def _filters(subject: Subject, tick: Tick) -> Sequence[Evidence]:
    from striate.seeing.filters import filters

    del tick
    return [filters(subject)]


def _maps(subject: Subject, tick: Tick) -> Sequence[Evidence]:
    from striate.seeing.maps import maps

    del tick
    return maps(subject)


def _decision(subject: Subject, tick: Tick) -> Sequence[Evidence]:
    from striate.seeing.decision import decision

    return decision(subject, tick)


def _fields(subject: Subject, tick: Tick) -> Sequence[Evidence]:
    from striate.seeing.fields import fields

    return fields(subject, tick)


def _mechanics(subject: Subject, tick: Tick) -> Sequence[Evidence]:
    from striate.seeing.convolutions import mechanics

    return mechanics(subject, tick)


def _patches(subject: Subject, tick: Tick) -> Sequence[Evidence]:
    from striate.seeing.patches import patches

    return patches(subject, tick)


def _selectivity(subject: Subject, tick: Tick) -> Sequence[Evidence]:
    from striate.seeing.selectivity import selectivity

    return selectivity(subject, tick)


def _peaks(subject: Subject, tick: Tick) -> Sequence[Evidence]:
    from striate.seeing.peaks import peaks

    return peaks(subject, tick)


def _stream(subject: Subject, tick: Tick) -> Sequence[Evidence]:
    from striate.seeing.lens import lens
    from striate.seeing.lesions import lesioned
    from striate.seeing.lesions_order import reordered
    from striate.seeing.stream import strip

    return _one_after_another((strip, lens, lesioned, reordered), subject, tick)


def _ledger(subject: Subject, tick: Tick) -> Sequence[Evidence]:
    from striate.seeing.ledger import ledger

    return ledger(subject, tick)


def _paths(subject: Subject, tick: Tick) -> Sequence[Evidence]:
    from striate.seeing.paths import paths

    return paths(subject, tick)


def _depth(subject: Subject, tick: Tick) -> Sequence[Evidence]:
    from striate.seeing.cka import alike
    from striate.seeing.probes import probed
    from striate.seeing.saturation import saturated
    from striate.seeing.stream_shattering import shattered

    return _one_after_another((probed, saturated, alike, shattered), subject, tick)


def _tail(subject: Subject, tick: Tick) -> Sequence[Evidence]:
    from striate.seeing.lens import lens
    from striate.seeing.lesions import lesioned
    from striate.seeing.probes import probed
    from striate.seeing.tail import tail

    return [tail(subject, *_one_after_another((probed, lens, lesioned), subject, tick))]


def _landscape(subject: Subject, tick: Tick) -> Sequence[Evidence]:
    from striate.seeing.landscape import landscape

    return [landscape(subject, tick)]


def _beside(subject: Subject, tick: Tick) -> Sequence[Evidence]:
    """What is measured along the depth of two networks, ``beside.<part>.<0 or 1>``."""
    from striate.seeing.cka import between
    from striate.seeing.fields import fields
    from striate.seeing.lens import lens
    from striate.seeing.lesions import lesioned
    from striate.seeing.probes import probed
    from striate.seeing.stream import strip
    from striate.seeing.stream_shattering import shattered

    if subject.beside is None:
        raise InputError("--only beside: compares two runs; add --twin, or --against RUN")

    def measured(one: Subject, told: Tick) -> Evidence:
        return fields(one, told)[0]

    looks = (strip, lens, lesioned, probed, shattered, measured)
    found: list[Evidence] = []
    for number, one in enumerate((subject, subject.beside)):
        for place, look in enumerate(looks):
            tick(number * len(looks) + place, 2 * len(looks) + 1)
            piece = _once(look, one)
            part = piece.name.rpartition(".")[2]
            found.append(replace(piece, name=f"beside.{part}.{number}"))
    return [*found, between(subject)]


def _one_after_another(
    looks: Sequence[Callable[[Subject, Tick], Evidence]], subject: Subject, tick: Tick
) -> Sequence[Evidence]:
    """Several pieces of one way, each a step of its progress."""
    found: list[Evidence] = []
    for done, look in enumerate(looks):
        tick(done, len(looks))
        found.append(_once(look, subject))
    return found


def _once(look: Callable[[Subject, Tick], Evidence], subject: Subject) -> Evidence:
    """What a look finds, measured once however many ways take it."""
    name = f"{look.__module__}.{look.__qualname__}"
    if name not in subject.seen:
        subject.seen[name] = look(subject, _untold)
    return subject.seen[name]


def _untold(done: int, total: int) -> None:
    """Progress of a step that is one alone."""
    del done, total


WAYS: tuple[Way, ...] = (
    Way(name="errors", what="its mistakes and confusions", compute=_errors, in_fit=True),
    Way(name="slices", what="accuracy by brightness, contrast, detail", compute=_slices),
    Way(name="typical", what="most and least typical images", compute=_typical),
    Way(name="labels", what="labels that may be wrong", compute=_labels),
    Way(name="filters", what="the first layer's filters", compute=_filters, in_fit=True),
    Way(name="maps", what="one image through the stages", compute=_maps, in_fit=True),
    Way(name="mechanics", what="a convolution, position by position", compute=_mechanics),
    Way(name="decision", what="what in an image speaks for its class", compute=_decision),
    Way(name="fields", what="how far each layer really looks", compute=_fields),
    Way(name="patches", what="what each channel answers to most", compute=_patches),
    Way(
        name="selectivity",
        what="edges early, classes late",
        compute=_selectivity,
    ),
    Way(name="peaks", what="what would make each class likeliest, and what does", compute=_peaks),
    Way(name="stream", what="the residual stream, block by block", compute=_stream),
    Way(name="ledger", what="which block wrote how much of a logit", compute=_ledger),
    Way(name="paths", what="the gradient by path length", compute=_paths),
    Way(name="depth", what="what each layer adds: probes, saturation, likeness", compute=_depth),
    Way(name="tail", what="which last blocks could go, and what that saves", compute=_tail),
    Way(name="landscape", what="the loss around the weights it found", compute=_landscape),
    Way(
        name="beside",
        what="its twin, or another run, side by side",
        compute=_beside,
        pair=True,
    ),
)


def named_ways(names: Sequence[str] = ()) -> tuple[Way, ...]:
    """The ways of these names, in the order of ``WAYS``; for none all that look at one network.

    InputError for a name that is none, with the names there are.
    """
    known = [way.name for way in WAYS]
    for name in names:
        if name not in known:
            raise InputError(f"--only {name} is no way of looking: {choices(name, known)}")
    return tuple(way for way in WAYS if (way.name in names if names else not way.pair))
