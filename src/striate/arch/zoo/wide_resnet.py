"""Zagoruyko and Komodakis, "Wide residual networks" (2016).

For 32 × 32 images (table 1), 6n + 4 layers deep and k times as wide as He et al.'s, in the order
norm, activation, convolution; for ImageNet (section 3, "WRN-50-2-bottleneck") ResNet-50 with twice
the channels inside its blocks.
"""

from striate.arch.spec import Arch, Head, Pool, Stage, Stem

CIFAR = ((16, 4), (28, 10), (40, 4))  # depth, k
IMAGENET = (("wide_resnet50_2", (3, 4, 6, 3)), ("wide_resnet101_2", (3, 4, 23, 3)))


def _cifar(depth: int, k: int) -> Arch:
    """Group conv1 has 16 channels; conv2, conv3 and conv4 have 16k, 32k and 64k."""
    return Arch(
        name=f"wide_resnet{depth}_{k}",
        image=(3, 32, 32),
        classes=10,
        stem=Stem(width=16, norm=False, activation=False),
        stages=tuple(
            Stage(block="basic", depth=(depth - 4) // 6, width=width * k, stride=stride)
            for width, stride in ((16, 1), (32, 2), (64, 2))
        ),
        head=Head(norm="map", activation=True),
        preact=True,
    )


def _imagenet(name: str, depths: tuple[int, ...]) -> Arch:
    return Arch(
        name=name,
        image=(3, 224, 224),
        classes=1000,
        stem=Stem(width=64, kernel=7, stride=2, pool=Pool(kernel=3, stride=2, padding=1)),
        stages=tuple(
            Stage(block="bottleneck", depth=depth, width=width, stride=stride, expansion=0.5)
            for depth, width, stride in zip(
                depths, (256, 512, 1024, 2048), (1, 2, 2, 2), strict=True
            )
        ),
        zero_init=True,
    )


ARCHS = (*(_cifar(*row) for row in CIFAR), *(_imagenet(*row) for row in IMAGENET))
