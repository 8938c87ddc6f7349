"""Weights that were trained before: from a file, a run or the hub, into a network.

``given_weights`` and ``hub_weights`` read them, before anything else is done; ``put_weights`` makes
them fit a network and says what it changed; ``load_weights`` is both, for Python.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from striate.arch import Arch, load_arch
from striate.building import Network
from striate.building.weights import Part, convert, fit_weights, layout_of
from striate.errors import ArchError, InputError
from striate.flow.hub import Fetched, MissingFileError, Progress, fetch
from striate.flow.hub_table import CONFIG, FILE, HOSTED, IMAGENET, Hosted, hosted
from striate.flow.weight_files import read_weight_file
from striate.runs import Preprocessing, RunInfo, RunPaths, is_run, put_state, state_of

Numbers = tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Given:
    """Weights as they came.

    ``source``: what to call them.  ``state``: under the names of whoever wrote them.  ``sha256``:
    of the file.  ``mean``, ``std``: what the images were normalised by that they were trained on,
    and ``normalised`` who says so, where anyone does.  ``side``: of those images.  ``classes``:
    their names, of a run.  ``arch``: of a run.  ``said``: how they were read, a sentence each.
    ``facts``: for run.json.
    """

    source: str
    state: Mapping[str, Tensor]
    sha256: str
    mean: Numbers = ()
    std: Numbers = ()
    normalised: str = ""
    side: tuple[int, int] | None = None
    classes: tuple[str, ...] | None = None
    arch: Arch | None = None
    said: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """What came of it: the network has the weights.

    ``library``: whose names they had.  ``adapted``: parts that are not as they were given.
    ``mean``, ``std``: by which its images are to be normalised (of pixels in 0…1), () where nobody
    knows.  ``said``: a sentence for everything that was changed, left fresh, or assumed.
    """

    source: str
    sha256: str
    library: str
    adapted: frozenset[Part]
    mean: Numbers
    std: Numbers
    said: tuple[str, ...]


def load_weights(
    module: nn.Module, weights: Path | str | None = None, *, pretrained: bool = False
) -> Loaded:
    """Put trained weights into ``module``, in place.

    ``weights``: a file (safetensors, or what ``torch.save`` wrote) with the names of timm,
    torchvision or striate, or the folder of a run.  ``pretrained``: those of the hub for the
    network of the zoo that ``module`` was built from.  What does not fit is adapted where it can
    be (input channels, the stem's kernel, positions) or left fresh (the last layer), and said.

    InputError in one line where weights are missing, broken, or another network's.

    >>> network = striate.build(striate.zoo("resnet18"))  # doctest: +SKIP
    >>> striate.load_weights(network, "resnet18.pth").mean  # doctest: +SKIP
    (0.485, 0.456, 0.406)
    """
    if (weights is None) == (not pretrained):
        raise InputError("load_weights: give either a file of weights or pretrained=True")
    if weights is not None:
        return put_weights(module, given_weights(Path(weights)))
    if not isinstance(module, Network):
        raise InputError(
            f"load_weights: {type(module).__name__} is no network of the zoo; give a file"
        )
    return put_weights(module, hub_weights(module.arch.name))


def given_weights(path: Path) -> Given:
    """The weights in the file, or in the run's folder, at ``path``."""
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
        normalised=f"{entry.repo} states",
        side=side or (entry.side, entry.side),
        said=tuple(said),
        facts={
            "repo": entry.repo,
            "file": FILE,
            "revision": fetched.revision,
            "licence": entry.licence,
        },
    )


def put_weights(module: nn.Module, given: Given, *, classes: Sequence[str] | None = None) -> Loaded:
    """Put ``given`` into ``module``, in place; ``classes``: the names that its logits will have."""
    if isinstance(module, Network):
        try:
            library = layout_of(module.arch, given.state)
            state = convert(module.arch, given.state, library=library)
            others = _other_classes(module.arch, given, classes)
            fitted = fit_weights(module, state, other_classes=others)
        except ArchError as error:
            raise ArchError(f"{given.source}: {error}") from error
        put_state(module, fitted.state, where=given.source)
        said, adapted = fitted.said, fitted.adapted
        if "head" not in adapted:
            said = (*said, _kept_head(module.arch, given))
        given = _assumed(given, module.arch, library)
    else:
        library, said, adapted = "its own", (), frozenset[Part]()
        _put_plainly(module, given)
    return Loaded(
        source=given.source,
        sha256=given.sha256,
        library=library,
        adapted=adapted,
        mean=given.mean,
        std=given.std,
        said=(*given.said, *said, _said_normalised(given)),
    )


