"""A data set that is open: three splits, one size, and what is known about its pixels."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from striate.data.normalising import per_channel
from striate.data.options import Fit
from striate.data.split import Split


@dataclass(frozen=True, kw_only=True)
class SourceSizes:
    """Sizes (height, width) in which the images came, over all splits."""

    least: tuple[int, int]
    median: tuple[int, int]
    greatest: tuple[int, int]

    @property
    def uniform(self) -> bool:
        """Whether all images came in one size."""
        return self.least == self.greatest


@dataclass(frozen=True, kw_only=True, eq=False)
class Dataset:
    """What ``open_data`` gives.

    ``classes``: in the order of their numbers, taken from the training split.
    ``image``: (C, H, W) of every image.  ``scale``: what a pixel is divided by to be in 0…1.
    ``mean``, ``std``: what pixels divided by ``scale`` are normalised by, per channel: those of the
    training split (the deviation of a constant channel is given as 1), or as was asked for.
    ``counts``: (C, values) how often each pixel value occurs in the training split.
    ``decoder``: who decodes plain JPEG, here and for what is predicted (``pillow``,
    ``simplejpeg``).
    ``cached``: whether the pixels are held in RAM.
    ``notes``: the rules that were applied, a sentence each, with counts.
    """

    name: str
    classes: tuple[str, ...]
    image: tuple[int, int, int]
    train: Split
    val: Split
    test: Split
    mean: tuple[float, ...]
    std: tuple[float, ...]
    scale: float
    fit: Fit
    decoder: str
    notes: tuple[str, ...]
    sizes: SourceSizes
    counts: NDArray[np.int64]
    cached: bool = True

    def normalised_by(self, mean: Sequence[float], std: Sequence[float]) -> Dataset:
        """The same images, to be normalised by ``mean`` and ``std`` and not by their own."""
        channels = self.image[0]
        given = (per_channel(mean, channels), per_channel(std, channels))
        if given == (self.mean, self.std):
            return self
        shown = [" ".join(f"{value:.3f}" for value in row) for row in (*given, self.mean, self.std)]
        note = (
            f"Normalised by mean {shown[0]} and deviation {shown[1]}, which the weights expect, "
            f"not by their own ({shown[2]} and {shown[3]})."
        )
        return replace(self, mean=given[0], std=given[1], notes=(*self.notes, note))

    @property
    def splits(self) -> tuple[Split, Split, Split]:
        return (self.train, self.val, self.test)

    @property
    def pixel_range(self) -> tuple[int, int]:
        """Least and greatest pixel value of the training split."""
        found = np.flatnonzero(self.counts.sum(axis=0))
        return int(found[0]), int(found[-1])

    @property
    def crops(self) -> bool:
        """Whether some image came larger than ``image``, so that random crops see more of it."""
        return self.sizes.greatest != self.image[1:] and (
            self.sizes.greatest[0] > self.image[1] or self.sizes.greatest[1] > self.image[2]
        )

    @property
    def fingerprint(self) -> str:
        """32 hex digits that change when samples, labels, splits, size or decoder do."""
        hasher = hashlib.blake2b(digest_size=16)
        rules = (self.classes, self.image, self.scale, self.fit, self.decoder)
        hasher.update(repr(rules).encode(errors="surrogateescape"))
        for split in self.splits:
            hasher.update(f"{split.name}{len(split)}".encode())
            hasher.update(split.ids.astype("<u8").tobytes() + split.labels.astype("<i8").tobytes())
        return hasher.hexdigest()

    def class_counts(self) -> dict[str, dict[str, int]]:
        """Images per class (in the order of the classes) and split."""
        found = {s.name: np.bincount(s.labels, minlength=len(self.classes)) for s in self.splits}
        return {
            name: {split: int(counts[number]) for split, counts in found.items()}
            for number, name in enumerate(self.classes)
        }

    def describe(self) -> Mapping[str, Any]:
        """Plain values for a table or a JSON document; nothing in them is formatted."""
        return {
            "name": self.name,
            "images": {split.name: len(split) for split in self.splits},
            "classes": list(self.classes),
            "counts": self.class_counts(),
            "image": list(self.image),
            "scale": self.scale,
            "range": list(self.pixel_range),
            "mean": list(self.mean),
            "std": list(self.std),
            "sizes": {
                "least": list(self.sizes.least),
                "median": list(self.sizes.median),
                "greatest": list(self.sizes.greatest),
            },
            "fit": self.fit,
            "decoder": self.decoder,
            "cached": self.cached,
            "fingerprint": self.fingerprint,
            "notes": list(self.notes),
        }
