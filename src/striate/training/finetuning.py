"""Fine-tuning: which layers are trained at a step, and at which rate.

Both are functions of the recipe and the step alone, so that a resumed run goes on as the one that
was never stopped.  A layer that is not trained yet gets no gradient and no weight decay, and stays
in evaluation mode: its norms use the statistics that they have and do not change them, its dropout
drops nothing.  So it is the same to the bit until its first step.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import cast

from torch import nn

from striate.errors import RecipeError
from striate.training.layers import Layers, layers_of
from striate.training.recipe import FinetunePart, Recipe
from striate.training.schedule import lr_at


def first_steps(finetune: FinetunePart, layers: Layers, steps: int) -> tuple[int, ...]:
    """For each layer, how many of the ``steps`` are over before it is trained."""
    head = round(finetune.head_first * steps)
    stem = max(head, round(finetune.frozen_stem * steps))
    row = [head] * len(layers.paths)
    row[0], row[layers.last] = stem, 0
    return tuple(row)


def scales(finetune: FinetunePart, layers: Layers) -> tuple[float, ...]:
    """For each layer, its rate as a multiple of the last layer's.

    ``rate`` · ``layer_decay``ⁿ for the layer that stands n before the last but one (Clark et al.
    2020, "ELECTRA").
    """
    last = layers.last
    body = [finetune.rate * finetune.layer_decay ** (last - 1 - at) for at in range(last)]
    return (*body, 1.0)


class Phases:
    """Puts ``module`` into the state of each step; without ``finetune`` in the recipe all of it is
    trained at all steps, at one rate.

    ``recipe`` is frozen, ``module`` as it will be trained.  RecipeError where nothing of the last
    layer can be trained.
    """

    def __init__(self, module: nn.Module, recipe: Recipe) -> None:
        self._module = module
        self._recipe = recipe
        self._steps = recipe.steps or 1
        self._now: frozenset[int] | None = None
        self._layers: Layers | None = None
        self._trained: list[list[nn.Parameter]] = []
        if recipe.finetune is None:
            return
        self._layers = layers_of(module)
        self._first = first_steps(recipe.finetune, self._layers, self._steps)
        self._scales = scales(recipe.finetune, self._layers)
        self._trained = [[] for _ in self._layers.paths]
        for name, parameter in module.named_parameters():
            if parameter.requires_grad:
                self._trained[self._layers.of(name)].append(parameter)
        if not self._trained[-1]:
            raise RecipeError(
                f"finetune: {self._layers.paths[-1][-1]} is the last layer, and nothing in it is "
                "trained (requires_grad is False); let it be trained, or leave finetune out"
            )

    def frozen(self, step: int) -> frozenset[int]:
        """The layers that are not trained at ``step`` (1, 2, …)."""
        if self._layers is None:
            return frozenset()
        return frozenset(at for at, first in enumerate(self._first) if step <= first)

    def rates(self, step: int) -> tuple[float, ...]:
        """The rate of each layer at ``step``, 0 where it is not trained; () where all have one."""
        if self._layers is None:
            return ()
        return tuple(
            scale * lr_at(self._recipe, step, self._steps, start=first)
            for scale, first in zip(self._scales, self._first, strict=True)
        )

    def begin(self) -> None:
        """Put the module into training mode, whatever it was in before."""
        self._module.train()
        self._now = None

    def enter(self, step: int) -> None:
        """Freeze what is not trained at ``step``, and nothing else."""
        wanted = self.frozen(step)
        if wanted == self._now or self._layers is None:
            return
        self._module.train()
        for at, parameters in enumerate(self._trained):
            for parameter in parameters:
                parameter.requires_grad_(at not in wanted)
        modules = dict(cast("Iterable[tuple[str, nn.Module]]", self._module.named_modules()))
        for at in wanted:
            for path in self._layers.paths[at]:
                if path in modules:
                    modules[path].eval()
        self._now = wanted

    @contextmanager
    def ending(self) -> Generator[None]:
        """After ``with`` every parameter that could be trained before can be again."""
        try:
            yield
        finally:
            for parameters in self._trained:
                for parameter in parameters:
                    parameter.requires_grad_(True)
