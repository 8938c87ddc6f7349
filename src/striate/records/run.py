"""What training says while it runs, and what is left when it ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class StepRecord:
    """One optimiser step.  ``loss`` and ``accuracy`` are of the batch it was taken on.

    ``images`` is the size of that batch; ``lr`` the rate that was applied; ``seconds`` the wall
    time of the step (not part of the run's bits).
    """

    epoch: int
    step: int
    steps: int
    images: int
    loss: float
    accuracy: float
    lr: float
    seconds: float


@dataclass(frozen=True, kw_only=True)
class EpochRecord:
    """The end of one epoch: means over its samples, and the validation split's measurements.

    ``val_loss`` and ``val_accuracy`` are None when there is no validation split.  ``best`` says
    that this epoch's weights are the ones kept so far.
    """

    epoch: int
    epochs: int
    step: int
    train_loss: float
    train_accuracy: float
    val_loss: float | None
    val_accuracy: float | None
    best: bool
    seconds: float
    images_per_second: float


@dataclass(frozen=True, kw_only=True)
class ProbeResult:
    """One candidate numeric setting as measured on the real network.

    ``deviation`` is its worst relative difference to fp32 (``tolerance`` is what is allowed);
    ``agrees`` says whether it may be used at all.  ``compile``: how its steps were compiled, which
    took ``compile_seconds``; ``why`` says what that brings this run.
    """

    setting: str
    images_per_second: float
    deviation: float
    tolerance: float
    agrees: bool
    chosen: bool
    compile: str = "off"
    compile_seconds: float | None = None
    why: str | None = None

    @property
    def name(self) -> str:
        """The setting, and whether it was compiled."""
        words = {"off": "", "on": ", compiled", "graphs": ", CUDA graphs"}
        return self.setting + words[self.compile]

    def as_json(self) -> dict[str, Any]:
        return {
            "setting": self.setting,
            "images_per_second": self.images_per_second,
            "deviation": self.deviation,
            "tolerance": self.tolerance,
            "agrees": self.agrees,
            "chosen": self.chosen,
            "compile": self.compile,
            "compile_seconds": self.compile_seconds,
            "why": self.why,
        }


@dataclass(frozen=True, kw_only=True)
class Run:
    """A finished run, as read back from its folder.  ``accuracy`` in 0…1."""

    run: str
    arch: str
    accuracy: float
    loss: float
    ece: float
    epochs: int
    seconds: float
    images_per_second: float
    setting: str
    report: str | None

    def as_json(self) -> dict[str, Any]:
        """The ``fit`` document: its keys do not change without a version bump."""
        return {
            "striate": 1,
            "run": self.run,
            "arch": self.arch,
            "accuracy": self.accuracy,
            "loss": self.loss,
            "ece": self.ece,
            "epochs": self.epochs,
            "seconds": self.seconds,
            "images_per_second": self.images_per_second,
            "setting": self.setting,
            "report": self.report,
        }
