"""Huang, Liu, van der Maaten and Weinberger, "Densely connected convolutional networks" (2016),
table 1.

DenseNet-BC with growth rate 32: each block adds 32 channels to all that came before, through a
bottleneck of four times as many; a transition keeps half of the channels and half of the map.
"""

from striate.arch.spec import Arch, Head, Pool, Stage, Stem

#   name           blocks in each of the four dense stages
TABLE_1 = (
    ("densenet121", (6, 12, 24, 16)),
    ("densenet169", (6, 12, 32, 32)),
    ("densenet201", (6, 12, 48, 32)),
)
GROWTH = 32
COMPRESSION = 0.5


def _network(name: str, depths: tuple[int, ...]) -> Arch:
    *joined, last = depths
    halve = Pool(kind="avg", kernel=2, stride=2)
    return Arch(
        name=name,
        image=(3, 224, 224),
        classes=1000,
        stem=Stem(width=2 * GROWTH, kernel=7, stride=2, pool=Pool(kernel=3, stride=2, padding=1)),
        stages=(
            *(
                Stage(
                    block="densenet",
                    depth=depth,
                    width=GROWTH,
                    transition=COMPRESSION,
                    pool=halve,
                )
                for depth in joined
            ),
            Stage(block="densenet", depth=last, width=GROWTH),
        ),
        head=Head(norm="map", activation=True),
    )


ARCHS = tuple(_network(*row) for row in TABLE_1)
