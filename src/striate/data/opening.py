"""``open_data``: from a DATA to three splits, in five steps.

List the samples, take their digests, divide them into splits, choose one size for all, measure
the training split.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from striate.data.dataset import Dataset, SourceSizes
from striate.data.fitting import fit_image, to_channels
from striate.data.identity import array_digest
from striate.data.options import DataOptions, Indices, Pixels, Words
from striate.data.resolving import list_samples
from striate.data.sources.listing import Decoded, Drawn, Listing, Part, PartName
from striate.data.split import HeldPixels, Split, Truth
from striate.data.splitting import split_up
from striate.data.statistics import histogram, mean_and_deviation
from striate.data.strings import Strings

Progress = Callable[[int, int], None]


def open_data(
    spec: str, options: DataOptions | None = None, *, progress: Progress | None = None
) -> Dataset:
    """The data set that ``spec`` names, ready to train on.

    ``progress`` is called with (images done, images in all) while files are read and decoded.
    Raises DataError (ImageError for one file) with one line that says what, where, and the mend.
    """
    options = options or DataOptions()
    listing = list_samples(spec, options)
    del progress
    return _open_decoded(listing, options)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Placed:
    """The truth of one split's samples, by their place in the split."""

    drawn: Drawn
    rows: Indices

    def truth(self, indices: Indices) -> Truth:
        return self.drawn.truth(self.rows[indices])


def _open_decoded(listing: Listing, options: DataOptions) -> Dataset:
    contents = {name: _decoded(part) for name, part in listing.parts.items()}
    kept = {name: np.arange(len(part.labels)) for name, part in listing.parts.items()}
    digests = {name: _digests(listing, name) for name in listing.parts}
    selections, notes = split_up(listing, kept, digests, options)
    came = contents["train"].pixels.shape[1:]
    image = (options.channels or came[0], *(options.side or came[1:]))
    stores = {
        name: HeldPixels(array=_fitted(contents[chosen.part].pixels, chosen.rows, image, options))
        for name, chosen in selections.items()
    }
    scale = contents["train"].scale
    counts = histogram(stores["train"].pixels, len(selections["train"].rows), image)
    mean, std = mean_and_deviation(counts, scale)
    fill = tuple(round(m * scale) for m in mean)

    def split(name: PartName) -> Split:
        chosen = selections[name]
        part, drawn = listing.parts[chosen.part], contents[chosen.part].drawn
        return Split(
            name=name,
            ids=chosen.ids,
            labels=part.labels[chosen.rows],
            store=stores[name],
            names=Strings.of(part.paths[row] for row in chosen.rows.tolist()),
            image=image,
            fill=fill,
            truths=_Placed(drawn=drawn, rows=chosen.rows) if drawn else None,
        )

    return Dataset(
        name=listing.name,
        classes=listing.classes,
        image=image,
        train=split("train"),
        val=split("val"),
        test=split("test"),
        mean=tuple(mean),
        std=tuple(s or 1.0 for s in std),
        scale=scale,
        fit=options.fit,
        decoder="none",
        notes=(*listing.notes, *notes, *constant_notes(std)),
        sizes=SourceSizes(least=came[1:], median=came[1:], greatest=came[1:]),
        counts=counts,
    )


def _decoded(part: Part) -> Decoded:
    assert isinstance(part.content, Decoded)
    return part.content


def _digests(listing: Listing, name: PartName) -> Words:
    part = listing.parts[name]
    content = _decoded(part)
    if content.words is not None:
        return content.words
    names = [listing.classes[label] for label in part.labels.tolist()]
    return np.array(
        [array_digest(p, n) for p, n in zip(content.pixels, names, strict=True)], dtype=np.uint64
    )


def _fitted(
    pixels: Pixels, rows: Indices, image: tuple[int, int, int], options: DataOptions
) -> Pixels:
    if pixels.shape[1:] == image:
        return pixels[rows]
    out = np.empty((len(rows), *image), dtype=pixels.dtype)
    for i, row in enumerate(rows.tolist()):
        out[i] = to_channels(fit_image(pixels[row], image[1:], options.fit), image[0])
    return out


def constant_notes(std: list[float]) -> list[str]:
    """A note for each channel that is the same everywhere."""
    return [
        f"Channel {number} is constant over the training split; its deviation is taken as 1."
        for number, deviation in enumerate(std)
        if not deviation
    ]
