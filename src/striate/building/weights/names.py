"""Between our names of a network's tensors and another library's."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from striate.arch import Arch
from striate.building.network import build
from striate.building.weights import timm_names, torchvision_names
from striate.building.weights.families import family_of
from striate.errors import ArchError

_NAMES = {
    "timm": (timm_names.FAMILIES, timm_names.TENSORS),
    "torchvision": (torchvision_names.FAMILIES, torchvision_names.TENSORS),
}
LIBRARIES = ("striate", *_NAMES)


def names(arch: Arch, library: str) -> dict[str, str]:
    """For each of our tensors, what ``library`` calls it.  ArchError where it has no such network.

    >>> from striate.arch import zoo
    >>> names(zoo("resnet18"), "timm")["stages.1.blocks.0.shortcut.norm.running_var"]
    'layer2.0.downsample.1.running_var'
    """
    ours = build(arch, device="meta").state_dict()
    if library == "striate":
        return {name: name for name in ours}
    families, tensors = _NAMES[library]
    translate = families[family_of(arch, library)]
    found: dict[str, str] = {}
    for name in ours:
        path, _, tensor = name.rpartition(".")
        theirs = translate(arch, path.split("."))
        joint = "_" if theirs.endswith("in_proj") else "."  # torch's own attention
        found[name] = f"{theirs}{joint}{tensors.get(tensor, tensor)}".lstrip(".")
    return found


def layout_of(arch: Arch, state: Mapping[str, Tensor]) -> str:
    """The library that named ``state``, of those that have such a network, by most names in common.

    ArchError where not even half of the names are anyone's.
    """
    scores: dict[str, float] = {}
    for library in LIBRARIES:
        try:
            theirs = set(names(arch, library).values())
        except ArchError:
            continue
        scores[library] = len(theirs & state.keys()) / len(theirs)
    best = max(scores, key=lambda library: scores[library])
    if scores[best] < 0.5:
        some = next(iter(state), "nothing")
        raise ArchError(
            f"{arch.name}: these weights are of another network ({some!r}, …: {len(state)} "
            f"tensors, of which {scores[best]:.0%} have a name in this one)"
        )
    return best


def convert(arch: Arch, state: Mapping[str, Tensor], *, library: str) -> dict[str, Tensor]:
    """``state`` under our names.  What the two shape otherwise (a fully connected layer that is a
    convolution on a 1 × 1 map, or over the whole map) is reshaped; no number changes.  Weights
    without a last layer at all (of features) are taken without it.

    ArchError for another tensor that is missing, or one that nothing here has a place for.
    """
    theirs = names(arch, library)
    head = {name for ours, name in theirs.items() if ours.startswith("head.linear.")}
    headless = head if head.isdisjoint(state) else set[str]()
    missing = [name for name in theirs.values() if name not in state]
    counters = {name for name in missing if name.endswith("num_batches_tracked")}
    lacking = [name for name in missing if name not in counters | headless]
    if lacking:
        raise ArchError(
            f"{arch.name}: the weights lack {_few(lacking)}; they are of another network"
        )
    places = set(theirs.values())
    extra = [name for name in state if name not in places]
    if extra:
        raise ArchError(
            f"{arch.name} has no place for {_few(extra)}; the weights are of another network"
        )
    shapes = build(arch, device="meta").state_dict()
    return {
        ours: _shaped(state[name], shapes[ours].shape)
        if name in state
        else torch.zeros((), dtype=torch.int64)
        for ours, name in theirs.items()
        if name not in headless
    }


def _few(names: list[str], most: int = 3) -> str:
    """The first few of ``names``, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(map(repr, names[:most])) + more


def _shaped(tensor: Tensor, shape: torch.Size) -> Tensor:
    """Reshaped where only axes of 1, or the axes behind the first, are written otherwise."""
    if tensor.shape == shape:
        return tensor
    squeezed = [side for side in tensor.shape if side != 1]
    same = squeezed == [side for side in shape if side != 1]
    flat = len(shape) == 2 and tensor.dim() == 4 and tensor.flatten(1).shape == shape
    return tensor.reshape(shape) if same or flat else tensor
