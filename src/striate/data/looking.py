"""A first look at encoded images: digests and headers, without decoding a pixel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from striate.data.identity import digest
from striate.data.images.bad import BadImage
from striate.data.images.header import TRAITS, Header, read_header
from striate.data.options import Indices, Words
from striate.data.parallel import Progress, in_parallel
from striate.data.sources.listing import Encoded


@dataclass(frozen=True, kw_only=True, eq=False)
class Look:
    """What is known of every row of one part.

    ``digests`` (N,); ``sizes`` (N, 2) height and width, upright; ``colour``, ``deep`` (N,);
    ``traits`` (N, len(TRAITS)); ``bad``: reasons by row, whose other entries mean nothing.
    """

    digests: Words
    sizes: NDArray[np.int64]
    colour: NDArray[np.bool_]
    deep: NDArray[np.bool_]
    traits: NDArray[np.bool_]
    bad: dict[int, str]


def look(content: Encoded, labels: Indices, classes: tuple[str, ...], progress: Progress) -> Look:
    """Read every image of one part once."""
    count = len(labels)
    result = Look(
        digests=np.zeros(count, dtype=np.uint64),
        sizes=np.ones((count, 2), dtype=np.int64),
        colour=np.zeros(count, dtype=np.bool_),
        deep=np.zeros(count, dtype=np.bool_),
        traits=np.zeros((count, len(TRAITS)), dtype=np.bool_),
        bad={},
    )

    def one(row: int) -> tuple[int, Header | str]:
        try:
            data = content.read(row)
            return digest(data, classes[int(labels[row])]), read_header(data)
        except BadImage as bad:
            return 0, str(bad)

    for row, (word, header) in enumerate(in_parallel(one, range(count), progress.add)):
        if isinstance(header, str):
            result.bad[row] = header
            continue
        result.digests[row] = word
        result.sizes[row] = header.height, header.width
        result.colour[row] = header.colour
        result.deep[row] = header.deep
        for trait in header.traits:
            result.traits[row, TRAITS.index(trait)] = True
    return result
