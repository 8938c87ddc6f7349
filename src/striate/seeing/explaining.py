"""The methods that explain a decision, by one interface: each is held to the same checks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from striate.seeing.places import Place
from striate.seeing.saliency import (
    Forward,
    gradcam,
    handed_on,
    hirescam,
    integrated_gradients,
    occlusion,
)


@dataclass(frozen=True, kw_only=True)
class Explained:
    """``maps`` (n, h, w) on the method's own grid, in logits; ``errors`` (n) of completeness."""

    maps: Tensor
    errors: tuple[float, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class Network:
    """A network under explanation: its module, its ``forward`` and where maps are taken."""

    module: nn.Module
    forward: Forward
    place: Place | None


Explain = Callable[[Network, Tensor, Tensor, bool], Explained]
"""From a network, inputs (n, C, H, W), a class for each, and whether a rough one will do."""


@dataclass(frozen=True, kw_only=True)
class Method:
    """``at_place``: it looks at a layer's map, which the network must have."""

    name: str
    title: str
    says: str
    explain: Explain
    at_place: bool = False


def _hirescam(network: Network, inputs: Tensor, classes: Tensor, rough: bool) -> Explained:
    del rough
    assert network.place is not None
    handed = handed_on(network.module, network.place, network.forward, inputs, classes)
    return Explained(maps=hirescam(handed))


def _gradcam(network: Network, inputs: Tensor, classes: Tensor, rough: bool) -> Explained:
    del rough
    assert network.place is not None
    handed = handed_on(network.module, network.place, network.forward, inputs, classes)
    return Explained(maps=gradcam(handed))


def _integrated(network: Network, inputs: Tensor, classes: Tensor, rough: bool) -> Explained:
    """The baseline is 0: the mean colour of the training images."""
    parts: list[Tensor] = []
    errors: list[float] = []
    for image, number in zip(inputs, _numbers(classes), strict=True):
        found = integrated_gradients(
            network.forward, image, torch.zeros_like(image), number, most=16 if rough else 512
        )
        parts.append(found.parts.sum(dim=0))
        errors.append(found.error)
    return Explained(maps=torch.stack(parts), errors=tuple(errors))


def _occlusion(network: Network, inputs: Tensor, classes: Tensor, rough: bool) -> Explained:
    del rough
    return Explained(
        maps=torch.stack(
            [
                occlusion(network.forward, image, torch.zeros_like(image), number)
                for image, number in zip(inputs, _numbers(classes), strict=True)
            ]
        )
    )


def _numbers(classes: Tensor) -> list[int]:
    return [int(number) for number in classes]


METHODS: tuple[Method, ...] = (
    Method(
        name="hirescam",
        title="HiResCAM",
        says="activation times its gradient, place by place, summed over channels",
        explain=_hirescam,
        at_place=True,
    ),
    Method(
        name="gradcam",
        title="Grad-CAM",
        says="activations weighted by each channel's mean gradient",
        explain=_gradcam,
        at_place=True,
    ),
    Method(
        name="integrated",
        title="Integrated gradients",
        says="the gradient along the straight road from the mean colour to the image",
        explain=_integrated,
    ),
    Method(
        name="occlusion",
        title="Occlusion",
        says="by how much the logit falls when a window of a quarter of each side is covered",
        explain=_occlusion,
    ),
)
