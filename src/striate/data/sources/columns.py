"""Which columns of a parquet file are the image and the label, and what the labels mean."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pyarrow as pa

from striate.errors import DataError

_types = cast("Any", pa).types  # pyarrow carries no type hints

_LABEL_NAMES = ("label", "labels", "fine_label", "class", "target", "category", "y")


@dataclass(frozen=True, kw_only=True)
class Columns:
    """``nested``: the fields of the image's struct, or empty.  ``names``: of the classes, or None.

    ``integers``: whether labels are integers.
    """

    image: str
    label: str
    nested: tuple[str, ...]
    names: tuple[str, ...] | None
    integers: bool
    notes: tuple[str, ...]

    def label_names(self, values: Sequence[Any], file: Path, first: int) -> list[str]:
        """Class names of label values from row ``first`` on; DataError for one that has none."""
        names: list[str] = []
        for row, value in enumerate(values, first):
            if value is None:
                raise DataError(f"{file}, row {row}: {self.label} is empty; label it or drop it")
            if self.names is None:
                names.append(str(value))
            elif 0 <= value < len(self.names):
                names.append(self.names[int(value)])
            else:
                raise DataError(
                    f"{file}, row {row}: {self.label} {value} is none of the {len(self.names)} "
                    f"named classes (0 to {len(self.names) - 1}); label it or drop it"
                )
        return names


def find_columns(schema: Any, file: str) -> Columns:
    """The columns of one file with this pyarrow schema; DataError where they cannot be told."""
    features = _features(schema)
    image = _image_column(schema, features, file)
    label, notes = _label_column(schema, features, image, file)
    kind = schema.field(image).type
    value = schema.field(label).type
    if _types.is_dictionary(value):
        value = value.value_type
    integers = _types.is_integer(value)
    names = features.get(label, {}).get("names") if integers else None
    return Columns(
        image=image,
        label=label,
        nested=tuple(part.name for part in kind) if _types.is_struct(kind) else (),
        names=tuple(map(str, names)) if names else None,
        integers=integers,
        notes=notes,
    )


def _features(schema: Any) -> dict[str, dict[str, Any]]:
    """The ``datasets`` library's description of each column, where it left one."""
    metadata: dict[bytes, bytes] = schema.metadata or {}
    text = metadata.get(b"huggingface", b"{}")
    try:
        found: dict[str, Any] = json.loads(text)["info"]["features"]
    except (ValueError, KeyError, TypeError):
        return {}
    return {name: kind for name, kind in found.items() if isinstance(kind, dict)}


def _holds_bytes(kind: Any) -> bool:
    if _types.is_struct(kind):
        return any(part.name == "bytes" and _holds_bytes(part.type) for part in kind)
    return _types.is_binary(kind) or _types.is_large_binary(kind)


def _image_column(schema: Any, features: dict[str, dict[str, Any]], file: str) -> str:
    able: list[str] = [part.name for part in schema if _holds_bytes(part.type)]
    said = [name for name in able if features.get(name, {}).get("_type") == "Image"]
    found = said or able
    if len(found) > 1 and "image" in found:
        found = ["image"]
    if len(found) != 1:
        there = "no column of" if not found else f"{len(found)} columns ({', '.join(found)}) of"
        raise DataError(
            f"{file} has {there} encoded images among {', '.join(schema.names)}; "
            "write one, named image"
        )
    return found[0]


def _label_column(
    schema: Any, features: dict[str, dict[str, Any]], image: str, file: str
) -> tuple[str, tuple[str, ...]]:
    able: list[str] = [part.name for part in schema if part.name != image and _can_label(part.type)]
    said = [name for name in able if features.get(name, {}).get("_type") == "ClassLabel"]
    likely = [name for name in _LABEL_NAMES if name in (said or able)]
    found = likely or (said if len(said) == 1 else [])
    if not found:
        raise DataError(
            f"{file} has no label among its columns {', '.join(schema.names)}; "
            "write integers or strings in one named label"
        )
    passed = [name for name in said if name != found[0]]
    notes = (f"Labels are from column {found[0]}, not from {', '.join(passed)}.",) if passed else ()
    return found[0], notes


def _can_label(kind: Any) -> bool:
    if _types.is_dictionary(kind):
        kind = kind.value_type
    return _types.is_integer(kind) or _types.is_string(kind) or _types.is_large_string(kind)
