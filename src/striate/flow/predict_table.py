"""Predictions as a file: CSV, JSON or parquet, a row an image, none left out."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from striate.errors import OutputError, choices
from striate.flow.predict import Ready
from striate.records import BadImage, Prediction
from striate.runs import atomic_write
from striate.runs.atomic import refuse_unwritable

ENDINGS = (".csv", ".json", ".parquet")
Result = Prediction | BadImage


def refuse_out(out: Path) -> None:
    """OutputError for a file that cannot be written, before any image is read."""
    if out.suffix.lower() not in ENDINGS:
        what = f"{out.suffix} is no known table" if out.suffix else "has no ending"
        raise OutputError(f"--out {out}: {what}; {choices(out.suffix, ENDINGS)}")
    if out.exists():
        raise OutputError(f"--out {out}: exists already; name another, or take it away")
    if not out.absolute().parent.is_dir():
        raise OutputError(f"--out {out}: there is no folder {out.parent}; make it first")
    refuse_unwritable(out)


def write_table(out: Path, ready: Ready, results: Sequence[Result], *, top: int) -> None:
    """Write ``results`` to ``out``, atomically, in the form that its ending says."""
    refuse_out(out)
    kind = out.suffix.lower()
    if kind == ".json":
        text = json.dumps(document(ready, results), indent=1, ensure_ascii=False)
        atomic_write(out, (text + "\n").encode())
    elif kind == ".csv":
        rows = [row(result, top) for result in results]
        stream = io.StringIO()
        writer = csv.DictWriter(stream, columns(top), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        atomic_write(out, stream.getvalue().encode(errors="surrogateescape"))
    else:
        atomic_write(out, _parquet(ready, results, top))


def document(ready: Ready, results: Sequence[Result]) -> dict[str, Any]:
    """The JSON document: predictions, then the images that could not be read."""
    calibration, familiar = ready.confidence.calibration, ready.confidence.familiar
    return {
        "striate": 1,
        "run": str(ready.run),
        "classes": list(ready.classes),
        "calibration": None if calibration is None else calibration.as_json(),
        "limits": None
        if familiar is None
        else {
            "look": familiar.limits[0],
            "features": familiar.limits[1],
            "images": familiar.images,
        },
        "predictions": [one.as_json() for one in results if isinstance(one, Prediction)],
        "bad": [one.as_json() for one in results if isinstance(one, BadImage)],
        "passed_over": [str(path) for path in ready.passed_over],
    }


def columns(top: int) -> list[str]:
    """``image``, ``class``, ``confidence`` (then ``class_2`` …), ``unlike``, ``error``."""
    ranked = [f"{name}{'' if rank == 1 else f'_{rank}'}"
              for rank in range(1, top + 1) for name in ("class", "confidence")]  # fmt: skip
    return ["image", *ranked, "unlike", "error"]


def row(result: Result, top: int) -> dict[str, Any]:
    """One image; what does not apply is None."""
    if isinstance(result, BadImage):
        return dict.fromkeys(columns(top)) | {"image": result.image, "error": result.reason}
    pairs = zip(result.classes, result.confidences, strict=True)
    found = [result.image, *(value for pair in pairs for value in pair)]
    unlike = ", ".join(one.what for one in result.unlike) or None
    return dict(zip(columns(top), [*found, unlike, None], strict=True))


def _parquet(ready: Ready, results: Sequence[Result], top: int) -> bytes:
    import pyarrow
    from pyarrow import parquet

    arrow: Any = pyarrow  # which leaves its own functions untyped
    kinds = {
        name: arrow.float32() if name.startswith("confidence") else arrow.string()
        for name in columns(top)
    }
    facts = {key: value for key, value in document(ready, ()).items() if key != "predictions"}
    schema = arrow.schema(list(kinds.items()), {"striate": json.dumps(facts, ensure_ascii=False)})
    table = arrow.Table.from_pylist([row(result, top) for result in results], schema)
    sink = arrow.BufferOutputStream()
    parquet.write_table(table, sink)
    return sink.getvalue().to_pybytes()
