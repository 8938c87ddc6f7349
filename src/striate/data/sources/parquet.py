"""Parquet files with encoded images and labels, as the Hugging Face ``datasets`` library writes.

The image column holds the encoded bytes, or a struct of ``bytes`` and ``path``; the label column
integers or strings.  Class names come from the schema's ``huggingface`` metadata where it has
them, in their order; else the labels themselves are the names, integers sorted by value and
strings as text.  The encoded bytes are held in RAM.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet
from numpy.typing import NDArray

from striate.data.images.bad import BadImage
from striate.data.options import Indices
from striate.data.sources.columns import Columns, find_columns
from striate.data.sources.labels import number_classes
from striate.data.sources.listing import SPLIT_WORDS, Listing, Part, PartName
from striate.data.strings import Strings
from striate.errors import DataError

# pyarrow carries no type hints.
_open_file: Any = cast("Any", pyarrow.parquet).ParquetFile
_FAILS: tuple[type[Exception], ...] = (cast("Any", pa).ArrowException, OSError)

_ROWS_AT_ONCE = 1024
_BASES = ("", "data", "default")


@dataclass(frozen=True, kw_only=True, eq=False)
class HeldBytes:
    """Encoded images one behind the other in ``data``; image i ends at ``ends[i]``.

    An image without bytes is one of no length that ``absent`` marks.
    """

    data: NDArray[np.uint8]
    ends: Indices
    absent: NDArray[np.bool_]
    where: Strings

    def read(self, index: int) -> bytes:
        if self.absent[index]:
            raise BadImage(
                "has no bytes in the file (a path alone); write the data with its images"
            )
        start = 0 if index == 0 else int(self.ends[index - 1])
        return self.data[start : int(self.ends[index])].tobytes()

    def place(self, index: int) -> str:
        return self.where[index]


def find_parquet(folder: Path) -> list[Path]:
    """The parquet files in ``folder``, its ``data`` or ``default``, or their split folders."""
    places = [folder / base / split for base in _BASES for split in ("", *SPLIT_WORDS)]
    return [file for place in places for file in sorted(place.glob("*.parquet"))]


def list_parquet(path: Path, *, most_bytes: int) -> Listing:
    """The images of one parquet file, or of those in a folder; the splits by the files' names."""
    files = _files_by_part(path)
    held = sum(_held_bytes(file) for found in files.values() for file in found)
    if held > most_bytes:
        raise DataError(
            f"{path} holds {held} bytes of encoded images and the cache {most_bytes}; "
            "unpack it into a folder with a folder per class, or give a larger --cache"
        )
    tables: dict[PartName, _Table] = {part: _read(found) for part, found in files.items()}
    columns = tables["train"].columns
    raw: dict[PartName, list[str]] = {part: table.labels for part, table in tables.items()}
    order = columns.names or (_by_value(raw["train"]) if columns.integers else None)
    classes, labels = number_classes(raw, order=order, where=str(path))
    notes = [*_passed_over(path), *columns.notes]
    unused = len(columns.names or ()) - len(classes)
    if unused > 0:
        notes.append(
            f"{unused} of {len(columns.names or ())} class names have no training image "
            "and are left out."
        )
    parts: dict[PartName, Part] = {
        part: Part(labels=labels[part], paths=Strings.of(table.paths), content=table.content())
        for part, table in tables.items()
    }
    return Listing(
        name=path.resolve().stem,
        classes=classes,
        parts=parts,
        groupable=all(table.has_paths for table in tables.values()),
        notes=tuple(notes),
    )


def _passed_over(path: Path) -> list[str]:
    """A note on folders that hold none of the parquet files, where there are some."""
    known = {*_BASES, *SPLIT_WORDS}
    others = [
        entry.name
        for entry in (sorted(path.iterdir()) if path.is_dir() else [])
        if entry.is_dir() and entry.name.lower() not in known and not entry.name.startswith(".")
    ]
    some = ", ".join(others[:3]) + (", …" if len(others) > 3 else "")
    return [f"The parquet files are read, other folders passed over ({some})."] if others else []


