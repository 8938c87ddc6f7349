"""From the labels a source found to class numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from striate.data.options import Indices
from striate.data.sources.listing import PartName
from striate.errors import DataError


def number_classes(
    raw: Mapping[PartName, Sequence[str]], *, order: Sequence[str] | None, where: str
) -> tuple[tuple[str, ...], dict[PartName, Indices]]:
    """Class names as the training part has them, and each part's labels (N,) as numbers.

    ``order``: the names in their own order; None sorts them as text.  A name without a training
    image is no class, and another part that has it is a DataError.
    """
    found = set(raw["train"])
    classes = sorted(found) if order is None else [name for name in order if name in found]
    numbers = {name: number for number, name in enumerate(classes)}
    labels: dict[PartName, Indices] = {}
    for part, names in raw.items():
        for name in names:
            if name not in numbers:
                raise DataError(
                    f"{where}: {part} has class {name!r}, of which train has no image; "
                    f"add training images or take it out of {part}"
                )
        labels[part] = np.array([numbers[name] for name in names], dtype=np.int64)
    return tuple(classes), labels
