"""Xie, Girshick, Dollár, Tu and He, "Aggregated residual transformations for deep neural networks"
(2016), table 1.

ResNet's table with C groups (the cardinality) in each spatial convolution, of d channels each in
conv2_x: 32×4d has 128 channels inside where ResNet-50 has 64.
"""

from striate.arch.spec import Arch, Pool, Stage, Stem

#   name               cardinality  d   depth of conv2_x … conv5_x
TABLE_1 = (
    ("resnext50_32x4d", 32, 4, (3, 4, 6, 3)),
    ("resnext101_32x4d", 32, 4, (3, 4, 23, 3)),
    ("resnext101_32x8d", 32, 8, (3, 4, 23, 3)),
)
WIDTHS = (256, 512, 1024, 2048)
STRIDES = (1, 2, 2, 2)


def _network(name: str, cardinality: int, d: int, depths: tuple[int, ...]) -> Arch:
    return Arch(
        name=name,
        image=(3, 224, 224),
        classes=1000,
        stem=Stem(width=64, kernel=7, stride=2, pool=Pool(kernel=3, stride=2, padding=1)),
        stages=tuple(
            Stage(
                block="bottleneck",
                depth=depth,
                width=width,
                stride=stride,
                groups=cardinality,
                expansion=cardinality * d / WIDTHS[0],
            )
            for depth, width, stride in zip(depths, WIDTHS, STRIDES, strict=True)
        ),
        zero_init=True,
    )


ARCHS = tuple(_network(*row) for row in TABLE_1)
