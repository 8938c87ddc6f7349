"""Which axis of a network to grow next: what was measured, what it says, what follows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Axis = Literal["depth", "width", "resolution"]
AXES: tuple[Axis, ...] = ("depth", "width", "resolution")

Side = Literal["for", "against", "closed", "note"]
"""What a sentence says of its axis: ``for`` and ``against`` it, ``closed`` where that is reason
enough to leave the axis alone (or, in a network that must shrink, to take from it first)."""


@dataclass(frozen=True, kw_only=True)
class DataFacts:
    """The images that a network learns from.

    ``image``: (C, H, W) as the network takes them.  ``least``, ``median``, ``greatest``: (height,
    width) in which they came.  ``fewest``: training images of the rarest class.
    """

    name: str
    train: int
    val: int
    classes: int
    fewest: int
    image: tuple[int, int, int]
    least: tuple[int, int]
    median: tuple[int, int]
    greatest: tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class StageFacts:
    """A stem, a stage or a head: what it gives and what it costs, for one image.

    ``path``: its module.  ``size``, ``field``, ``least``: (height, width) of its map, and of the
    receptive field of an element of it along the widest and the narrowest path, in pixels; None
    where there is no map, or no such number (attention, whose status is ``whole``).
    ``train_bytes``: kept of it for backward.  ``seconds``: measured, of a forward of one image.
    """

    path: str
    size: tuple[int, int] | None
    status: str | None
    field: tuple[int, int] | None
    least: tuple[int, int] | None
    params: int
    macs: int
    activations: int
    train_bytes: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class StepFacts:
    """The largest member by a rule within the budget, and its cost by the names of budgets.

    ``why_not``: where there is none other than the network itself.
    """

    rule: str
    phi: float | None = None
    image: tuple[int, int, int] | None = None
    cost: Mapping[str, float] = field(default_factory=dict[str, float])
    binds: tuple[str, ...] = ()
    why_not: str | None = None


@dataclass(frozen=True, kw_only=True)
class RunFacts:
    """What a finished run has learned.

    Accuracies in 0…1 of the kept weights without augmentation: on a sample of the training images
    and on all of the validation split.  ``channels``, ``dead``, ``saturated``: of all activations,
    over ``looked`` validation images.  ``branches``: residual branches, ``idle`` those of them that
    change nothing.
    """

    path: str
    epochs: int
    train_accuracy: float
    train_images: int
    val_accuracy: float
    val_images: int
    looked: int
    channels: int
    dead: int
    saturated: int
    branches: int
    idle: int


@dataclass(frozen=True, kw_only=True)
class SearchFacts:
    """What a finished search for α, β and γ found on the same data and network.

    Accuracies (0…1) on the validation split, means over seeds: of the ``chosen`` coefficients, of
    the ``base`` (None where it diverged), and of each axis grown ``alone``, where that was tried.
    ``tied`` of the ``candidates`` cannot be told apart; ``error``: standard error of a mean;
    ``divisor``: what widths were rounded to a multiple of.
    """

    folder: str
    alpha: float
    beta: float
    gamma: float
    chosen: float
    base: float | None
    alone: Mapping[str, float]
    error: float
    tied: int
    candidates: int
    val_images: int
    divisor: int


@dataclass(frozen=True, kw_only=True)
class Remark:
    """What the linter says that bears on an axis: its code, sentence and numbers."""

    code: str
    path: str
    message: str
    measured: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class AdviceFacts:
    """All that was measured.  ``budgets``: limits; ``cost``: what the network has of each key of
    them and of the others, ``latency`` in seconds for ``batch`` images, ``train_bytes`` likewise.
    ``assumed``: no budget was given, and this one was taken.  ``warnings``: names by code of the
    linter's errors and warnings on the network as it is.
    """

    network: str
    data: DataFacts
    cost: Mapping[str, float]
    budgets: Mapping[str, float]
    assumed: bool
    batch: int
    stages: tuple[StageFacts, ...]
    steps: tuple[StepFacts, ...]
    warnings: Mapping[str, str] = field(default_factory=dict[str, str])
    remarks: tuple[Remark, ...] = ()
    run: RunFacts | None = None
    search: SearchFacts | None = None

    @property
    def grows(self) -> bool:
        """Whether the network meets every budget, so that there is room; else it must shrink."""
        return all(self.cost[key] <= limit for key, limit in self.budgets.items())

    @property
    def parts(self) -> tuple[StageFacts, ...]:
        """Those that have a map that was not pooled to one element."""
        return tuple(part for part in self.stages if part.path != "head")

    def step(self, rule: str) -> StepFacts:
        """The step by one rule."""
        return next(step for step in self.steps if step.rule == rule)


@dataclass(frozen=True, kw_only=True)
class Sentence:
    """One thing said, from what was ``measured``.

    ``thumb``: the source of the rule of thumb that it leans on; None where it leans on none.
    """

    text: str
    measured: Mapping[str, Any]
    axis: Axis | None = None
    side: Side = "note"
    thumb: str | None = None

    def as_json(self) -> dict[str, Any]:
        return {
            "axis": self.axis,
            "says": self.side,
            "text": self.text,
            "measured": dict(self.measured),
            "rule_of_thumb": self.thumb,
        }


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What to do: the factors of depth, width and resolution for each φ, and why in a sentence.

    ``rule``: as ``striate scale --rule`` takes it.
    """

    rule: str
    depth: float
    width: float
    resolution: float
    why: str

    @property
    def options(self) -> str:
        """The same as options of ``striate scale``."""
        if self.rule != "compound":
            return f"--rule {self.rule}"
        return f"--alpha {self.depth:g} --beta {self.width:g} --gamma {self.resolution:g}"


def as_json(value: AdviceFacts) -> dict[str, Any]:
    """The facts as plain data."""
    return asdict(value)
