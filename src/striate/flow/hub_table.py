"""Which trained weights the hub has for networks of the zoo.  Loads no torch.

All are timm's, whose names our networks know (``building/weights``).  A row is there only if timm's
network is ours tensor for tensor and computes the same: TensorFlow's EfficientNets, which pad
otherwise, are not, nor are weights that may not be used commercially.
"""

from __future__ import annotations

from dataclasses import dataclass

from striate.arch import SMALL

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""Mean and deviation of ImageNet's pixels, scaled to 0…1, by which most weights were trained."""

HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))

FILE = "model.safetensors"
"""The file of weights in each of the hub's repositories."""

CONFIG = "config.json"
"""The file that says what they were trained on."""


@dataclass(frozen=True, kw_only=True)
class Hosted:
    """Weights on the hub.

    ``revision``: a commit, or ``main`` where none could be checked; then the commit that is found
    first is kept (``hub.py``).  ``side``: of the square images they were trained on.  ``classes``:
    of the last layer.  ``mean`` and ``std``: what those images were normalised by.
    """

    repo: str
    side: int
    licence: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    classes: int = 1000
    revision: str = "main"

    @property
    def page(self) -> str:
        """Where people read about it."""
        return f"https://huggingface.co/{self.repo}"


_ROWS = """
    vgg11              vgg11.tv_in1k                                224 bsd-3-clause
    vgg13              vgg13.tv_in1k                                224 bsd-3-clause
    vgg16              vgg16.tv_in1k                                224 bsd-3-clause
    vgg19              vgg19.tv_in1k                                224 bsd-3-clause
    vgg11_bn           vgg11_bn.tv_in1k                             224 bsd-3-clause
    vgg13_bn           vgg13_bn.tv_in1k                             224 bsd-3-clause
    vgg16_bn           vgg16_bn.tv_in1k                             224 bsd-3-clause
    vgg19_bn           vgg19_bn.tv_in1k                             224 bsd-3-clause
    resnet18           resnet18.a1_in1k                             224 apache-2.0
    resnet34           resnet34.a1_in1k                             224 apache-2.0
    resnet50           resnet50.a1_in1k                             224 apache-2.0
    resnet101          resnet101.a1h_in1k                           224 apache-2.0
    resnet152          resnet152.a1h_in1k                           224 apache-2.0
    wide_resnet50_2    wide_resnet50_2.racm_in1k                    224 apache-2.0
    wide_resnet101_2   wide_resnet101_2.tv_in1k                     224 bsd-3-clause
    resnext50_32x4d    resnext50_32x4d.a1h_in1k                     224 apache-2.0
    resnext101_32x4d   resnext101_32x4d.gluon_in1k                  224 apache-2.0
    resnext101_32x8d   resnext101_32x8d.tv_in1k                     224 bsd-3-clause
    seresnet50         seresnet50.a1_in1k                           224 apache-2.0
    densenet121        densenet121.ra_in1k                          224 apache-2.0
    densenet169        densenet169.tv_in1k                          224 apache-2.0
    densenet201        densenet201.tv_in1k                          224 apache-2.0
    mobilenetv2        mobilenetv2_100.ra_in1k                      224 apache-2.0
    efficientnet_b0    efficientnet_b0.ra_in1k                      224 apache-2.0
    efficientnet_b1    efficientnet_b1.ra4_e3600_r240_in1k          240 apache-2.0   half
    efficientnet_b2    efficientnet_b2.ra_in1k                      256 apache-2.0
    efficientnet_b3    efficientnet_b3.ra2_in1k                     288 apache-2.0
    efficientnet_b4    efficientnet_b4.ra2_in1k                     320 apache-2.0
    efficientnet_b5    efficientnet_b5.sw_in12k_ft_in1k             448 apache-2.0
    convnext_tiny      convnext_tiny.in12k_ft_in1k                  224 apache-2.0
    convnext_small     convnext_small.in12k_ft_in1k                 224 apache-2.0
    convnext_base      convnext_base.fb_in22k_ft_in1k               224 apache-2.0
    convnext_large     convnext_large.fb_in22k_ft_in1k              224 apache-2.0
    vit_small_patch16  vit_small_patch16_224.augreg_in21k_ft_in1k   224 apache-2.0   half
    vit_base_patch16   vit_base_patch16_224.augreg2_in21k_ft_in1k   224 apache-2.0   half
    vit_large_patch16  vit_large_patch16_224.augreg_in21k_ft_in1k   224 apache-2.0   half
    deit_tiny_patch16  deit_tiny_patch16_224.fb_in1k                224 apache-2.0
    deit_small_patch16 deit_small_patch16_224.fb_in1k               224 apache-2.0
    deit_base_patch16  deit_base_patch16_224.fb_in1k                224 apache-2.0
"""


def _row(name: str, model: str, side: str, licence: str, *half: str) -> tuple[str, Hosted]:
    mean, std = HALF if half else IMAGENET
    hosted = Hosted(repo=f"timm/{model}", side=int(side), licence=licence, mean=mean, std=std)
    return name, hosted


HOSTED: dict[str, Hosted] = dict(_row(*line.split()) for line in _ROWS.strip().splitlines())
"""For each network of the zoo that has weights on the hub, where they are."""


def hosted(name: str) -> Hosted | None:
    """Where the weights of the network called ``name`` are; a small form has the same ones.

    >>> hosted("resnet18-small").repo
    'timm/resnet18.a1_in1k'
    """
    return HOSTED.get(name.removesuffix(SMALL))
