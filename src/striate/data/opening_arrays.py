"""Opening data that came as arrays: digits, shapes, npz."""

from __future__ import annotations

import numpy as np

from striate.data.dataset import Dataset
from striate.data.finishing import Opened, finish
from striate.data.fitting import fit_image, to_channels
from striate.data.identity import array_digest
from striate.data.images.decode import choose_decoder
from striate.data.options import DataOptions, Indices, Pixels, Words
from striate.data.sources.listing import Decoded, Listing, PartName
from striate.data.split import HeldPixels
from striate.data.splitting import split_up
from striate.data.statistics import count_values
from striate.errors import DataError


def open_arrays(listing: Listing, options: DataOptions) -> Dataset:
    """The data set of a listing whose parts are all ``Decoded``."""
    contents: dict[PartName, Decoded] = {}
    kept: dict[PartName, Indices] = {}
    digests: dict[PartName, Words] = {}
    for name, part in listing.parts.items():
        assert isinstance(part.content, Decoded)
        contents[name] = part.content
        kept[name] = np.arange(len(part.labels))
        digests[name] = array_digests(listing, name, part.content)
    selections, notes = split_up(listing, kept, digests, options)
    train = contents["train"].pixels
    height, width = options.side or train.shape[2:]
    image = (options.channels or int(train.shape[1]), int(height), int(width))
    _check_channels(listing, train.shape[1], image[0])
    stores: dict[PartName, HeldPixels] = {
        name: HeldPixels(array=fitted(contents[chosen.part].pixels, chosen.rows, image, options))
        for name, chosen in selections.items()
    }
    if image != train.shape[1:]:
        before, after = ("x".join(map(str, size)) for size in (train.shape[1:], image))
        notes = (*notes, f"All images are brought from {before} to {after} by {options.fit}.")
    return finish(
        Opened(
            listing=listing,
            selections=selections,
            stores=stores,
            image=image,
            scale=contents["train"].scale,
            counts=count_values(stores["train"].array),
            sizes=np.array([content.pixels.shape[2:] for content in contents.values()]),
            fit=options.fit,
            decoder=choose_decoder(options.decoder),
            cached=True,
            notes=notes,
        )
    )


def _check_channels(listing: Listing, came: int, asked: int) -> None:
    if came != asked and came not in (1, 3):
        raise DataError(
            f"{listing.name} has {came} channels, which cannot become {asked}; "
            "leave the channels out of the image size"
        )


def array_digests(listing: Listing, name: PartName, content: Decoded) -> Words:
    """The samples' digests (N,), from their pixels where the source gives none."""
    if content.words is not None:
        return content.words
    labels: list[int] = listing.parts[name].labels.tolist()
    words = [
        array_digest(pixels, listing.classes[label])
        for pixels, label in zip(content.pixels, labels, strict=True)
    ]
    return np.array(words, dtype=np.uint64)


def fitted(
    pixels: Pixels, rows: Indices, image: tuple[int, int, int], options: DataOptions
) -> Pixels:
    """``rows`` of ``pixels`` (N, c, h, w) as ``image`` (C, H, W)."""
    if pixels.shape[1:] == image:
        return pixels[rows]
    out = np.empty((len(rows), *image), dtype=pixels.dtype)
    for i, row in enumerate(rows.tolist()):
        out[i] = to_channels(fit_image(pixels[row], image[1:], options.fit), image[0])
    return out
