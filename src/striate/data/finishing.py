"""The last step of opening: from stores and counts to a ``Dataset``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from striate.data.dataset import Dataset, SourceSizes
from striate.data.options import Fit, Indices
from striate.data.sources.listing import Decoded, Drawn, Listing, PartName
from striate.data.split import Split, Store, Truth
from striate.data.splitting import Selection
from striate.data.statistics import mean_and_deviation
from striate.data.strings import Strings


@dataclass(frozen=True, kw_only=True, eq=False)
class Opened:
    """All that is known of a data set; the fields are those of ``Dataset``.

    ``sizes`` (N, 2): height and width in which the images came, over all splits.
    """

    listing: Listing
    selections: Mapping[PartName, Selection]
    stores: Mapping[PartName, Store]
    image: tuple[int, int, int]
    scale: float
    counts: NDArray[np.int64]
    sizes: NDArray[np.int64]
    fit: Fit
    decoder: str
    cached: bool
    notes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Placed:
    """The truth of one split's samples, by their place in the split."""

    drawn: Drawn
    rows: Indices

    def truth(self, indices: Indices) -> Truth:
        return self.drawn.truth(self.rows[indices])


def finish(opened: Opened) -> Dataset:
    """Mean, deviation and fill colour from the training split's counts, and the three splits."""
    mean, std = mean_and_deviation(opened.counts, opened.scale)
    constant = [
        f"Channel {number} is constant over the training split; its deviation is taken as 1."
        for number, deviation in enumerate(std)
        if not deviation
    ]
    fill = tuple(round(m * opened.scale) for m in mean)
    return Dataset(
        name=opened.listing.name,
        classes=opened.listing.classes,
        image=opened.image,
        train=_split(opened, "train", fill),
        val=_split(opened, "val", fill),
        test=_split(opened, "test", fill),
        mean=tuple(mean),
        std=tuple(deviation or 1.0 for deviation in std),
        scale=opened.scale,
        fit=opened.fit,
        decoder=opened.decoder,
        notes=(*opened.listing.notes, *opened.notes, *constant),
        sizes=_came(opened.sizes),
        counts=opened.counts,
        cached=opened.cached,
    )


def _split(opened: Opened, name: PartName, fill: tuple[int, ...]) -> Split:
    chosen = opened.selections[name]
    part = opened.listing.parts[chosen.part]
    drawn = part.content.drawn if isinstance(part.content, Decoded) else None
    return Split(
        name=name,
        ids=chosen.ids,
        labels=part.labels[chosen.rows],
        store=opened.stores[name],
        names=Strings.of(part.paths[row] for row in chosen.rows.tolist()),
        image=opened.image,
        fill=fill,
        truths=_Placed(drawn=drawn, rows=chosen.rows) if drawn else None,
        scale=opened.scale,
    )


def _came(sizes: NDArray[np.int64]) -> SourceSizes:
    def pair(values: NDArray[np.floating] | NDArray[np.int64]) -> tuple[int, int]:
        return int(values[0]), int(values[1])

    return SourceSizes(
        least=pair(sizes.min(axis=0)),
        median=pair(np.median(sizes, axis=0)),
        greatest=pair(sizes.max(axis=0)),
    )
