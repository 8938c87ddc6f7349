"""What a DATA names: a built-in set, a folder, a file."""

from __future__ import annotations

import os
import re
from pathlib import Path

from striate.data.options import DataOptions
from striate.data.sources.digits import list_digits
from striate.data.sources.folder import list_folder
from striate.data.sources.listing import Listing
from striate.data.sources.npz import list_npz
from striate.data.sources.parquet import find_parquet, list_parquet
from striate.data.sources.shapes import COUNT, SIDE, list_shapes
from striate.errors import DataError, choices

BUILT_IN = ("digits", "shapes")
_ELSE = "a folder with a folder per class, parquet files or an .npz"


def list_samples(spec: str, options: DataOptions) -> Listing:
    """The samples that ``spec`` names; DataError where it names nothing."""
    if spec == "digits":
        return list_digits()
    sized = re.fullmatch(r"shapes(?::(\d+)(?:x(\d+))?)?", spec)
    if sized:
        return _shapes(sized, options)
    path = Path(spec).expanduser()
    if path.is_dir():
        if find_parquet(path):
            return list_parquet(path, most_bytes=options.ram_bytes)
        return list_folder(path)
    if path.is_file():
        if path.suffix == ".parquet":
            return list_parquet(path, most_bytes=options.ram_bytes)
        if path.suffix == ".npz":
            return list_npz(path)
        raise DataError(f"{spec} is no data set; give {_ELSE}")
    if os.sep in spec and ":" not in spec:
        raise DataError(f"{spec} does not exist; check the path, or give digits or shapes")
    raise DataError(
        f"DATA {spec!r} is neither built in nor a folder or file here; "
        f"{choices(spec, BUILT_IN)}, or give {_ELSE}"
    )


def _shapes(sized: re.Match[str], options: DataOptions) -> Listing:
    named = sized.group(1)
    asked = options.side or (SIDE, SIDE)
    height, width = (int(named), int(sized.group(2) or named)) if named else asked
    return list_shapes(
        (options.channels or 3, height, width),
        count=COUNT if options.count is None else options.count,
        seed=options.seed,
        most_bytes=options.ram_bytes,
    )
