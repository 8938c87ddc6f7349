"""The tail: which last blocks could go, and what that would save?

The rule: a linear classifier on what the last kept block hands on is already within one standard
error of the best that is to be had anywhere in the network (Alain and Bengio 2016; Richter et al.
2021, "Should you go deeper?", section 4, who call the layers behind unproductive).  All blocks
behind may go.  What the network says if it stops there, and what each of these blocks is missed
by alone, stand beside it; they are of the network as it was trained, and so are no part of the
rule, which is about a network that is trained without them.

Comes in: a Subject, and the Evidence of probes, lens and lesions.  Goes out: Evidence
``tail.verdict``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from striate.arch import Arch, shortened
from striate.building import Network, build
from striate.errors import ArchError
from striate.records import Evidence, Trace
from striate.seeing.subject import Subject
from striate.tracing import trace

TITLE = "Which last blocks could go"
NO_BLOCKS = (
    "This network is none of striate's own and has no skips, so it cannot be told where one block "
    "ends and the next begins."
)
NO_TRACE = "No trace of this network is at hand, so what its blocks cost is not known."


@dataclass(frozen=True, kw_only=True)
class Saving:
    """What a network without some blocks has less: parameters, MACs; ``macs_share`` of all."""

    params: int
    macs: int
    params_share: float
    macs_share: float


def tail(subject: Subject, probes: Evidence, lens: Evidence, lesions: Evidence) -> Evidence:
    """The verdict.  ``probe`` (blocks,), ``stopped`` and ``without`` where they are known.

    Facts: ``names`` of all blocks, ``drop`` (how many of the last could go), ``saved``, ``best``,
    ``limit`` (the best less one standard error), ``whole``.
    """
    for piece in (probes,):
        if piece.inapplicable is not None:
            return Evidence(name="tail.verdict", title=TITLE, inapplicable=piece.inapplicable)
    names = _blocks(subject, lens)
    if not names:
        return Evidence(name="tail.verdict", title=TITLE, inapplicable=NO_BLOCKS)
    if subject.trace is None:
        return Evidence(name="tail.verdict", title=TITLE, inapplicable=NO_TRACE)
    points = [str(name) for name in probes.facts["names"]]
    accuracy = np.asarray(probes.arrays["accuracy"], np.float64)
    probe = np.array([_at(name, points, accuracy) for name in names])
    best = float(accuracy.max())
    images = int(probes.facts["images"])
    limit = best - _error(best, images)
    enough = np.flatnonzero(probe >= limit)
    drop = len(names) - 1 - int(enough[0]) if len(enough) else 0
    arrays = {"probe": probe}
    for key, piece, column in (("stopped", lens, "accuracy"), ("without", lesions, "settled")):
        known = _column(piece, column, names)
        if known is not None:
            arrays[key] = known
    saved, arch = _saved(subject.module, subject.trace, names, drop)
    return Evidence(
        name="tail.verdict",
        title=TITLE,
        arrays=arrays,
        facts={
            "names": list(names),
            "drop": drop if saved is not None else 0,
            "saved": None if saved is None else vars(saved),
            "arch": None if arch is None else arch.name,
            "own": isinstance(subject.module, Network),
            "best": best,
            "limit": limit,
            "whole": float(probes.facts["whole"]),
            "images": images,
            "trained_on": int(probes.facts["trained_on"]),
            "split": str(probes.facts["split"]),
        },
        checks=probes.checks,
    )


def _error(rate: float, images: int) -> float:
    """The binomial standard error of a rate, by the rule of succession: that of 100 % is not 0."""
    likely = (rate * images + 1) / (images + 2)
    return math.sqrt(likely * (1 - likely) / images)


def _blocks(subject: Subject, lens: Evidence) -> tuple[str, ...]:
    """Every block's path, in order: the Arch's, or those that write to the stream."""
    if isinstance(subject.module, Network):
        return tuple(
            f"stages.{number}.blocks.{block}"
            for number, stage in enumerate(subject.module.arch.stages)
            for block in range(stage.depth)
        )
    if lens.inapplicable is not None:
        return ()
    return tuple(str(name) for name in lens.facts["names"][1:])


def _within(name: str, block: str) -> bool:
    return name == block or name.startswith((f"{block}.", f"{block} "))


def _at(block: str, points: Sequence[str], accuracy: np.ndarray[Any, Any]) -> float:
    """The probe behind a block: at its last point; NaN where it has none."""
    own = [place for place, name in enumerate(points) if _within(name, block)]
    return float(accuracy[own[-1]]) if own else math.nan


def _column(piece: Evidence, key: str, names: Sequence[str]) -> np.ndarray[Any, Any] | None:
    """A piece's numbers, block by block, where it has them."""
    if piece.inapplicable is not None or piece.withheld or key not in piece.arrays:
        return None
    told = [str(name) for name in piece.facts["names"]]
    values = np.asarray(piece.arrays[key], np.float64)
    found = np.array([_at(name, told, values) for name in names])
    return None if np.isnan(found).all() else found


def _saved(
    module: object, whole: Trace, names: Sequence[str], drop: int
) -> tuple[Saving | None, Arch | None]:
    """What goes with the last ``drop`` blocks; exact for an Arch, whose head then is smaller, too.

    For other modules it is what the blocks' own layers cost.
    """
    totals = whole.totals
    if drop == 0:
        return None, None
    if isinstance(module, Network):
        try:
            arch = shortened(module.arch, drop)
        except ArchError:  # what is left is no network: its head needs a map of another size
            return None, None
        left = trace(lambda: build(arch, device="meta"), arch.image, name=arch.name).totals
        params, macs = totals.params - left.params, totals.macs - left.macs
    else:
        arch = None
        gone = [row for row in whole if any(_within(row.path, name) for name in names[-drop:])]
        params = sum(row.params for row in gone)
        macs = sum(row.macs or 0 for row in gone)
    share = Saving(
        params=params,
        macs=macs,
        params_share=params / max(1, totals.params),
        macs_share=macs / max(1, totals.macs),
    )
    return share, arch
