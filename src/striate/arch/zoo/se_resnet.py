"""Hu, Shen and Sun, "Squeeze-and-excitation networks" (2017), table 1 and section 3.3.

ResNet's table with a gate of ratio 1/16 on each residual branch.
"""

from striate.arch.spec import Arch, BlockName, Pool, Stage, Stem

#   name         block          depth of conv2_x … conv5_x
TABLE_1: tuple[tuple[str, BlockName, tuple[int, int, int, int]], ...] = (
    ("seresnet18", "basic", (2, 2, 2, 2)),
    ("seresnet50", "bottleneck", (3, 4, 6, 3)),
    ("seresnet101", "bottleneck", (3, 4, 23, 3)),
)
RATIO = 1 / 16


def _network(name: str, block: BlockName, depths: tuple[int, ...]) -> Arch:
    widths = (64, 128, 256, 512) if block == "basic" else (256, 512, 1024, 2048)
    return Arch(
        name=name,
        image=(3, 224, 224),
        classes=1000,
        stem=Stem(width=64, kernel=7, stride=2, pool=Pool(kernel=3, stride=2, padding=1)),
        stages=tuple(
            Stage(block=block, depth=depth, width=width, stride=stride, squeeze=RATIO)
            for depth, width, stride in zip(depths, widths, (1, 2, 2, 2), strict=True)
        ),
        zero_init=True,
    )


ARCHS = tuple(_network(*row) for row in TABLE_1)
