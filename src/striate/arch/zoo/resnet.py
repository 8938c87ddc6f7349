"""He, Zhang, Ren and Sun, "Deep residual learning for image recognition" (2015), table 1.

The form called v1.5 (Goyal et al. 2017, section 5.1): a bottleneck's stride stands on its 3 × 3
convolution, and each residual branch starts at zero.  Shortcuts are projections where shapes change
(option B).
"""

from striate.arch.spec import Arch, BlockName, Pool, Stage, Stem

#   name         block          depth of conv2_x … conv5_x
TABLE_1: tuple[tuple[str, BlockName, tuple[int, int, int, int]], ...] = (
    ("resnet18", "basic", (2, 2, 2, 2)),
    ("resnet34", "basic", (3, 4, 6, 3)),
    ("resnet50", "bottleneck", (3, 4, 6, 3)),
    ("resnet101", "bottleneck", (3, 4, 23, 3)),
    ("resnet152", "bottleneck", (3, 8, 36, 3)),
)
#            conv2_x … conv5_x
WIDTHS: dict[BlockName, tuple[int, int, int, int]] = {
    "basic": (64, 128, 256, 512),
    "bottleneck": (256, 512, 1024, 2048),  # of which a quarter inside the block
}
STRIDES = (1, 2, 2, 2)


def _network(name: str, block: BlockName, depths: tuple[int, ...]) -> Arch:
    return Arch(
        name=name,
        image=(3, 224, 224),
        classes=1000,
        stem=Stem(width=64, kernel=7, stride=2, pool=Pool(kernel=3, stride=2, padding=1)),
        stages=tuple(
            Stage(block=block, depth=depth, width=width, stride=stride)
            for depth, width, stride in zip(depths, WIDTHS[block], STRIDES, strict=True)
        ),
        zero_init=True,
    )


ARCHS = tuple(_network(*row) for row in TABLE_1)
