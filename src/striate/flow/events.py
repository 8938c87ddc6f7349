"""What ``fit`` may be asked, and what it tells while it runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from striate.data import BadImages, Dataset, Fit
from striate.records import EpochRecord, Evaluation, Finding, Run, StepRecord, Trace
from striate.runs import Setting
from striate.training import Notice, Probe, Recipe


@dataclass(frozen=True, kw_only=True)
class FitOptions:
    """What a user may ask of ``fit``; None leaves a choice to striate.

    ``arch``: ``auto`` or a TARGET.  ``image``: ``3x32x32`` or ``32x32``.  ``out``: the run's
    folder, which must not hold anything.  ``resume``: the folder of a run to go on with; its own
    data, network and recipe are used, and asking for anything else is an error.  ``recipe``: a
    TOML file whose keys replace the defaults, and are replaced by what is asked for here; or the
    name of a recipe (``recipe_names``).  ``weights``: a file of weights, or a run's folder, to
    begin with; ``pretrained``: the hub's for the network of the zoo that ``arch`` names.
    ``batch``: ``auto`` for the recipe's own where it fits into memory, else what does.
    ``changes``: keys of the recipe, as ``Recipe.with_`` takes them (``{"mix.mixup": 0.2}``), which
    go before those of ``recipe``.
    ``reprobe``: measure the numeric settings again.  ``checkpoint_every``: seconds after which a
    checkpoint is written within an epoch; None for one at the end of each.  ``cache``,
    ``disk_cache``: room for decoded pixels in RAM, and on disk for what exceeds that (``4GiB``).
    ``fold``: (number, of how many) of a cross-validation, as ``DataOptions`` has it; ``like``: a
    run whose recipe, setting and length this one takes.  ``flow.folds`` asks for both.
    ``images``: whether the report carries images of the data; None: those that are built in, which
    are public, and no others.
    """

    arch: str = "auto"
    image: str | None = None
    epochs: int | None = None
    minutes: float | None = None
    batch: int | Literal["auto"] | None = None
    lr: float | None = None
    flip: bool | None = None
    recipe: Path | str | None = None
    changes: Mapping[str, Any] = field(default_factory=dict[str, Any])
    weights: Path | None = None
    pretrained: bool = False
    seed: int | None = None
    workers: int | None = None
    threads: int | None = None
    setting: Setting | Literal["auto"] = "auto"
    reprobe: bool = False
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    out: Path | None = None
    resume: Path | None = None
    checkpoint_every: float | None = 600.0
    fit: Fit = "crop"
    bad_images: BadImages = "error"
    group: str | None = None
    val: float = 0.1
    test: float = 0.2
    cache: str | None = None
    disk_cache: str | None = None
    images: Literal["embed", "none"] | None = None
    fold: tuple[int, int] | None = None
    like: Path | None = None


@dataclass(frozen=True, kw_only=True)
class DataReady:
    """The images, and where they came from."""

    dataset: Dataset


@dataclass(frozen=True, kw_only=True)
class NetworkReady:
    """The network: its name, why it was chosen (None where the user named it), its trace."""

    name: str
    why: str | None
    trace: Trace


@dataclass(frozen=True, kw_only=True)
class Checked:
    """What the linter says of it."""

    findings: tuple[Finding, ...]


@dataclass(frozen=True, kw_only=True)
class WeightsReady:
    """The network has weights that were trained before: whose, and a sentence for each thing about
    them that is not plain.
    """

    source: str
    said: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Probing:
    """The numeric settings are about to be measured; ``reasons`` explain the recipe's defaults."""

    reasons: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Probed:
    """Measured settings, and the choice."""

    probe: Probe


@dataclass(frozen=True, kw_only=True)
class Training:
    """Training begins: the frozen recipe, and the expected seconds where they are known."""

    recipe: Recipe
    folder: Path
    seconds: float | None
    resumed: bool


@dataclass(frozen=True, kw_only=True)
class Evaluated:
    """How the kept weights do on the test split."""

    evaluation: Evaluation


@dataclass(frozen=True, kw_only=True)
class Finished:
    """The run is complete."""

    run: Run


Event = (
    DataReady
    | NetworkReady
    | Checked
    | WeightsReady
    | Probing
    | Probed
    | Training
    | StepRecord
    | EpochRecord
    | Notice
    | Evaluated
    | Finished
)
