"""Weights that were trained before, put into a network, with every change said.

``load_weights`` is for Python; ``fit`` reads them first (``weights_given.py``), and puts them into
its network when it knows the images.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from striate.arch import Arch
from striate.building import Network
from striate.building.weights import Part, fit_weights
from striate.errors import ArchError, InputError
from striate.flow.weights_given import Given, Numbers, given_weights, hub_weights, recognised
from striate.runs import put_state, state_of


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """What came of it: the network has the weights.

    ``library``: whose names they had.  ``adapted``: parts that are not as they were given.
    ``mean``, ``std``: by which its images are to be normalised (of pixels in 0…1), () where nobody
    knows.  ``said``: a sentence for everything that was changed, left fresh, or assumed.
    """

    source: str
    sha256: str
    library: str
    adapted: frozenset[Part]
    mean: Numbers
    std: Numbers
    said: tuple[str, ...]


def load_weights(
    module: nn.Module, weights: Path | str | None = None, *, pretrained: bool = False
) -> Loaded:
    """Put trained weights into ``module``, in place.

    ``weights``: a file (safetensors, or what ``torch.save`` wrote) with the names of timm,
    torchvision or striate, or the folder of a run.  ``pretrained``: those of the hub for the
    network of the zoo that ``module`` was built from.  What does not fit is adapted where it can
    be (input channels, the stem's kernel, positions) or left fresh (the last layer), and said.

    InputError in one line where weights are missing, broken, or another network's.

    >>> network = striate.build(striate.zoo("resnet18"))  # doctest: +SKIP
    >>> striate.load_weights(network, "resnet18.pth").mean  # doctest: +SKIP
    (0.485, 0.456, 0.406)
    """
    if (weights is None) == (not pretrained):
        raise InputError("load_weights: give either a file of weights or pretrained=True")
    if weights is not None:
        return put_weights(module, given_weights(Path(weights)))
    if not isinstance(module, Network):
        raise InputError(
            f"load_weights: {type(module).__name__} is no network of the zoo; give a file"
        )
    return put_weights(module, hub_weights(module.arch.name))


def put_weights(module: nn.Module, given: Given, *, classes: Sequence[str] | None = None) -> Loaded:
    """Put ``given`` into ``module``, in place; ``classes``: the names that its logits will have."""
    said: tuple[str, ...] = ()
    adapted: frozenset[Part] = frozenset()
    if isinstance(module, Network):
        arch, given = module.arch, recognised(given, module.arch)
        try:
            others = _other_classes(arch, given, classes)
            fitted = fit_weights(module, given.state, other_classes=others)
        except ArchError as error:
            raise ArchError(f"{given.source}: {error}") from error
        put_state(module, fitted.state, where=given.source)
        adapted = fitted.adapted
        kept = () if "head" in adapted else (_kept_head(arch, given),)
        size = () if "stem" in adapted else _said_size(given, arch)
        said = (*fitted.said, *kept, *size)
    else:
        _put_plainly(module, given)
    return Loaded(
        source=given.source,
        sha256=given.sha256,
        library=given.library or "its own",
        adapted=adapted,
        mean=given.mean,
        std=given.std,
        said=(*given.said, *said, _said_normalised(given)),
    )


def _other_classes(arch: Arch, given: Given, classes: Sequence[str] | None) -> str | None:
    """Why a run's last layer is not this network's though it has as many rows; None where it is."""
    known = given.classes
    if known is None or classes is None or len(known) != arch.classes or known == tuple(classes):
        return None
    return f"it told {', '.join(known[:3])}{', …' if known[3:] else ''} apart, not these classes"


def _kept_head(arch: Arch, given: Given) -> str:
    if given.classes is not None:
        return f"the last layer is kept: the run's {arch.classes} classes are these"
    return (
        f"the last layer is kept: the weights are of {arch.classes} classes too, taken to be the "
        "same in the same order"
    )


def _said_size(given: Given, arch: Arch) -> tuple[str, ...]:
    side = arch.image[1:]
    if given.side is None or given.side == side:
        return ()
    theirs, ours = ("x".join(map(str, size)) for size in (given.side, side))
    said = (
        f"the weights were trained on {theirs} images and these are {ours}, so that filters meet "
        f"things at another scale; --image {theirs} would bring the images to it"
    )
    return (said,)


def _said_normalised(given: Given) -> str:
    if not given.mean:
        return (
            "nobody says how the images were normalised that the weights were trained on: this "
            "data's own mean and deviation are used"
        )
    return (
        f"images are normalised by mean {_row(given.mean)} and deviation {_row(given.std)}, as the "
        f"weights expect: {given.normalised}"
    )


def _row(values: Numbers) -> str:
    return " ".join(f"{value:.3f}" for value in values)


def _put_plainly(module: nn.Module, given: Given) -> None:
    """A user's own module takes its own names and shapes, all of them."""
    own, name = state_of(module), type(module).__name__
    lacking = [key for key in own if key not in given.state]
    extra = [key for key in given.state if key not in own]
    for keys, what in ((lacking, "the weights lack"), (extra, "the network has no")):
        if keys:
            more = f" and {len(keys) - 3} more" if keys[3:] else ""
            raise InputError(
                f"{given.source}: does not fit {name}: {what} "
                f"{', '.join(map(repr, keys[:3]))}{more}; a network of your own takes weights of "
                "its own names"
            )
    put_state(module, given.state, where=given.source)
