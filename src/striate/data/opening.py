"""``open_data``: from a DATA to three splits, in five steps.

List the samples, take their digests, divide them into splits, choose one form for all, decode
and measure.  Nothing depends on the order in which the samples were listed.
"""

from __future__ import annotations

from collections.abc import Callable

from striate.data.dataset import Dataset
from striate.data.folding import with_val_in_train
from striate.data.opening_arrays import open_arrays
from striate.data.opening_files import open_files
from striate.data.options import DataOptions
from striate.data.parallel import Progress
from striate.data.resolving import list_samples
from striate.data.shards.opening import is_shards, open_shards
from striate.data.sources.listing import Decoded


def open_data(
    spec: str,
    options: DataOptions | None = None,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Dataset:
    """The data set that ``spec`` names, ready to train on.

    ``progress`` is called with (done, of all) while images are read and then decoded; every image
    counts twice.  Raises DataError (ImageError for one file) with one line that says what, where,
    and the mend.
    """
    options = options or DataOptions()
    if is_shards(spec):
        found = open_shards(spec, options)
        return found if options.normalise is None else found.normalised_by(*options.normalise)
    listing = list_samples(spec, options)
    if options.fold is not None:
        listing = with_val_in_train(listing)
    if all(isinstance(part.content, Decoded) for part in listing.parts.values()):
        found = open_arrays(listing, options)
    else:
        images = sum(len(part.labels) for part in listing.parts.values())
        found = open_files(listing, options, Progress(progress, 2 * images))
    return found if options.normalise is None else found.normalised_by(*options.normalise)
