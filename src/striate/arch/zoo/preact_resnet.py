"""He, Zhang, Ren and Sun, "Identity mappings in deep residual networks" (2016).

Pre-activation networks for 32 × 32 images (section 5 and appendix): norm and activation before
every convolution, so that nothing stands on the identity path, and once more before the pool.
ResNet-110 in blocks of two convolutions; ResNet-164 and ResNet-1001 in bottlenecks of 64, 128 and
256 channels.
"""

from striate.arch.spec import Arch, BlockName, Head, Stage, Stem


def _network(layers: int, block: BlockName) -> Arch:
    bottleneck = block == "bottleneck"
    depth = (layers - 2) // (9 if bottleneck else 6)
    widths = (64, 128, 256) if bottleneck else (16, 32, 64)
    return Arch(
        name=f"preact_resnet{layers}",
        image=(3, 32, 32),
        classes=10,
        stem=Stem(width=16, norm=False, activation=False),
        stages=tuple(
            Stage(
                block=block,
                depth=depth,
                width=width,
                stride=stride,
                shortcut="projection" if bottleneck else "pad",
            )
            for width, stride in zip(widths, (1, 2, 2), strict=True)
        ),
        head=Head(norm="map", activation=True),
        preact=True,
    )


ARCHS = (
    _network(20, "basic"),
    _network(56, "basic"),
    _network(110, "basic"),
    _network(164, "bottleneck"),
    _network(1001, "bottleneck"),
)
