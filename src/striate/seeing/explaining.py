"""The methods that explain a decision, by one interface: each is held to the same checks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from striate.seeing.faithful import blurred
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
    """The mean over the roads from each of ``_grounds``.

    A road from one plain colour is blind to what has that colour: it does not move there
    (Sturmfels, Lundberg and Lee 2020; the mean over baselines is Erion et al. 2021, eq. 3).
    """
    first, most = (8, 8) if rough else (16, 512)
    maps: list[Tensor] = []
    errors: list[float] = []
    for image, number in zip(inputs, _numbers(classes), strict=True):
        found = [
            integrated_gradients(network.forward, image, ground, number, first=first, most=most)
            for ground in _grounds(image)
        ]
        maps.append(torch.stack([one.parts.sum(dim=0) for one in found]).mean(dim=0))
        whole = sum(one.difference for one in found)
        off = abs(sum(float(one.parts.double().sum()) for one in found) - whole)
        errors.append(off / abs(whole) if whole else float("nan"))
    return Explained(maps=torch.stack(maps), errors=tuple(errors))


def _occlusion(network: Network, inputs: Tensor, classes: Tensor, rough: bool) -> Explained:
    """The mean over covering with each of ``_grounds``."""
    del rough
    maps = [
        torch.stack(
            [occlusion(network.forward, image, ground, number) for ground in _grounds(image)]
        ).mean(dim=0)
        for image, number in zip(inputs, _numbers(classes), strict=True)
    ]
    return Explained(maps=torch.stack(maps))


def _grounds(image: Tensor) -> tuple[Tensor, Tensor]:
    """What an image (C, H, W) is held against: the mean colour of the training images (0 once
    normalised), and the image itself, blurred.  Each hides what the other leaves to be seen.
    """
    return torch.zeros_like(image), blurred(image)


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
        says="the gradient along the straight roads to the image from the mean colour and from the "
        "image blurred, their mean",
        explain=_integrated,
    ),
    Method(
        name="occlusion",
        title="Occlusion",
        says="by how much the logit falls when a window of a quarter of each side is covered with "
        "the mean colour and with the image blurred, their mean",
        explain=_occlusion,
    ),
)
