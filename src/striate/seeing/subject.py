"""What is looked at: a network, where it started, a control, and the images of one split.

Comes in: what ``look`` was given.  Goes out: ``Subject``, which every way of looking takes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from striate.data import Pixels
from striate.records import Evaluation, Evidence, Trace
from striate.runs import Preprocessing, Setting, logits_of
from striate.seeing.control import redrawn, settled_norms
from striate.seeing.passing import device_of

Tick = Callable[[int, int], None]
"""Called with (parts done, parts in all) while a way of looking is at work."""


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
    the measurements behind the maps are taken over.  ``pictures``: images that are explained one
    by one, where none are given.  ``layer``: the module that mechanics and maps of evidence are
    to be taken at, ``at`` the (row, column) of its output, ``channel`` its channel; None: chosen
    by the rule that each way states.
    """

    errors: int = 16
    channels: int = 12
    images: int = 64
    pictures: int = 4
    layer: str | None = None
    at: tuple[int, int] | None = None
    channel: int | None = None


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """Images that are explained one by one.

    ``names`` (k): a file, or a place in a split.  ``pixels`` (k, C, H, W), in the units that the
    run's preprocessing takes.  ``labels`` (k,): -1 where it is not known.  ``why`` (k): how each
    was chosen, a sentence.
    """

    names: tuple[str, ...]
    pixels: NDArray[np.generic]
    labels: NDArray[np.int64]
    why: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What every way of looking takes.

    ``start``: the network as it was before training.  ``setting``: how it is to be computed.
    ``trace``: of the network, at the size of its images.  ``given``: images that were named,
    instead of those ``pictures`` chooses.  ``fresh``: makes the network with other random weights,
    by number; without it the weights of each layer are shuffled.  ``train``: the images it was
    trained on, where they are at hand.  ``beside``: another network on the same images, where two
    are compared.  ``seen``: what several ways take and one has measured, by the function that did.
    """

    module: nn.Module
    start: nn.Module
    images: Images
    preprocessing: Preprocessing
    evaluation: Evaluation
    setting: Setting
    options: LookOptions = field(default_factory=LookOptions)
    trace: Trace | None = None
    given: Pictures | None = None
    fresh: Callable[[int], nn.Module] | None = None
    train: Images | None = None
    beside: Subject | None = None
    seen: dict[str, Evidence] = field(
        default_factory=dict[str, Evidence], compare=False, repr=False
    )

    def inputs(self, indices: NDArray[np.int64]) -> Tensor:
        """The network's input for these images: (n, C, H, W) float32."""
        pixels = torch.as_tensor(self.images.pixels(indices)).to(device_of(self.module))
        return self.preprocessing(pixels)

    def prepared(self, pixels: NDArray[np.generic]) -> Tensor:
        """The network's input for pixels (n, C, H, W) that are in hand: float32."""
        # A copy, since floats would be normalised in place.
        return self.preprocessing(torch.tensor(pixels, device=device_of(self.module)))

    def random(self, number: int) -> nn.Module:
        """The network with random weights, another for each number, in evaluation mode.

        The statistics of its norms are those of the looked-at images, as training's would be: with
        those it was made with, its signals would vanish or explode, and it would be no control.
        """
        module = redrawn(self.module, number) if self.fresh is None else self.fresh(number)
        module = module.to(device_of(self.module))
        return settled_norms(module, self.inputs(self.looked_at))

    @cached_property
    def pictures(self) -> Pictures:
        """The images to explain: those given, or a few of the split by a rule that is stated."""
        return self.given if self.given is not None else self._chosen()

    def _chosen(self) -> Pictures:
        right = np.flatnonzero(self.said == self.images.labels)
        wrong = np.flatnonzero(self.said != self.images.labels)
        order = right[np.argsort(self.confidence[right], kind="stable")]
        wanted = self.options.pictures
        mistakes = wrong[np.argsort(-self.confidence[wrong], kind="stable")][: max(1, wanted // 4)]
        chosen: list[tuple[int, str]] = []
        for turn in range(min(len(order), wanted - min(len(mistakes), wanted - 1))):
            share = _QUANTILES[turn] if turn < len(_QUANTILES) else (turn + 0.5) / wanted
            # The next one of a class that has not been shown, from that quantile on.
            place = round(share * (len(order) - 1))
            shown = {int(self.said[index]) for index, _ in chosen}
            line = [*order[place:], *order[:place][::-1]]
            other = [i for i in line if int(self.said[i]) not in shown] or [
                i for i in line if i not in [index for index, _ in chosen]
            ]
            rule = f"Of those that are right, the one at quantile {share:.3g} of confidence"
            more = ", of a class not shown yet." if turn else "."
            chosen.append((int(other[0]), rule + more))
        chosen += [
            (int(index), "The most confident mistake." if turn == 0 else "A confident mistake.")
            for turn, index in enumerate(mistakes[: wanted - len(chosen)])
        ]
        picked = np.array([index for index, _ in chosen], np.int64)
        return Pictures(
            names=tuple(
                path or f"{self.images.name} image {index}"
                for path, index in zip(self.images.paths(picked), picked, strict=True)
            ),
            pixels=self.images.pixels(picked),
            labels=self.images.labels[picked],
            why=tuple(why for _, why in chosen),
        )

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


_QUANTILES = (0.5, 0.1, 0.9)
