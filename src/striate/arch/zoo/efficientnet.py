"""Tan and Le, "EfficientNet: rethinking model scaling for convolutional neural networks" (2019),
table 1, and the coefficients with which the published B1 … B7 were made from it.

The paper's step 1 found α = 1.2, β = 1.1, γ = 1.15 (section 4); the published networks are not
those powers to the letter but the rounded coefficients of the authors' code, below.  Channels are
rounded to a multiple of 8 that is not below nine tenths, depths up.  The gate's ratio is 1/4 of a
block's input channels.
"""

from striate.arch.rounding import scaled
from striate.arch.spec import Arch, Head, Stage, Stem

#   expansion  kernel  stride  channels  layers
TABLE_1 = (
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
)
#   width  depth  resolution  dropout
COEFFICIENTS = (
    (1.0, 1.0, 224, 0.2),
    (1.0, 1.1, 240, 0.2),
    (1.1, 1.2, 260, 0.3),
    (1.2, 1.4, 300, 0.3),
    (1.4, 1.8, 380, 0.4),
    (1.6, 2.2, 456, 0.4),
    (1.8, 2.6, 528, 0.5),
    (2.0, 3.1, 600, 0.5),
)

B0 = Arch(
    name="efficientnet_b0",
    image=(3, 224, 224),
    classes=1000,
    stem=Stem(width=32, stride=2),
    stages=tuple(
        Stage(
            block="inverted",
            depth=layers,
            width=channels,
            stride=stride,
            kernel=kernel,
            expansion=float(expansion),
            squeeze=0.25,
        )
        for expansion, kernel, stride, channels, layers in TABLE_1
    ),
    head=Head(width=1280, dropout=0.2),
    activation="silu",
)

ARCHS = tuple(
    scaled(
        B0,
        name=f"efficientnet_b{phi}",
        width=width,
        depth=depth,
        image=(resolution, resolution),
        dropout=dropout,
    )
    for phi, (width, depth, resolution, dropout) in enumerate(COEFFICIENTS)
)
