"""The network that a search or an advice begins with: named, chosen for the data, or a run's."""

from __future__ import annotations

import os

from striate.arch import Arch, adapt
from striate.data import Dataset
from striate.errors import InputError
from striate.flow.choose import Need, choose
from striate.flow.targets import resolve
from striate.training import Facts, default_recipe

MINUTES = 10.0
"""What ``auto`` chooses a width for, as ``fit`` does where no ``--minutes`` is given."""


def base_for(dataset: Dataset, target: str) -> Arch:
    """``auto``, or the TARGET, for the data's image and classes.

    InputError for a module, which has no depth to grow.
    """
    if target != "auto":
        found = resolve(target)
        if found.arch is None:
            raise InputError(
                f"--arch {target}: is a module, and only an architecture can be scaled; give a zoo "
                "name or a TOML file (striate zoo NAME > net.toml makes one to begin with)"
            )
        return adapt(found.arch, image=dataset.image, classes=len(dataset.classes))
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
