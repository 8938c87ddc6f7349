"""A recipe: every training setting as one frozen value, in TOML both ways.

Before step 1 a recipe is frozen (``freeze`` in ``training.plan``): what depends on the clock or
the machine (``setting``, ``threads``, ``decoder``, ``steps``, ``versions``) is decided once and
written into the run's recipe.toml, and a resumed run reads it from there.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import tomlkit
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from striate.data import Augment, Mix
from striate.errors import RecipeError, choices

Share = Annotated[float, Field(ge=0, le=1)]
Natural = Annotated[int, Field(ge=0, le=2**31)]
Positive = Annotated[int, Field(ge=1, le=2**31)]
Weight = Annotated[float, Field(ge=0)]


class _Part(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False
    )


class AugmentPart(_Part):
    """What is done to training images, by chance keyed on (seed, epoch, sample id)."""

    flip: bool = False
    """Mirror half of the images left to right, and the other half in the next epoch: only where a
    mirrored image is of the same class."""
    translate: Natural = 0
    """Shift by up to this many pixels along each axis; what comes in is the border's padding."""
    cutout: Natural = 0
    """Side in pixels of a square that is covered (DeVries and Taylor 2017); 0 for none."""
    crop: bool = False
    """Random resized crop (Szegedy et al. 2015), for images larger than the network's input."""
    policy: Literal["none", "trivial", "rand"] = "none"
    """Changes of tone and place: TrivialAugment's one of any strength (Müller and Hutter 2021), or
    RandAugment's ``ops`` of one ``strength`` (Cubuk et al. 2020); images of 8 bits a value."""
    ops: Annotated[int, Field(ge=1, le=14)] = 2
    """Of RandAugment: how many changes an image."""
    strength: Annotated[int, Field(ge=0, le=30)] = 9
    """Of RandAugment: how strong they are."""
    erase: Share = 0.0
    """Share of the images of which a rectangle of 2 to 40 % is covered (Zhong et al. 2020)."""

    def to_augment(self) -> Augment:
        """The same choices as the data room takes them."""
        return Augment(**self.model_dump())


class MixPart(_Part):
    """Training images with a partner of the same batch in them, and targets of both classes, by
    chance keyed on (seed, epoch, sample id).  Where both ways are on, each takes half.
    """

    mixup: Annotated[float, Field(ge=0, le=100)] = 0.0
    """α of Mixup (Zhang et al. 2018): a weighted sum of both images; 0 for none."""
    cutmix: Annotated[float, Field(ge=0, le=100)] = 0.0
    """α of CutMix (Yun et al. 2019): a rectangle of the partner's; 0 for none."""
    share: Share = 1.0
    """Of the images that are mixed at all."""

    def to_mix(self) -> Mix:
        """The same choices as the data room takes them."""
        return Mix(**self.model_dump())


class FinetunePart(_Part):
    """How weights that were trained before are trained on; the last layer, the one that gives the
    logits, has the recipe's own rate.
    """

    head_first: Share = 0.0
    """Share of all steps, from the first, in which the last layer alone is trained; 1 for a linear
    probe.  What is not trained is in evaluation mode: its norms use the statistics they have."""
    frozen_stem: Share = 0.0
    """Share of all steps, from the first, in which the stem is not trained; 1 for all."""
    rate: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Learning rate of the layers before the last, as a multiple of ``lr``."""
    layer_decay: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Rate of each layer as a multiple of the next one's, from the last block down to the stem.  A
    layer is a block; of more than twelve blocks, neighbours are one layer."""


class MuonPart(_Part):
    """What Muon leaves to SGD with Nesterov momentum: biases, norms and the last layer.

    Rates are for one image: a batch's is as many times as high (Goyal et al. 2017, section 2.1).
    The figures are those of airbench94_muon (Jordan 2024), for means instead of sums.
    """

    bias: Annotated[float, Field(gt=0)] = 0.053
    """Rate of biases, but for the last layer's."""
    norm: Annotated[float, Field(ge=0)] = 2.5e-4
    """Rate of norms' scales; 0 leaves them as they begin."""
    scale: Annotated[float, Field(ge=0)] = 2.5e-4
    """Rate of other scales, and of positions and tokens."""
    last: Annotated[float, Field(gt=0)] = 1e-5
    """Rate of the last layer, weights and bias: logits answer to it at once."""
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.85
    """Of all three."""
    decay: Annotated[float, Field(ge=0)] = 2e-6
    """Share by which a gradient step shrinks biases and the last layer, for one image."""


class SmallPart(_Part):
    """Smaller images first (Howard 2018; Tan and Le 2021, section 4)."""

    side: Annotated[float, Field(gt=0, le=1)] = 0.75
    """Their height and width, as a share of the full ones."""
    until: Share = 0.5
    """Share of all steps, from the first, that see them."""


