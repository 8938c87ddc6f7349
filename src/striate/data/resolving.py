"""What a DATA names: a built-in set, a folder, a file."""

from __future__ import annotations

import re
from pathlib import Path

from striate.data.options import DataOptions
from striate.data.sources.digits import list_digits
from striate.data.sources.listing import Listing
from striate.data.sources.shapes import COUNT, SIDE, list_shapes
from striate.errors import DataError, choices

BUILT_IN = ("digits", "shapes")


def list_samples(spec: str, options: DataOptions) -> Listing:
    """The samples that ``spec`` names; DataError where it names nothing."""
    if spec == "digits":
        return list_digits()
    sized = re.fullmatch(r"shapes(?::(\d+)(?:x(\d+))?)?", spec)
    if sized:
        return _shapes(sized, options)
    path = Path(spec).expanduser()
    del path
    raise DataError(f"DATA {spec!r} is neither a folder, a file nor built in; "
                    f"{choices(spec, BUILT_IN)}")  # fmt: skip


def _shapes(sized: re.Match[str], options: DataOptions) -> Listing:
    named = sized.group(1)
    side = (int(named), int(sized.group(2) or named)) if named else options.side or (SIDE, SIDE)
    return list_shapes(
        (options.channels or 3, *side),
        count=COUNT if options.count is None else options.count,
        seed=options.seed,
        most_bytes=options.cache_bytes,
    )