def for_channels(values: Numbers, channels: int) -> Numbers:
    """A mean or deviation per channel for another number of channels: their mean for one, else in
    turns, as the first convolution's weights are.

    >>> for_channels((0.5, 0.25), 3)
    (0.5, 0.25, 0.5)
    """
    if channels == len(values):
        return values
    if channels == 1:
        return (sum(values) / len(values),)
    return tuple(values[at % len(values)] for at in range(channels))


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
        normalised="that run was",
        side=kept.image[1:],
        classes=kept.classes,
        arch=load_arch(paths.arch) if paths.arch.exists() else None,
        facts={"run": str(path.resolve())},
    )


def _beside(path: Path) -> tuple[Numbers, Numbers, tuple[int, int] | None, str]:
    """Mean, deviation and image side that a file beside the weights states, and which file."""
    kept, config = path.with_name("preprocessing.json"), path.with_name(CONFIG)
    if kept.is_file():
        found = Preprocessing.from_json(_text(kept), where=kept)
        return found.mean, found.std, found.image[1:], f"{kept} states"
    if config.is_file():
        mean, std, side = _stated(_text(config), str(config))
        return mean, std, side, f"{config} states" if mean else ""
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


def _other_classes(arch: Arch, given: Given, classes: Sequence[str] | None) -> str | None:
    """Why a run's last layer is not this network's though it has as many rows; None where it is."""
    known = given.classes
    if known is None or classes is None or len(known) != arch.classes or known == tuple(classes):
        return None
    return f"it told {', '.join(known[:3])}{', …' if known[3:] else ''} apart, not these classes"


def _kept_head(arch: Arch, given: Given) -> str:
    if given.classes is not None:
        return f"the last layer is kept: the run's {arch.classes} classes are these"
    return (
        f"the last layer is kept: the weights are of {arch.classes} classes too, taken to be the "
        "same in the same order"
    )


def _assumed(given: Given, arch: Arch, library: str) -> Given:
    """``given`` with the normalisation that weights of its kind have, where nobody states it."""
    if given.mean or library == "striate":
        return given
    entry = hosted(arch.name)
    mean, std = IMAGENET if entry is None or library != "timm" else (entry.mean, entry.std)
    who = f"{entry.repo}'s are" if entry and library == "timm" else "ImageNet's are by custom"
    said = f"nothing beside the file says so (a {CONFIG} would), but {who}"
    return replace(given, mean=mean, std=std, normalised=said)


def _said_normalised(given: Given) -> str:
    if not given.mean:
        return (
            "nobody says how the images were normalised that the weights were trained on: this "
            "data's own mean and deviation are used"
        )
    return (
        f"images are normalised by mean {_row(given.mean)} and deviation {_row(given.std)}, not by "
        f"their own, since the weights expect it: {given.normalised}"
    )


def _row(values: Numbers) -> str:
    return " ".join(f"{value:.3f}" for value in values)


def _put_plainly(module: nn.Module, given: Given) -> None:
    """A user's own module takes its own names and shapes, all of them."""
    own, name = state_of(module), type(module).__name__
    lacking = [key for key in own if key not in given.state]
    extra = [key for key in given.state if key not in own]
    for keys, what in ((lacking, "the weights lack"), (extra, "the network has no")):
        if keys:
            more = f" and {len(keys) - 3} more" if keys[3:] else ""
            raise InputError(
                f"{given.source}: does not fit {name}: {what} "
                f"{', '.join(map(repr, keys[:3]))}{more}; a network of your own takes weights of "
                "its own names"
            )
    put_state(module, given.state, where=given.source)