def _by_value(labels: Sequence[str]) -> list[str]:
    return sorted(set(labels), key=int)


def _files_by_part(path: Path) -> dict[PartName, list[Path]]:
    if path.is_file():
        return {"train": [path]}
    files: dict[PartName, list[Path]] = {}
    nameless: list[Path] = []
    for file in find_parquet(path):
        words = file.stem.lower().replace("_", "-").replace(".", "-").split("-")
        named: list[PartName] = [
            SPLIT_WORDS[word] for word in (*words, file.parent.name.lower()) if word in SPLIT_WORDS
        ]
        if named and file != path:
            files.setdefault(named[0], []).append(file)
        else:
            nameless.append(file)
    if not files:
        return {"train": nameless}
    if nameless:
        raise DataError(
            f"{nameless[0]} has no train, validation or test in its name, and others "
            "beside it have; rename it or move it away"
        )
    if "train" not in files:
        raise DataError(
            f"{path} has parquet files for {', '.join(sorted(files))} but none for train; add one"
        )
    return files


def _open(file: Path) -> Any:
    try:
        return _open_file(file)
    except _FAILS as error:
        raise DataError(
            f"{file} is no readable parquet file ({_line(error)}); write it again"
        ) from error


def _line(error: Exception) -> str:
    return " ".join(str(error).split())


def _held_bytes(file: Path) -> int:
    """Bytes of the file's data once unpacked, from its footer."""
    metadata = _open(file).metadata
    return sum(metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups))


@dataclass(kw_only=True)
class _Table:
    """Rows as they are read."""

    columns: Columns
    labels: list[str] = field(default_factory=list[str])
    paths: list[str] = field(default_factory=list[str])
    places: list[str] = field(default_factory=list[str])
    blobs: list[bytes] = field(default_factory=list[bytes])
    lengths: list[int] = field(default_factory=list[int])
    has_paths: bool = True

    def content(self) -> HeldBytes:
        lengths = np.array(self.lengths, dtype=np.int64)
        return HeldBytes(
            data=np.frombuffer(b"".join(self.blobs), dtype=np.uint8),
            ends=np.cumsum(np.maximum(lengths, 0)),
            absent=lengths < 0,
            where=Strings.of(self.places),
        )


def _read(files: Sequence[Path]) -> _Table:
    """All rows of one part's files."""
    table: _Table | None = None
    for file in files:
        opened = _open(file)
        columns = find_columns(opened.schema_arrow, str(file))
        table = table or _Table(columns=columns)
        if columns.names != table.columns.names:
            raise DataError(f"{file} has other class names than {files[0]}; write them alike")
        row = 0
        try:
            for batch in opened.iter_batches(
                batch_size=_ROWS_AT_ONCE, columns=[columns.image, columns.label]
            ):
                _add(table, batch, columns, file, row)
                row += batch.num_rows
        except _FAILS as error:
            raise DataError(
                f"{file} cannot be read beyond row {row} ({_line(error)}); write it again"
            ) from error
    assert table is not None, "a part has one file or more"
    if not table.labels:
        raise DataError(f"{files[0]} has no rows; give a file with images")
    return table


def _add(table: _Table, batch: Any, columns: Columns, file: Path, first: int) -> None:
    images = batch.column(columns.image)
    paths: list[str | None] = [None] * batch.num_rows
    if columns.nested:
        if "path" in columns.nested:
            paths = images.field("path").to_pylist()
        images = images.field("bytes")
    blobs: list[bytes | None] = images.to_pylist()
    table.labels += columns.label_names(batch.column(columns.label).to_pylist(), file, first)
    for row, (blob, path) in enumerate(zip(blobs, paths, strict=True), first):
        table.blobs.append(blob or b"")
        table.lengths.append(-1 if blob is None else len(blob))
        table.has_paths &= path is not None
        table.paths.append(f"{file.name}:{row:08}" if path is None else path)
        table.places.append(f"{file}, row {row}" + ("" if path is None else f" ({path})"))
