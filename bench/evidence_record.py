"""The record of ``bench/evidence.py``: a row for each pair of networks and method."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from record import Cell, Claim, Column, Hardware, Record

DEFAULT = "hirescam"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One method on one network.

    ``shown``: maps that pass all their checks.  ``pointing``: share of the maps whose greatest
    value lies in the object's box, withheld ones too; ``on_mask``: on the object's own pixels; None
    where there is no map.  ``failed``: by check, how many maps fail it.
    """

    method: str
    maps: int
    shown: int
    pointing: float | None
    on_mask: float | None
    failed: dict[str, int]


@dataclass(frozen=True, kw_only=True)
class Network:
    """``middle``: share of the images whose middle is covered by the object.

    ``on_object``, ``of_class``: what the favourite patches of selective channels show.
    """

    fitted: float
    rows: tuple[Row, ...]
    middle: float
    on_object: float | None
    of_class: float | None


def record(
    found: Sequence[tuple[int, Network, Network]],
    *,
    images: int,
    trained_on: int,
    command: str,
    commit: str,
    changed: bool,
    date: str,
    hardware: Hardware,
    versions: dict[str, str],
) -> Record:
    """From (seed, the honest network, the one that learned by heart)."""
    rows: list[dict[str, Cell]] = []
    for seed, honest, heart in found:
        for own, other in zip(honest.rows, heart.rows, strict=True):
            default = own.method == DEFAULT
            points = own.pointing
            rows.append(
                {
                    "seed": seed,
                    "method": own.method,
                    "maps": own.maps,
                    "shown": own.shown,
                    "heart_maps": other.maps,
                    "heart_shown": other.shown,
                    "pointing": points,
                    "on_mask": own.on_mask,
                    "middle": honest.middle,
                    "default": points if default else None,
                    "lead": points - honest.middle if default and points is not None else None,
                    "on_object": honest.on_object if default else None,
                    "of_class": honest.of_class if default else None,
                    "fitted": heart.fitted if default else None,
                }
            )
    return Record(
        title="Maps of evidence: what is shown and what is withheld",
        what=(
            f"{len(found)} pairs of small residual networks on `shapes:24x48`, one trained on the "
            f"labels of {trained_on:,} pictures and one on the same labels shuffled, until it had "
            f"fitted them. {images} held-out pictures of each are explained by every method of "
            "`striate see`; the checks are told no label and no accuracy. Pointing: share of the "
            "honest network's maps whose greatest value lies in the planted object's box, withheld "
            "ones too (its own pixels leave out the hole of a ring); the middle: share of the "
            "pictures whose middle does, where a centred Gaussian points. Patches: the favourites "
            "of the selective channels that `striate see --only patches` shows; at the first "
            "layer, how many meet the object; at the last, how many are of a picture that was "
            "drawn as the class the channel is said to answer to."
        ),
        command=command,
        commit=commit,
        changed=changed,
        date=date,
        hardware=hardware,
        versions=versions,
        seeds=tuple(seed for seed, _, _ in found),
        columns=(
            Column(key="seed", title="seed", shown="d"),
            Column(key="method", title="method"),
            Column(key="maps", title="maps of the honest", shown="d"),
            Column(key="shown", title="of them shown", shown="d"),
            Column(key="heart_maps", title="maps of the one by heart", shown="d"),
            Column(key="heart_shown", title="of them shown", shown="d"),
            Column(key="pointing", title="pointing", shown=".3f"),
            Column(key="on_mask", title="on its own pixels", shown=".3f"),
            Column(key="middle", title="the middle", shown=".3f"),
            Column(key="default", title="pointing of the default", shown=".3f"),
            Column(key="lead", title="above the middle", shown=".3f"),
            Column(key="on_object", title="patches that meet the object", shown=".3f"),
            Column(key="of_class", title="patches of the class", shown=".3f"),
            Column(key="fitted", title="shuffled labels fitted", shown=".3f"),
        ),
        rows=tuple(rows),
        claims=(
            Claim(
                text="of the honest networks' maps, a share of at least 0.9 is shown",
                column="shown", by="share", per="maps", at_least=0.9,
            ),
            Claim(
                text="of the maps of those that learned by heart, at most 0.05 is shown",
                column="heart_shown", by="share", per="heart_maps", at_most=0.05,
            ),
            Claim(
                text="the default method points at the object in at least 0.9 of the pictures",
                column="default", at_least=0.9,
            ),
            Claim(
                text="for every seed it points better than a centred Gaussian, by at least 0.1",
                column="lead", by="smallest", at_least=0.1,
            ),
            Claim(
                text="favourite patches of selective channels show the object",
                column="on_object", at_least=0.9,
            ),
            Claim(
                text="and, at the last layer, the class the channel is said to answer to",
                column="of_class", at_least=0.9,
            ),
            Claim(
                text="every network that learned by heart has fitted its shuffled labels",
                column="fitted", by="smallest", at_least=0.99,
            ),
        ),
    )  # fmt: skip
