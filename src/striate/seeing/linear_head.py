"""Whether what follows a place is linear in its map, and then what is left when the map is zero."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from striate.seeing.passing import replacing, watch
from striate.seeing.places import Place
from striate.seeing.saliency import Forward


def head_bias(module: nn.Module, place: Place, forward: Forward, inputs: Tensor) -> Tensor | None:
    """(classes,) the logits for a map of zeros, or None where the rest is not affine in the map.

    Asked of the network itself: for an affine function the values at 0, at the image's map A, at
    another map B and at 2A - 3B are tied by one equation, which no other function obeys at maps
    that are drawn at random.
    """
    if place.skip:  # a class token goes on beside the map
        return None
    with torch.no_grad():
        _, seen = watch(module, [place.path], lambda: forward(inputs))
        own = seen[place.path]
        # Another map of both signs: a ReLU behind the place would show.
        generator = torch.Generator().manual_seed(0)
        spread = own.std() if own.std() > 0 else torch.ones_like(own.std())
        other = torch.randn(own.shape, generator=generator).to(own) * spread

        def at(handed: Tensor) -> Tensor:
            return replacing(module, place.path, handed, lambda: forward(inputs))[0].double()

        zero, first, second = at(torch.zeros_like(own)), at(own), at(other)
        mixed = at(2 * own - 3 * other)
    expected = zero + 2 * (first - zero) - 3 * (second - zero)
    scale = _length(first - zero) + _length(second - zero)
    if not torch.isfinite(expected).all() or not _length(mixed - expected) <= 1e-4 * scale:
        return None
    return zero


def _length(values: Tensor) -> float:
    return float(values.square().sum().sqrt())
