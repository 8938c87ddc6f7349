"""Sandler, Howard, Zhu, Zhmoginov and Chen, "MobileNetV2: inverted residuals and linear
bottlenecks" (2018), table 2.

t is the expansion, c the output channels, n the blocks, s the first one's stride.  Dropout 0.2
before the last layer is the published code's.
"""

from striate.arch.spec import Arch, Head, Stage, Stem

#            t  c    n  s
TABLE_2 = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)

ARCHS = (
    Arch(
        name="mobilenetv2",
        image=(3, 224, 224),
        classes=1000,
        stem=Stem(width=32, stride=2),
        stages=tuple(
            Stage(block="inverted", depth=n, width=c, stride=s, expansion=float(t))
            for t, c, n, s in TABLE_2
        ),
        head=Head(width=1280, dropout=0.2),
        activation="relu6",
    ),
)
