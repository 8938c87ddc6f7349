"""One optimiser step: a pure function of the state before it, the batch and the step's number."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from striate.data import Batch
from striate.runs import Preprocessing, Setting, logits_of
from striate.training.average import update_average
from striate.training.compiling import Compiled
from striate.training.loss import Loss, right
from striate.training.processes import Agreed, Processes
from striate.training.recipe import Recipe
from striate.training.replica import Replica
from striate.training.resizing import resized
from striate.training.signals import StopAsked
from striate.training.state import TrainingState
from striate.training.steady import steady_step


@dataclass(frozen=True, kw_only=True)
class Stepper:
    """What is the same at every step of a training.  ``stop``: whether a signal came."""

    state: TrainingState
    replica: Replica
    compiled: Compiled
    together: Processes
    preprocessing: Preprocessing
    recipe: Recipe
    setting: Setting
    criterion: Loss
    stop: StopAsked

    def take(self, batch: Batch, *, whole: int, step: int) -> Agreed:
        """Step number ``step`` on ``batch``, this process's slice of ``whole`` samples; returns
        the whole batch's loss and the number classified rightly before it.

        Where the loss is not finite nothing is changed.
        """
        state, recipe, together = self.state, self.recipe, self.together
        setting, classes = self.setting, len(self.preprocessing.classes)
        images = self.preprocessing(torch.as_tensor(batch.pixels).to(recipe.device))
        images = resized(images, recipe, step=step)
        state.optimiser.zero_grad()
        keys = torch.as_tensor(batch.keys.view(np.int64))
        with (
            steady_step(recipe.seed, step, keys, rank=together.rank),
            together.norms(recipe.norms),
            self.compiled.through(images, step) as compiled,
        ):
            module = compiled
            if module is None:
                module = self.replica.ready(lambda own: logits_of(own, images, setting, classes))
            logits = logits_of(module, images, setting, classes)
            loss = self.criterion(logits, batch)
            hits = right(logits, batch)
            agreed = together.agree(loss.item(), hits, len(batch), whole, stop=bool(self.stop))
            if not math.isfinite(agreed.loss):
                return agreed
            (loss * together.weight(len(batch), whole)).backward()
        if recipe.clip:
            nn.utils.clip_grad_norm_(state.module.parameters(), recipe.clip)
        state.optimiser.step()
        if state.average is not None:
            update_average(state.average, state.module, recipe.ema, step)
        return agreed
