"""``striate data DATA``: what a data set holds, before anything is trained on it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from striate.data import DataOptions, Fit
from striate.data.describing import NAMED, describe_data
from striate.errors import InputError
from striate.flow.sizes import cache_option, image_option
from striate.records import DataDescription


def describe(
    data: str | Path,
    *,
    image: str | None = None,
    fit: Fit = "crop",
    group: str | None = None,
    val: float = 0.1,
    test: float = 0.2,
    near: bool = True,
    named: int = NAMED,
    cache: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> DataDescription:
    """Counts, sizes, formats, odd and bad files, copies, leaks and label conflicts of a data set.

    ``data`` and the options mean what they do for ``fit``, and the splits, the mean and the
    deviation are those that it would use.  ``near``: look for images that look alike too.
    ``named``: how many finds of each kind are named.  ``cache``: RAM that encoded images of parquet
    files may take (``4GiB``).  Raises InputError for options that cannot
    be, DataError where there is nothing to describe.

    >>> found = striate.describe("photos")  # doctest: +SKIP
    >>> found.faults()["leak"]  # doctest: +SKIP
    0
    """
    if named < 0:
        raise InputError(f"--named {named}: is no number of finds; use 0 or more")
    options = DataOptions(
        image=image_option(image),
        fit=fit,
        group=group,
        val=val,
        test=test,
        cache_bytes=cache_option(cache, option="--cache"),
    )
    return describe_data(str(data), options, near=near, named=named, progress=progress)
