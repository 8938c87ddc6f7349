"""What a training carries from step to step, and its way into a checkpoint and back."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from torch import Tensor, nn
from torch.optim import Optimizer

from striate.runs import Checkpoint, put_state, state_of
from striate.training.average import average_of
from striate.training.optimiser import make_optimiser, optimiser_state, put_optimiser_state
from striate.training.recipe import Recipe
from striate.training.spikes import Losses


@dataclass(kw_only=True)
class Sums:
    """Over the samples of the current epoch so far; ``seconds`` of its steps alone."""

    loss: float = 0.0
    right: int = 0
    images: int = 0
    seconds: float = 0.0

    def add(self, *, loss: float, right: int, images: int, seconds: float) -> None:
        """Count one step; ``loss`` is the mean over its batch."""
        self.loss += loss * images
        self.right += right
        self.images += images
        self.seconds += seconds


def standard_error(accuracy: float, images: int) -> float:
    """The standard error of an accuracy over ``images``, with two right and two wrong added.

    Agresti and Coull 1998; without them 100 % would be certain after any number of images.
    """
    share = (accuracy * images + 2) / (images + 4)
    return math.sqrt(share * (1 - share) / (images + 4))


@dataclass(kw_only=True)
class Best:
    """The weights to keep: the latest whose validation accuracy is within one standard error of
    the highest so far (the rule of Breiman et al. 1984, section 3.4.3).

    The highest of many epochs is mostly the luckiest of them, and an early one may be; where the
    difference can be told from chance, the higher accuracy wins
    (docs/decisions/0008-which-weights-are-kept.md).  ``mark`` and ``marked``: the accuracy, and its
    epoch, that later ones must exceed by a standard error to count as a rise.
    """

    accuracy: float = -1.0
    epoch: int = 0
    mark: float = -1.0
    marked: int = 0
    weights: dict[str, Tensor] = field(default_factory=dict[str, Tensor])

    def offer(self, module: nn.Module, *, accuracy: float, images: int, epoch: int) -> bool:
        """Keep a copy of ``module``'s weights if the rule says so; returns whether it does."""
        if self.mark < 0 or accuracy > self.mark + standard_error(self.mark, images):
            self.mark, self.marked = accuracy, epoch
        self.accuracy = max(self.accuracy, accuracy)
        if accuracy < self.accuracy - standard_error(self.accuracy, images):
            return False
        self.epoch = epoch
        self.weights = {name: tensor.clone() for name, tensor in state_of(module).items()}
        return True

    def settled(self, patience: int, epochs: int) -> bool:
        """Whether the accuracy did not rise in the last ``patience`` of ``epochs`` epochs."""
        return 0 < patience <= epochs - self.marked and self.mark >= 0


@dataclass(kw_only=True)
class TrainingState:
    """``step`` optimiser steps are done; ``seconds`` is the wall time they and validation took.

    ``rate``: what the recipe's rates are multiplied with.  ``anchor``: the step to whose end the
    training goes back where it is lost; 0 for the weights before step 1.
    """

    module: nn.Module
    average: nn.Module | None
    optimiser: Optimizer
    step: int = 0
    seconds: float = 0.0
    sums: Sums = field(default_factory=Sums)
    best: Best = field(default_factory=Best)
    rate: float = 1.0
    anchor: int = 0
    losses: Losses = field(default_factory=Losses)

    @classmethod
    def fresh(cls, module: nn.Module, recipe: Recipe) -> TrainingState:
        """The state before step 1.  ``module`` lies where it will be trained."""
        return cls(
            module=module,
            average=average_of(module) if recipe.ema else None,
            optimiser=make_optimiser(module, recipe),
        )

    @property
    def judged(self) -> nn.Module:
        """The network that is evaluated and kept: the average where there is one."""
        return self.module if self.average is None else self.average

    def keep_best(self) -> nn.Module:
        """Put the kept weights (the best, or the last where none were judged) into ``module``."""
        weights = self.best.weights or state_of(self.judged)
        put_state(self.module, weights, where="the kept weights")
        return self.module.eval()

    def checkpoint(self, metrics_bytes: int) -> Checkpoint:
        """Everything above as tensors and plain values."""
        parts = {
            "module": state_of(self.module),
            "average": state_of(self.average) if self.average else {},
            "optimiser": optimiser_state(self.optimiser),
            "best": self.best.weights,
        }
        return Checkpoint(
            step=self.step,
            tensors={f"{part}/{name}": t for part, own in parts.items() for name, t in own.items()},
            facts={
                "seconds": self.seconds,
                "metrics_bytes": metrics_bytes,
                "sums": vars(self.sums),
                "best": {
                    name: value for name, value in vars(self.best).items() if name != "weights"
                },
                "rate": self.rate,
                "anchor": self.anchor,
                "losses": vars(self.losses),
            },
        )

    def restore(self, checkpoint: Checkpoint) -> int:
        """Go back to ``checkpoint``; returns the length of metrics.jsonl when it was written."""
        where = f"the checkpoint after step {checkpoint.step}"
        put_state(self.module, checkpoint.part("module"), where=where)
        if self.average is not None:
            put_state(self.average, checkpoint.part("average"), where=where)
        put_optimiser_state(self.optimiser, checkpoint.part("optimiser"))
        facts = checkpoint.facts
        self.step = checkpoint.step
        self.seconds = facts["seconds"]
        self.sums = Sums(**facts["sums"])
        self.best = Best(**facts["best"], weights=checkpoint.part("best"))
        # Checkpoints of before 0.2 were written at the ends of epochs, and hold none of these.
        self.rate = facts.get("rate", 1.0)
        self.anchor = facts.get("anchor", checkpoint.step)
        self.losses = Losses(**facts.get("losses", {}))
        return facts["metrics_bytes"]
