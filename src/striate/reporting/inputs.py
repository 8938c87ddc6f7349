"""What the page is made from: records, and what only the caller knows about the run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from striate.records import (
    Calibration,
    EpochRecord,
    Evaluation,
    Evidence,
    Finding,
    ProbeResult,
    StepRecord,
    Trace,
)


@dataclass(frozen=True, kw_only=True)
class DataFacts:
    """What the images are.

    ``image``: (C, H, W) as the network takes them.  ``counts``: images of each split, by its name,
    in reading order.  ``class_counts``: for each split one count per class.  ``sizes``: the sizes
    of the files before they were fitted, in words ("640×480 to 1024×768"), or None where all are
    of the network's size.  ``pixel_range``: the values drawn as black and as white.  ``mean`` and
    ``std``: per channel, of pixels divided by ``scale``.  ``notes``: the rules that were applied,
    one sentence each.  ``examples``: (n, C, H, W) pixels of training images, with their
    ``example_labels`` (n,).
    """

    name: str
    classes: tuple[str, ...]
    image: tuple[int, int, int]
    counts: Mapping[str, int]
    class_counts: Mapping[str, Sequence[int]] = field(default_factory=dict[str, tuple[int, ...]])
    sizes: str | None = None
    pixel_range: tuple[float, float] = (0.0, 255.0)
    scale: float = 255.0
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    notes: tuple[str, ...] = ()
    examples: NDArray[Any] = field(default_factory=lambda: np.zeros((0, 1, 1, 1), np.uint8))
    example_labels: Sequence[int] = ()


@dataclass(frozen=True, kw_only=True)
class RunFacts:
    """How the run was made.

    ``name``: the run's folder.  ``arch``: the network's name; ``why`` it was chosen, a sentence,
    or None where the user named it.  ``seconds``: training's wall time.  ``setting``: the numeric
    setting it trained in.  ``date``: as it is to be read.  ``hardware``: the machine in words.
    ``texts``: files of the run to show whole, by name (``recipe.toml``, ``arch.toml``).
    ``versions``: by package.  ``weights``: where the weights it began with are from, and a sentence
    for each thing that was done to them; empty where they were fresh.
    """

    name: str
    arch: str
    command: str
    seconds: float
    setting: str
    date: str
    why: str | None = None
    hardware: str | None = None
    seed: int | None = None
    texts: Mapping[str, str] = field(default_factory=dict[str, str])
    versions: Mapping[str, str] = field(default_factory=dict[str, str])
    weights: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class ReportInput:
    """Everything the page says.  ``evaluation`` is of the split that nothing was chosen on.

    ``steps`` are for the learning rate alone, and may be thinned.  ``images``: whether the page
    may carry images of the data, and pictures made from one.  ``calibration``: the temperature
    that was fitted on the validation split, and ``tempered`` the evaluation's probabilities at it.
    """

    run: RunFacts
    data: DataFacts
    trace: Trace
    evaluation: Evaluation
    findings: Sequence[Finding] = ()
    probe: Sequence[ProbeResult] = ()
    epochs: Sequence[EpochRecord] = ()
    steps: Sequence[StepRecord] = ()
    evidence: Sequence[Evidence] = ()
    images: bool = True
    calibration: Calibration | None = None
    tempered: Evaluation | None = None
