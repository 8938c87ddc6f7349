"""Every way of looking, one after another.

Comes in: a trained module, the images it was evaluated on, how they are prepared, the Evaluation.
Goes out: Evidence, in the order a reader meets it.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from striate.building import Network, build
from striate.errors import InputError
from striate.records import Evaluation, Evidence
from striate.runs import Preprocessing, Setting
from striate.seeing.control import redrawn
from striate.seeing.errors import errors
from striate.seeing.filters import filters
from striate.seeing.maps import maps
from striate.seeing.passing import device_of
from striate.seeing.subject import Images, LookOptions, Subject

__all__ = ["LookOptions", "look"]


def look(
    module: nn.Module,
    images: Images,
    preprocessing: Preprocessing,
    evaluation: Evaluation,
    *,
    seed: int = 0,
    start: Callable[[], nn.Module] | None = None,
    setting: Setting = "fp32",
    options: LookOptions | None = None,
) -> list[Evidence]:
    """Filters, feature maps and most confident mistakes, each with the checks behind it.

    ``images``: the split that ``evaluation`` is of (or anything with its labels, pixels and paths).
    ``start``: makes the network as it was before training; by default, for a network of striate's
    own, ``build(module.arch, seed=seed)``.  ``setting``: the one the evaluation was computed in.
    The module is left as it was: modes, hooks and weights.

    InputError where evaluation and images are not of one split, or where ``start`` is needed.
    """
    if start is None and not isinstance(module, Network):
        raise InputError(
            f"{type(module).__name__} is not built from an Arch, so its first weights are not "
            "known; give start=, a function that makes the network as it was before training"
        )
    subject = subject_of(
        module,
        images,
        preprocessing,
        evaluation,
        seed=seed,
        start=start,
        setting=setting,
        options=options,
    )
    return [filters(subject), *maps(subject), errors(subject)]


def subject_of(
    module: nn.Module,
    images: Images,
    preprocessing: Preprocessing,
    evaluation: Evaluation,
    *,
    seed: int = 0,
    start: Callable[[], nn.Module] | None = None,
    setting: Setting = "fp32",
    options: LookOptions | None = None,
) -> Subject:
    """What every way of looking takes, from what ``look`` is given.

    Where nothing says how the network was made, a copy with shuffled weights stands for its start.
    """
    if len(evaluation) != len(images.labels):
        raise InputError(
            f"the evaluation is of {len(evaluation)} images and the {images.name} split has "
            f"{len(images.labels)}; give the split that was evaluated"
        )
    if start is not None:
        first = start()
    elif isinstance(module, Network):
        first = build(module.arch, seed=seed)
    else:
        first = redrawn(module, 0)
    return Subject(
        module=module,
        start=first.to(device_of(module)),
        images=images,
        preprocessing=preprocessing,
        evaluation=evaluation,
        setting=setting,
        options=options or LookOptions(),
    )
