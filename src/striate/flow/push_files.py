"""What of a run is put on the hub: enough to load it there, and nothing of the user's images.

The network, its weights, preprocessing, recipe and course of training, its temperature, the card,
and what was exported.  Left out are the folder's paths, the predictions for single test images, the
features of training images that tell unlike ones apart, and the report with its pictures; the last
two go along where images may (``images="embed"``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from striate.data.resolving import BUILT_IN
from striate.deploying import Confidence, confidence_bytes
from striate.deploying.hub_card import hub_card, hub_config
from striate.errors import InputError, RunError
from striate.runs import LoadedRun, RunPaths
from striate.runs.info import FORMAT

CARD, CONFIG, ONNX = "README.md", "config.json", "onnx"

OURS = ("run.json", "arch.toml", "preprocessing.json", "weights.safetensors")
"""Files by which a repository is known as a run of striate's; a run is loaded from them."""

_KEPT_APART = "the features of the training images were not published with it"


def push_files(
    run: LoadedRun, confidence: Confidence, *, repo: str, images: str
) -> dict[str, bytes]:
    """Name in the repository → content, the card first.

    InputError for a network of the user's own code, which a push does not carry; RunError for a
    file of the run that cannot be read.
    """
    if run.arch is None:
        raise InputError(
            f"{run.path}: its network is {run.info.network}, which is code and no architecture "
            f"file; a push carries no code: striate export {run.path} writes it as ONNX"
        )
    if run.result is None:
        raise InputError(
            f"{run.path}: was not measured to its end; finish it with --resume {run.path}"
        )
    paths = RunPaths(run.path)
    embed = images == "embed"
    exported = _exported(run.path / "export")
    report = embed and paths.report.exists()
    data = data_name(run)
    if not embed and confidence.familiar is not None:
        confidence = replace(confidence, familiar=None, why_not=_KEPT_APART)
    card = hub_card(run, confidence, repo=repo, data=data, onnx=bool(exported), report=report)
    return {
        CARD: card.encode(),
        CONFIG: hub_config(run, confidence).encode(),
        "run.json": _info(run, data),
        "arch.toml": _read(paths.arch),
        "preprocessing.json": _read(paths.preprocessing),
        "recipe.toml": _read(paths.recipe),
        "metrics.jsonl": _epochs(_read(paths.metrics)),
        "confidence.safetensors": confidence_bytes(confidence),
        "weights.safetensors": _read(paths.weights),
        **{f"{ONNX}/{name}": content for name, content in exported.items()},
        **({"report.html": _read(paths.report)} if report else {}),
    }


def data_name(run: LoadedRun) -> str:
    """What the run's data are called, without the folder they lie in."""
    spec = str(run.info.data.get("spec", "its data"))
    if spec.startswith("hub:") or spec.partition(":")[0] in BUILT_IN:
        return spec
    return Path(spec).name or "its data"


def _info(run: LoadedRun, data: str) -> bytes:
    """run.json without paths and without the command that made it."""
    assert run.result is not None
    options: Mapping[str, Any] = run.info.data.get("options", {})
    info = replace(
        run.info,
        data={**run.info.data, "spec": data, "options": {**options, "group": None}},
        result=replace(run.result, run=data, report=None),
        notes={key: run.info.notes[key] for key in ("why", "params") if key in run.info.notes},
    )
    text = json.dumps({"format": FORMAT, **asdict(info)}, indent=1, ensure_ascii=False)
    return (text + "\n").encode()


def _epochs(metrics: bytes) -> bytes:
    """The lines of whole epochs; those of single steps, which are most, stay behind."""
    kept: list[bytes] = []
    for line in metrics.splitlines(keepends=True):
        try:
            if json.loads(line).get("kind") == "epoch":
                kept.append(line)
        except (ValueError, AttributeError):
            continue  # a line that was being written when the machine went down
    return b"".join(kept)


def _exported(folder: Path) -> dict[str, bytes]:
    """What ``striate export`` wrote to the run's own folder, by name."""
    if not (folder / "model.onnx").exists():
        return {}
    names = ("model.onnx", "model.int8.onnx", CARD)
    return {name: _read(folder / name) for name in names if (folder / name).exists()}


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise RunError(f"{path}: cannot be read ({error.strerror}); restore the file") from error
