"""What fine-tuning will do to this network, in sentences."""

from __future__ import annotations

from torch import nn

from striate.building.weights import Part
from striate.flow.weights import Loaded
from striate.training import FinetunePart, Recipe, layers_of, scales


def tuning_said(
    recipe: Recipe, module: nn.Module, loaded: Loaded | None, *, by_default: bool
) -> tuple[str, ...]:
    """Phases and rates of a recipe that fine-tunes.

    ``loaded``: the weights it begins with.  ``by_default``: nobody named a recipe.
    """
    finetune = recipe.finetune
    assert finetune is not None
    layers = layers_of(module)
    factors = scales(finetune, layers)
    said: list[str] = []
    if by_default:
        said.append(
            "The recipe is finetune, since the weights were trained before; --recipe standard "
            "trains them as if they were fresh."
        )
    waits = _waits(finetune, frozenset[Part]() if loaded is None else loaded.adapted)
    if waits:
        said.append(
            f"{waits} What waits is in evaluation mode: its norms use the statistics they have, "
            "and nothing of it changes."
        )
    if layers.last == 0:
        said.append(f"All weights are one layer, with a rate of {recipe.lr:.2g}.")
    else:
        said.append(
            f"Rates: {recipe.lr:.2g} for the last layer, {recipe.lr * factors[-2]:.2g} for the one "
            f"before it, down to {recipe.lr * factors[0]:.2g} for the first of {layers.last + 1}."
        )
    return tuple(said)


def _waits(finetune: FinetunePart, adapted: frozenset[Part]) -> str:
    said: list[str] = []
    if finetune.head_first == 1:
        return "Only the last layer is trained."
    if finetune.head_first:
        what = "last layer, which is fresh," if "head" in adapted else "last layer"
        said.append(
            f"The {what} learns alone for the first {finetune.head_first:.0%} of the steps."
        )
    if finetune.frozen_stem == 1:
        said.append("The stem is not trained.")
    elif finetune.frozen_stem > finetune.head_first:
        said.append(f"The stem waits until {finetune.frozen_stem:.0%} of the steps are over.")
    elif finetune.head_first and adapted - {"head"}:
        said.append("The stem waits no longer than the rest, since it was adapted.")
    return " ".join(said)
