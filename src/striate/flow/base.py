"""The network that a search or an advice begins with: named, chosen for the data, or a run's."""

from __future__ import annotations

import os

from striate.arch import Arch, adapt
from striate.data import Dataset
from striate.flow.choose import Need, choose
from striate.flow.scale import arch_of
from striate.training import Facts, default_recipe

MINUTES = 10.0
"""What ``auto`` chooses a width for, as ``fit`` does where no ``--minutes`` is given."""


def named_base(target: str) -> Arch | None:
    """The architecture that TARGET is, before any image is read; None for ``auto``.

    InputError for a module, which has no depth to grow.
    """
    return None if target == "auto" else arch_of(target)


def base_for(dataset: Dataset, named: Arch | None) -> Arch:
    """``named`` for the data's image and classes, or what ``--arch auto`` chooses for them."""
    if named is not None:
        return adapt(named, image=dataset.image, classes=len(dataset.classes))
    facts = Facts(
        train_images=len(dataset.train),
        classes=len(dataset.classes),
        image=dataset.image,
        normed=True,
        crops=dataset.crops,
    )
    need = Need(
        image=dataset.image,
        classes=len(dataset.classes),
        train_images=len(dataset.train),
        seconds=60 * MINUTES,
        epochs=default_recipe(facts).recipe.epochs,
        cores=os.cpu_count() or 1,
    )
    return choose(need).arch