class Recipe(_Part):
    """Training settings.  Defaults for a data set come from ``default_recipe``."""

    seed: Natural = 0
    """Of weights, order, augmentation and dropout."""
    epochs: Positive = 30
    """Passes over the training split; with ``minutes`` the plan decides and writes it here."""
    minutes: Annotated[float, Field(gt=0)] | None = None
    """Time budget of training, validation included; it decides the number of steps."""
    most_epochs: Positive | None = None
    """With ``minutes``: no more passes than this, however long the time."""
    batch_size: Positive = 128
    """Images a step, at most: an epoch's batches differ in size by at most one."""

    optimiser: Literal["sgd", "adamw", "muon"] = "sgd"
    """SGD with Nesterov momentum, AdamW (Loshchilov and Hutter 2019), or Muon for filters and other
    matrices (Jordan et al. 2024) with SGD for the rest."""
    lr: Annotated[float, Field(gt=0)] = 0.1
    """Highest learning rate; Muon's is relative to the length of the weights."""
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    """Of SGD and of Muon; AdamW's first beta."""
    weight_decay: Annotated[float, Field(ge=0)] = 5e-4
    """Of weights of two dimensions or more, never of norms and biases; ``muon`` has its own."""
    schedule: Literal["cosine", "linear"] = "cosine"
    """How the rate falls to zero after the warm-up."""
    warmup: Share = 0.1
    """Share of all steps in which the rate rises linearly from zero."""
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the target spread evenly over all classes (Szegedy et al. 2016)."""
    class_weights: Literal["none", "balanced"] | tuple[Weight, ...] = "none"
    """What an image of each class counts in the loss: ``balanced`` for all classes alike, each by
    one over its number of images; or a number for each, in the order of the classes.  They are
    scaled to a mean of 1 over the training images."""
    sampling: Literal["every", "balanced"] = "every"
    """An epoch shows every image once, or as many images of each class as of any other."""
    drop_path: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Stochastic depth (Huang et al. 2016): how often the last residual block is left out for an
    image, the ones before it less, linearly."""
    clip: Annotated[float, Field(gt=0)] | None = None
    """Longest gradient, in the Euclidean norm over all parameters; none for no limit."""
    ema: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Decay a step of the averaged weights that are then evaluated and kept; 0 for none."""

    patience: Natural = 0
    """Stop when the validation accuracy has not risen by more than a standard error for this many
    epochs; 0 for never."""
    tta: Literal["none", "flip", "views"] = "none"
    """What the finished network sees of a test image, and its logits' mean: the image; also its
    mirror image (``flip``); also both shifted by a pixel to either corner (``views``)."""

    augment: AugmentPart = AugmentPart()
    """What is done to each training image."""
    mix: MixPart = MixPart()
    """Training images that are mixed with one another."""
    muon: MuonPart | None = None
    """The rates that stand beside Muon's; of no other optimiser, and ``freeze`` writes them."""
    small: SmallPart | None = None
    """Smaller images first; none for one size from the first step to the last."""
    whiten: bool = False
    """Set the first convolution to whiten the images' patches, and do not train it but for its
    biases, in the first 3/8 of the steps (Jordan 2024, section 3.2 and listing); it needs both
    signs of every component, 2·channels·kernel² filters."""
    finetune: FinetunePart | None = None
    """Only where weights that were trained before are trained on."""

    setting: Literal["auto", "fp32", "fp32-channels-last", "bf16", "bf16-channels-last"] = "auto"
    """Arithmetic and memory order; ``auto`` lets the probe choose."""
    compile: Literal["auto", "off", "on", "graphs"] = "auto"
    """Whether ``torch.compile`` makes the training steps (``graphs``: and replays them as CUDA
    graphs); ``auto`` tries it where the training is long, and takes it where the probe finds that
    it saves more time than it takes.  Evaluation is never compiled."""
    device: str = "cpu"
    """Where the network runs: cpu, cuda, cuda:1, mps."""
    threads: Natural = 0
    """CPU threads of one operation; 0 for torch's own choice."""
    workers: Annotated[int, Field(ge=0, le=256)] = 0
    """Loader processes; the batches are the same with any number."""
    decoder: Literal["auto", "none", "pillow", "simplejpeg"] = "auto"
    """Who decodes JPEG: the decoders round differently, so the choice belongs to the run;
    none for data that holds no files."""
    norms: Literal["reduced", "local"] = "reduced"
    """Of batch norms where several processes train: statistics of the whole batch, as one process
    has them, or of each process's own slice, which asks for no messages in between."""
    deterministic: bool = True
    """Use only operations that give the same bits each time; an error names one that cannot."""

    recover: bool = True
    """Where the loss spikes or is no longer finite, go back to the last good state once and go on
    at half the rates; without it, and at the second time, the run ends."""

    steps: Positive | None = None
    """All optimiser steps; written by ``freeze``.  The last epoch may be cut short by it."""
    versions: dict[str, str] = {}
    """What the run was started with; written by ``freeze``."""

    @model_validator(mode="after")
    def _is_possible(self) -> Recipe:
        if self.optimiser == "adamw" and self.lr > 1:
            raise ValueError(f"lr = {self.lr} is no rate for adamw; 0.001 is usual")
        if isinstance(self.class_weights, tuple) and not sum(self.class_weights):
            raise ValueError("class_weights has no number above 0, so nothing would be learnt")
        if self.sampling == "balanced" and self.class_weights == "balanced":
            raise ValueError(
                'sampling = "balanced" shows all classes alike, and class_weights = "balanced" '
                "would count the rare ones twice; take one of them"
            )
        if self.optimiser == "muon" and self.lr >= 1:
            raise ValueError(
                f"lr = {self.lr} would turn filters over at every step of muon; 0.24 is usual"
            )
        return self

    @property
    def frozen(self) -> bool:
        """Whether everything that depends on clock or machine has been decided."""
        return (
            self.steps is not None
            and self.setting != "auto"
            and self.threads > 0
            and self.decoder != "auto"
        )

    def with_(self, changes: Mapping[str, Any], *, where: str = "recipe") -> Recipe:
        """The recipe with ``changes``, checked; ``augment.flip`` and its like reach inside, and
        ``finetune.rate`` makes a table of its kind where there was none.

        ``RecipeError`` begins with ``where`` and names the key, the value and the choices.
        """
        data = self.model_dump(exclude_defaults=True)
        for key, value in changes.items():
            outer, _, inner = key.partition(".")
            if inner and outer in TABLES:
                data[outer] = {**(data.get(outer) or {}), inner: value}
            else:
                data[key] = value
        return from_dict(data, where=where)


