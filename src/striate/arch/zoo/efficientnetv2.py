"""Tan and Le, "EfficientNetV2: smaller models and faster training" (2021), table 4: V2-S.

The early stages fuse the expansion with the spatial convolution.  Trained with growing images, it
is used at 384 × 384 (section 5.1); the stem has 24 channels and the last convolution 1280.
"""

from striate.arch.spec import Arch, BlockName, Head, Stage, Stem

#   block       expansion  squeeze  stride  channels  layers
TABLE_4: tuple[tuple[BlockName, int, float, int, int, int], ...] = (
    ("fused", 1, 0.0, 1, 24, 2),
    ("fused", 4, 0.0, 2, 48, 4),
    ("fused", 4, 0.0, 2, 64, 4),
    ("inverted", 4, 0.25, 2, 128, 6),
    ("inverted", 6, 0.25, 1, 160, 9),
    ("inverted", 6, 0.25, 2, 256, 15),
)

ARCHS = (
    Arch(
        name="efficientnetv2_s",
        image=(3, 384, 384),
        classes=1000,
        stem=Stem(width=24, stride=2),
        stages=tuple(
            Stage(
                block=block,
                depth=layers,
                width=channels,
                stride=stride,
                expansion=float(expansion),
                squeeze=squeeze,
            )
            for block, expansion, squeeze, stride, channels, layers in TABLE_4
        ),
        head=Head(width=1280, dropout=0.2),
        eps=1e-3,
        activation="silu",
    ),
)
