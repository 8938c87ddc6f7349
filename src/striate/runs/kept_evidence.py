"""evidence/: what was seen in a run, one file for each way of looking, all numbers kept.

A file is safetensors: the arrays of its pieces, and in its header what each piece is, its facts
and its checks.  Reading it runs no code.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
from safetensors import SafetensorError

from striate.errors import RunError
from striate.records import Check, Evidence
from striate.runs.atomic import atomic_write


def save_evidence(path: Path, pieces: Sequence[Evidence]) -> None:
    """Write ``pieces`` to ``path``, atomically; NaN and infinities are kept as they are."""
    arrays = {
        f"{number}.{name}": np.ascontiguousarray(array)
        for number, piece in enumerate(pieces)
        for name, array in piece.arrays.items()
    }
    told = [
        {
            "name": piece.name,
            "title": piece.title,
            "arrays": list(piece.arrays),
            "facts": dict(piece.facts),
            "checks": [asdict(check) for check in piece.checks],
            "inapplicable": piece.inapplicable,
        }
        for piece in pieces
    ]
    note = json.dumps(told, ensure_ascii=False)
    atomic_write(path, safetensors.numpy.save(arrays, {"striate": note}))


def load_evidence(path: Path) -> list[Evidence]:
    """What ``save_evidence`` wrote; RunError where the file is missing or broken."""
    try:
        data = path.read_bytes()
        arrays = safetensors.numpy.load(data)
        length = int.from_bytes(data[:8], "little")
        header: dict[str, Any] = json.loads(data[8 : 8 + length])
        told: list[dict[str, Any]] = json.loads(header["__metadata__"]["striate"])
        return [
            Evidence(
                name=one["name"],
                title=one["title"],
                arrays={name: arrays[f"{number}.{name}"] for name in one["arrays"]},
                facts=one["facts"],
                checks=tuple(Check(**check) for check in one["checks"]),
                inapplicable=one["inapplicable"],
            )
            for number, one in enumerate(told)
        ]
    except OSError as error:
        raise RunError(f"{path}: cannot be read ({error.strerror})") from error
    except (SafetensorError, KeyError, ValueError, TypeError) as error:
        raise RunError(
            f"{path}: not evidence that striate wrote ({type(error).__name__}); delete it, and "
            "striate see makes it again"
        ) from error