TABLES: dict[str, type[_Part]] = {
    "augment": AugmentPart,
    "mix": MixPart,
    "finetune": FinetunePart,
    "muon": MuonPart,
    "small": SmallPart,
}
"""The recipe's tables, whose keys are written ``table.key`` where a recipe is flat."""


def from_dict(data: Mapping[str, Any], *, where: str = "recipe") -> Recipe:
    """A Recipe from plain data; ``RecipeError`` of one line begins with ``where``."""
    try:
        return Recipe.model_validate(data)
    except ValidationError as problem:
        raise RecipeError(f"{where}: {_complaint(problem)}") from None


def from_toml(text: str, *, where: str = "recipe.toml") -> Recipe:
    """A Recipe from TOML text; ``RecipeError`` of one line begins with ``where``."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        raise RecipeError(f"{where}: not valid TOML: {problem}") from None
    return from_dict(data, where=where)


def load_recipe(path: Path) -> Recipe:
    """A Recipe from a TOML file; ``RecipeError`` if it is missing, unreadable or invalid."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        reason = problem.strerror if isinstance(problem, OSError) else "not UTF-8 text"
        raise RecipeError(f"{path}: cannot be read ({reason}); give a recipe's TOML") from None
    return from_toml(text, where=str(path))


def to_toml(recipe: Recipe) -> str:
    """TOML text of every key that is set, so that no later default changes a stored recipe."""
    document = tomlkit.document()
    data = recipe.model_dump(mode="json", exclude_none=True)
    tables = {key: data.pop(key, None) for key in (*TABLES, "versions")}
    for key, value in data.items():
        document.add(key, value)
    for key, table in tables.items():
        if table:
            document.add(tomlkit.nl())
            document.add(key, tomlkit.item(table))
    return tomlkit.dumps(document)


def json_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of a recipe's TOML, every key described; for editors."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Recipe.model_json_schema(),
        "title": "striate recipe",
    }


def _complaint(problem: ValidationError) -> str:
    """The most telling error in one line: an unknown key first, then the first that was found."""
    errors = problem.errors(include_url=False)
    # Of the ways in which a list is none of a key's kinds, the one that names its element.
    first = min(
        errors,
        key=lambda error: (
            error["type"] != "extra_forbidden",
            not any(isinstance(key, int) for key in error["loc"]),
        ),
    )
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    # A key of several kinds has their names in the place: literal['none','balanced'].
    loc = [key for key in first["loc"] if isinstance(key, str) and key.isidentifier()]
    if first["type"] == "extra_forbidden":
        part = TABLES[loc[0]] if len(loc) > 1 and loc[0] in TABLES else Recipe
        said = f"unknown key {'.'.join(loc)!r}; {choices(loc[-1], part.model_fields)}"
    elif first["type"] == "value_error":
        said = str(first.get("ctx", {}).get("error"))
    else:
        message = first["msg"].removeprefix("Input ")
        said = f"{'.'.join(loc)} = {first['input']!r} {message}"
    return said + more
