"""Weights that were trained before, as they come: from a file, a run's folder or the hub."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from striate.arch import Arch, load_arch
from striate.building.weights import convert, layout_of
from striate.errors import ArchError, InputError
from striate.flow.hub import Fetched, MissingFileError, Progress, fetch
from striate.flow.hub_run import run_folder
from striate.flow.hub_table import CONFIG, FILE, HOSTED, IMAGENET, Hosted, hosted
from striate.flow.weight_files import read_weight_file
from striate.runs import Preprocessing, RunInfo, RunPaths, is_run
from striate.runs import Target as KeptTarget

Numbers = tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Given:
    """Weights as they came.

    ``source``: what to call them.  ``state``: under the names of whoever wrote them.  ``sha256``:
    of the file.  ``mean``, ``std``: what the images were normalised by that they were trained on,
    and ``normalised`` who says so, where anyone does.  ``side``: (H, W) of those images.
    ``classes``: their names, of a run.  ``target``: the run's network, an Arch or a TARGET.
    ``said``: how they were read, a sentence each.  ``facts``: for run.json.  ``library``: whose
    names they had, once that is known; ``state`` has ours then.
    """

    source: str
    state: Mapping[str, Tensor]
    sha256: str
    mean: Numbers = ()
    std: Numbers = ()
    normalised: str = ""
    side: tuple[int, int] | None = None
    classes: tuple[str, ...] | None = None
    target: Arch | str | None = None
    said: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])
    library: str = ""

    @property
    def normalise(self) -> tuple[Numbers, Numbers] | None:
        """Mean and deviation, where they are known."""
        return (self.mean, self.std) if self.mean else None


def given_weights(path: Path) -> Given:
    """The weights in the file or in the run's folder at ``path``, or of the run on the hub."""
    if str(path).startswith("hub:"):
        return replace(_of_run(run_folder(path)), source=str(path))
    if path.is_dir():
        return _of_run(path)
    if not path.exists():
        raise InputError(
            f"--weights {path}: no such file or folder; give a file of weights or a run's folder"
        )
    found = read_weight_file(path)
    mean, std, side, who = _beside(path)
    return Given(
        source=str(path),
        state=found.tensors,
        sha256=found.sha256,
        mean=mean,
        std=std,
        normalised=who,
        side=side,
        said=found.said,
        facts={"file": str(path.resolve())},
    )


def hub_weights(name: str, *, progress: Progress | None = None) -> Given:
    """The hub's weights for the network of the zoo that is called ``name`` (or its small form)."""
    entry = hosted(name)
    if entry is None:
        raise ArchError(
            f"--pretrained: the hub has no weights for {name}, only for the {len(HOSTED)} networks "
            "that striate zoo --pretrained lists; choose one, or give a file by --weights FILE"
        )
    fetched = fetch(entry.repo, FILE, revision=entry.revision, progress=progress)
    config = _config(entry, fetched)
    found = read_weight_file(fetched.path)
    mean, std, side = _stated(config, f"{entry.repo}'s {CONFIG}") if config else ((), (), None)
    said = list(found.said)
    if fetched.offline:
        said.append("the hub could not be asked; the file was in its cache")
    return Given(
        source=f"{entry.repo} at {fetched.revision[:12]}, licence {entry.licence}",
        state=found.tensors,
        sha256=found.sha256,
        mean=mean or entry.mean,
        std=std or entry.std,
        normalised=f"{entry.repo} was trained so",
        side=side or (entry.side, entry.side),
        said=tuple(said),
        facts={
            "repo": entry.repo,
            "file": FILE,
            "revision": fetched.revision,
            "licence": entry.licence,
        },
    )


def recognised(given: Given, arch: Arch) -> Given:
    """``given`` under our names for a network like ``arch``, with the normalisation that weights
    of that library have where nothing states it; ArchError where they are another network's.
    """
    if given.library:
        return given
    try:
        library = layout_of(arch, given.state)
        state = convert(arch, given.state, library=library)
    except ArchError as error:
        raise ArchError(f"{given.source}: {error}") from error
    given = replace(given, state=state, library=library)
    return given if given.mean or library == "striate" else _assumed(given, arch)


def _of_run(path: Path) -> Given:
    paths = RunPaths(path)
    if not is_run(path):
        RunInfo.load(paths.info)  # says what is wrong with it
    if not paths.weights.exists():
        raise InputError(
            f"--weights {path}: its training has not finished, so it has no weights; finish it "
            f"with striate fit --resume {path}"
        )
    found = read_weight_file(paths.weights)
    kept = Preprocessing.from_json(_text(paths.preprocessing), where=paths.preprocessing)
    return Given(
        source=str(path),
        state=found.tensors,
        sha256=found.sha256,
        mean=kept.mean,
        std=kept.std,
        normalised="its run was trained so",
        side=kept.image[1:],
        classes=kept.classes,
        target=load_arch(paths.arch)
        if paths.arch.exists()
        else KeptTarget.from_json(_text(paths.target), where=paths.target).target,
        facts={"run": str(path.resolve())},
    )


def _beside(path: Path) -> tuple[Numbers, Numbers, tuple[int, int] | None, str]:
    """Mean, deviation and image side that a file beside the weights states, and which file."""
    kept, config = path.with_name("preprocessing.json"), path.with_name(CONFIG)
    if kept.is_file():
        found = Preprocessing.from_json(_text(kept), where=kept)
        return found.mean, found.std, found.image[1:], f"{kept} says so"
    if config.is_file():
        mean, std, side = _stated(_text(config), str(config))
        return mean, std, side, f"{config} says so" if mean else ""
    return (), (), None, ""


def _stated(text: str, where: str) -> tuple[Numbers, Numbers, tuple[int, int] | None]:
    """Mean, deviation and image side of timm's ``config.json``; empty where it has none."""
    try:
        plain = json.loads(text)
        plain = plain.get("pretrained_cfg", plain)
        mean = tuple(float(value) for value in plain.get("mean") or ())
        std = tuple(float(value) for value in plain.get("std") or ())
        size = tuple(int(value) for value in plain.get("input_size") or ())
    except (ValueError, TypeError, AttributeError) as error:
        raise InputError(
            f"{where}: is not a configuration of weights ({type(error).__name__}: {error}); mend "
            "it or take it away"
        ) from error
    if len(mean) != len(std) or any(value <= 0 for value in std):
        raise InputError(
            f"{where}: mean {list(mean)} and std {list(std)} are no mean and deviation of each "
            "channel; mend it or take it away"
        )
    return mean, std, (size[-2], size[-1]) if len(size) == 3 else None


def _config(entry: Hosted, weights: Fetched) -> str | None:
    """The text of the repository's configuration; None where it has none or it cannot be had."""
    try:
        return _text(fetch(entry.repo, CONFIG, revision=weights.revision).path)
    except MissingFileError:
        return None
    except InputError:
        if weights.offline:
            return None  # the weights alone were in the cache, and the table knows the rest
        raise


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error}); restore the file") from error


def _assumed(given: Given, arch: Arch) -> Given:
    """``given`` with the normalisation that weights of its kind have, where nobody states it."""
    entry = hosted(arch.name) if given.library == "timm" else None
    mean, std = IMAGENET if entry is None else (entry.mean, entry.std)
    who = "ImageNet's are by custom" if entry is None else f"{entry.repo}'s are these"
    said = f"nothing beside the file says so (a {CONFIG} would), but {who}"
    return replace(given, mean=mean, std=std, normalised=said)
