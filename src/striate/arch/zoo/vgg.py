"""Simonyan and Zisserman, "Very deep convolutional networks for large-scale image recognition"
(2014), table 1, column D: 13 convolutions of 3 × 3, a max pool behind each stage, and three fully
connected layers with dropout 0.5 (section 3.1).

As in torchvision, the last map is pooled to 7 × 7, which changes nothing at 224 × 224.
"""

from striate.arch.spec import Arch, Head, Pool, Stage

#                     conv3-64  conv3-128  conv3-256  conv3-512  conv3-512
D = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))

ARCHS = (
    Arch(
        name="vgg16",
        image=(3, 224, 224),
        classes=1000,
        stages=tuple(
            Stage(block="conv", depth=depth, width=width, pool=Pool(kind="max", kernel=2, stride=2))
            for depth, width in D
        ),
        head=Head(size=7, hidden=(4096, 4096), dropout=0.5),
        norm="none",
    ),
)
