"""What is known of a set of shards: ``striate.json`` and its arrays."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from striate.data.form import Form
from striate.data.options import Indices, Words
from striate.data.strings import Strings
from striate.errors import DataError

INDEX = "striate.json"
Holds = Literal["bytes", "pixels"]
"""Images as their files came, or decoded at the data set's size."""


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """One file: ``images`` in it, ``bytes`` of it."""

    file: str
    images: int
    bytes: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Shard:
    """One split.  ``places`` (N,): where sample i lies, counted over all chunks in their order."""

    ids: Words
    labels: Indices
    places: Indices
    names: Strings
    chunks: tuple[Chunk, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Index:
    """A whole set; ``counts`` (C, values) of the training split, ``sizes`` (3, 2) least, median and
    greatest height and width of the images as they came.
    """

    name: str
    classes: tuple[str, ...]
    form: Form
    holds: Holds
    notes: tuple[str, ...]
    sizes: NDArray[np.int64]
    counts: NDArray[np.int64]
    splits: Mapping[str, Shard]

    def write(self, folder: Path) -> None:
        """``striate.json`` and the arrays, which its digest vouches for."""
        arrays: dict[str, NDArray[Any]] = {"counts": self.counts}
        for name, shard in self.splits.items():
            arrays |= {
                f"{name}.ids": shard.ids,
                f"{name}.labels": shard.labels,
                f"{name}.places": shard.places,
                f"{name}.names": shard.names.data,
                f"{name}.ends": shard.names.ends,
            }
        packed = io.BytesIO()
        np.savez(packed, allow_pickle=False, **arrays)
        digest = hashlib.blake2b(packed.getvalue(), digest_size=16).hexdigest()
        (folder / f"striate-{digest}.npz").write_bytes(packed.getvalue())
        facts = {
            "striate": 1,
            "kind": "shards",
            "name": self.name,
            "classes": list(self.classes),
            "form": asdict(self.form),
            "holds": self.holds,
            "sizes": self.sizes.tolist(),
            "splits": {
                name: {"images": len(shard.ids), "chunks": [asdict(c) for c in shard.chunks]}
                for name, shard in self.splits.items()
            },
            "arrays": digest,
            "notes": list(self.notes),
        }
        (folder / INDEX).write_text(
            json.dumps(facts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
        )


def read_facts(path: Path, where: str) -> dict[str, Any]:
    """``striate.json``; DataError where it is none."""
    try:
        facts: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        _hold(facts["kind"] == "shards" and facts["striate"] == 1, "it is of another kind")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{where}/{INDEX} is no index of shards ({error}); write them again with "
            "striate data DATA --shards DIR"
        ) from error
    return facts


def read_index(facts: dict[str, Any], arrays: Path, where: str) -> Index:
    """The index of ``facts`` and the file of arrays; DataError where they are broken."""
    try:
        packed = arrays.read_bytes()
        digest = hashlib.blake2b(packed, digest_size=16).hexdigest()
        _hold(digest == facts["arrays"], "its content is not what was written")
        held = np.load(io.BytesIO(packed), allow_pickle=False)
        form: dict[str, Any] = {**facts["form"], "image": tuple(facts["form"]["image"])}
        return Index(
            name=facts["name"],
            classes=tuple(facts["classes"]),
            form=Form(**form),
            holds=facts["holds"],
            notes=tuple(facts["notes"]),
            sizes=np.array(facts["sizes"], dtype=np.int64),
            counts=held["counts"],
            splits={
                name: Shard(
                    ids=held[f"{name}.ids"],
                    labels=held[f"{name}.labels"],
                    places=held[f"{name}.places"],
                    names=Strings(data=held[f"{name}.names"], ends=held[f"{name}.ends"]),
                    chunks=tuple(Chunk(**one) for one in split["chunks"]),
                )
                for name, split in facts["splits"].items()
            },
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{where}/{arrays.name} is broken ({error}); write the shards again"
        ) from error


def _hold(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ValueError(otherwise)
