"""``striate export``: a run as files for other runtimes, each verified before it is written."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from striate.deploying.export import Makers, export_events, refuse_taken
from striate.errors import DataError, InputError, choices
from striate.flow.confidence import confidence_of, run_dataset, tta_of
from striate.flow.load import load
from striate.flow.network import users_errors
from striate.records import ExportCheck, Exported
from striate.runs import SEEN, in_views

FORMATS = ("onnx",)
_NEEDED = ("onnx", "onnxscript", "onnxruntime")


@dataclass(frozen=True, kw_only=True)
class ExportOptions:
    """``to``: the format.  ``out``: the folder, by default ``export`` in the run's."""

    to: str = "onnx"
    int8: bool = False
    out: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Begun:
    """The run is open and its data are there; ``said``: what a person should know."""

    out: Path
    said: tuple[str, ...]


def export(
    run: Path | str, *, to: str = "onnx", int8: bool = False, out: Path | None = None
) -> Exported:
    """Write the run as ONNX; ExportError names the check that a file failed, and its number.

    >>> striate.export("runs/photos", int8=True).files  # doctest: +SKIP
    ('runs/photos/export/model.onnx', 'runs/photos/export/model.int8.onnx', …)
    """
    for event in export_run(run, ExportOptions(to=to, int8=int8, out=out)):
        if isinstance(event, Exported):
            return event
    raise AssertionError("export_run ends with Exported")


def export_run(
    run: Path | str, options: ExportOptions = ExportOptions(), *, makers: Makers | None = None
) -> Iterator[Begun | ExportCheck | Exported]:
    """The job, event by event.  ``makers``: what exports, quantises and runs the files."""
    if options.to not in FORMATS:
        raise InputError(f"--to {options.to}: no such format; {choices(options.to, FORMATS)}")
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise InputError(
            f"--to {options.to}: {', '.join(missing)} is not installed; run "
            "pip install 'striate[export]'"
        )
    out = options.out or Path(run) / "export"
    loaded = load(run)
    refuse_taken(out, int8=options.int8)
    try:
        dataset = run_dataset(loaded.path)
    except DataError as error:
        raise DataError(
            f"{run}: an export is checked on the run's own data, and they cannot be opened: {error}"
        ) from error
    measured = confidence_of(loaded)
    tta = tta_of(loaded)
    seen = () if tta == "none" else (f"the file sees each image {SEEN[tta]}, as the run does",)
    loaded = replace(loaded, module=in_views(loaded.module, tta))
    yield Begun(out=out, said=(*loaded.notices, *measured.said, *seen))
    with users_errors(loaded.info.network):
        yield from export_events(
            loaded, dataset, measured.confidence, out, int8=options.int8, makers=makers or Makers()
        )
