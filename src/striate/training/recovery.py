"""What a training does when it is lost: back to its last good state once, at a lower rate.

A training is lost when its loss stops being finite, when its weights do, or when the loss spikes
(``spikes``).  The first time it goes back to the end of the last epoch that ended with a calm loss,
or to the weights before step 1, and goes on from there at ``LOWER`` times the recipe's rates (Zhang
et al. 2022, "OPT", section 2.5: a lower rate and an earlier checkpoint).  The second time it ends.

Where it goes back to, and when, depends on the steps alone: neither on the checkpoints that a clock
or a signal wrote in between, nor on where a process was killed.  The lowered rate is in every
checkpoint from then on.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from striate.errors import Diverged, RunError
from striate.runs import (
    Checkpoint,
    RunFolder,
    atomic_write,
    checkpoint_path,
    load_checkpoint,
    save_checkpoint,
)
from striate.training.notice import Notice
from striate.training.recipe import Recipe
from striate.training.state import TrainingState

LOWER = 0.5
"""What the rates are multiplied with after going back."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Lost:
    """What was seen, and on which step.  ``lr`` was its rate, ``ids`` are its samples'."""

    what: str
    step: int
    epoch: int
    lr: float
    ids: NDArray[np.uint64]

    def as_json(self) -> dict[str, Any]:
        """Every sample id, in hexadecimal."""
        names = [f"{int(word):016x}" for word in self.ids]
        return {
            "what": self.what,
            "epoch": self.epoch,
            "step": self.step,
            "lr": self.lr,
            "ids": names,
        }


class Recovery:
    """Of one training.  Its state lies in ``state``, and so in the checkpoints."""

    def __init__(self, state: TrainingState, recipe: Recipe, folder: RunFolder) -> None:
        """``state`` is fresh: its module has the weights before step 1."""
        if folder.writes:
            folder.paths.diverged.unlink(missing_ok=True)  # of an end that was none
        self._state, self._folder = state, folder
        self._allowed = recipe.recover
        self._start: Checkpoint | None = _copy(state) if recipe.recover else None

    def resumed(self) -> Iterator[Notice]:
        """``state`` was restored from a checkpoint: what should be known of it."""
        self._forget()
        if self._state.rate < 1:
            yield Notice(
                text=f"the run went back once ({self._folder.paths.recovered.name} says why), and "
                f"keeps to {self._state.rate:g} times its rates"
            )

    def good(self) -> None:
        """An epoch has ended: the state is one to go back to, unless the loss stands high."""
        if self._state.losses.high == 0:
            self._state.anchor = self._state.step
        self._forget()

    def back(self, lost: Lost) -> tuple[int, Notice]:
        """Put ``state`` back; returns the length of metrics.jsonl there, and what to tell.

        ``Diverged`` where it went back before, or where there is nothing to go back to.
        """
        state, paths = self._state, self._folder.paths
        if state.rate < 1 or not self._allowed:
            raise self._diverged(lost)
        found = self._anchored()
        if isinstance(found, str):
            raise self._diverged(lost, problem=found)
        lowered = replace(found, facts={**found.facts, "rate": LOWER})
        facts = {**lost.as_json(), "back": found.step, "rate": LOWER}
        if self._folder.writes:
            atomic_write(paths.recovered, (json.dumps(facts, indent=1) + "\n").encode())
            # Later checkpoints are dropped with it, before the records that they count are.
            save_checkpoint(paths.checkpoints, lowered)
        seconds = state.seconds
        metrics_bytes = state.restore(lowered)
        state.seconds = seconds  # what was lost took its time
        self._start = None
        where = f"the end of step {found.step}" if found.step else "the weights before step 1"
        return metrics_bytes, Notice(
            text=f"{_said(lost, paths.recovered)}; went back to {where}, and goes on at "
            f"{LOWER:g} times the learning rates; a second time would end the run"
        )

    def _anchored(self) -> Checkpoint | str:
        """The state to go back to, or why it cannot be had."""
        if self._state.anchor == 0:
            return self._start or "the weights before step 1 are no longer at hand"
        try:
            return load_checkpoint(
                checkpoint_path(self._folder.paths.checkpoints, self._state.anchor)
            )
        except RunError as error:
            return str(error)

    def _diverged(self, lost: Lost, *, problem: str | None = None) -> Diverged:
        """Write diverged.json with every sample id; the message shows the first few."""
        paths, state = self._folder.paths, self._state
        if not self._folder.writes:
            return Diverged("")  # of several processes the first says it
        facts = {**lost.as_json(), **({"rate": state.rate} if state.rate < 1 else {})}
        atomic_write(paths.diverged, (json.dumps(facts, indent=1) + "\n").encode())
        good = checkpoint_path(paths.checkpoints, state.anchor)
        if problem is not None:
            kept = f"there was no going back ({problem})"
        else:
            kept = f"the last good checkpoint is {good}" if good.exists() else "no epoch had ended"
        again = f" again, at {state.rate:g} times the rates" if state.rate < 1 else ""
        return Diverged(
            f"{_said(lost, paths.diverged)}{again}; {kept}; start anew with a lower --lr, or with "
            "clip = 1 in the recipe"
        )

    def _forget(self) -> None:
        if self._state.anchor:
            self._start = None


def finite(module: nn.Module) -> bool:
    """Whether every parameter and floating-point buffer is finite."""
    tensors = [*module.parameters(), *module.buffers()]
    return all(bool(t.isfinite().all()) for t in tensors if t.is_floating_point())


def _said(lost: Lost, file: Any) -> str:
    names = [f"{int(word):016x}" for word in lost.ids]
    rest = f" … ({len(names)} in {file})" if names[4:] else ""
    return (
        f"{lost.what} at step {lost.step} (epoch {lost.epoch}, lr {lost.lr:.3g}; sample ids "
        f"{', '.join(names[:4])}{rest})"
    )


def _copy(state: TrainingState) -> Checkpoint:
    """The state before step 1, with tensors of its own, in memory that no device needs."""
    first = state.checkpoint(0)
    tensors: Mapping[str, torch.Tensor] = {
        name: tensor.detach().to("cpu", copy=True) for name, tensor in first.tensors.items()
    }
    return replace(first, tensors=tensors, facts=json.loads(json.dumps(first.facts)))
