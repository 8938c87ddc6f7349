"""What is looked at: a network, where it started, a control, and the images of one split.

Comes in: what ``look`` was given.  Goes out: ``Subject``, which every way of looking takes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from striate.data import Pixels
from striate.records import Evaluation
from striate.runs import Preprocessing, Setting, logits_of
from striate.seeing.passing import device_of


class Images(Protocol):
    """The part of a split that is needed here."""

    @property
    def name(self) -> str: ...
    @property
    def labels(self) -> NDArray[np.int64]: ...
    def pixels(self, indices: NDArray[np.int64]) -> Pixels: ...
    def paths(self, indices: NDArray[np.int64]) -> list[str]: ...


@dataclass(frozen=True, kw_only=True)
class LookOptions:
    """How much is looked at.

    ``errors``: mistakes drawn.  ``channels``: maps drawn for each stage.  ``images``: images that
    the measurements behind the maps are taken over.
    """

    errors: int = 16
    channels: int = 12
    images: int = 64


@dataclass(frozen=True, kw_only=True)
class Subject:
    """``start`` is the network as it was before training, ``setting`` how it is to be computed."""

    module: nn.Module
    start: nn.Module
    images: Images
    preprocessing: Preprocessing
    evaluation: Evaluation
    setting: Setting
    options: LookOptions = field(default_factory=LookOptions)

    def inputs(self, indices: NDArray[np.int64]) -> Tensor:
        """The network's input for these images: (n, C, H, W) float32."""
        pixels = torch.as_tensor(self.images.pixels(indices)).to(device_of(self.module))
        return self.preprocessing(pixels)

    def logits(self, module: nn.Module, inputs: Tensor, setting: Setting = "fp32") -> Tensor:
        """(n, classes) float32."""
        return logits_of(module, inputs, setting, len(self.preprocessing.classes))

    @cached_property
    def looked_at(self) -> NDArray[np.int64]:
        """The images measurements are taken over: the first, which in order of ids is any."""
        return np.arange(min(self.options.images, len(self.said)), dtype=np.int64)

    @cached_property
    def said(self) -> NDArray[np.int64]:
        """(N,) the class each image was given."""
        return self.evaluation.probabilities.argmax(axis=1)

    @cached_property
    def confidence(self) -> NDArray[np.float32]:
        """(N,) the probability of that class."""
        return self.evaluation.probabilities.max(axis=1)
