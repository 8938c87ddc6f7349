"""Liu, Mao, Wu, Feichtenhofer, Darrell and Xie, "A ConvNet for the 2020s" (2022), section 3.

    T: C = (96, 192, 384, 768),    B = (3, 3, 9, 3)
    S: C = (96, 192, 384, 768),    B = (3, 3, 27, 3)
    B: C = (128, 256, 512, 1024),  B = (3, 3, 27, 3)
    L: C = (192, 384, 768, 1536),  B = (3, 3, 27, 3)

A stem of 4 × 4 patches, 7 × 7 depthwise filters, layer scale from 1e-6, and the last norm behind
the pool.
"""

from striate.arch.spec import Arch, Head, Stage, Stem

SIZES = {
    "tiny": ((96, 192, 384, 768), (3, 3, 9, 3)),
    "small": ((96, 192, 384, 768), (3, 3, 27, 3)),
    "base": ((128, 256, 512, 1024), (3, 3, 27, 3)),
    "large": ((192, 384, 768, 1536), (3, 3, 27, 3)),
}


def _network(size: str) -> Arch:
    channels, blocks = SIZES[size]
    return Arch(
        name=f"convnext_{size}",
        image=(3, 224, 224),
        classes=1000,
        stem=Stem(width=channels[0], kernel=4, stride=4, padding=0, activation=False),
        stages=tuple(
            Stage(block="convnext", depth=b, width=c, stride=stride, kernel=7, layer_scale=1e-6)
            for c, b, stride in zip(channels, blocks, (1, 2, 2, 2), strict=True)
        ),
        head=Head(norm="pooled"),
        norm="channel",
        eps=1e-6,
        activation="gelu",
        bias=True,
    )


ARCHS = tuple(_network(size) for size in SIZES)
