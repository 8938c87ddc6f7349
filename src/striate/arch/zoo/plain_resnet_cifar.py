"""He, Zhang, Ren and Sun, "Deep residual learning for image recognition" (2015), section 4.2.

Networks for 32 × 32 images, 6n + 2 layers deep:

    output map size   32 × 32   16 × 16   8 × 8
    # layers          1 + 2n    2n        2n
    # filters         16        32        64

"We use identity shortcuts in all cases (i.e., option A)."  The plain ones differ in the skip alone.
"""

from striate.arch.spec import Arch, Stage, Stem

FILTERS = (16, 32, 64)
PLAIN = (20, 32, 44, 56)
RESIDUAL = (20, 32, 44, 56, 110)


def _network(layers: int, *, skip: bool) -> Arch:
    n = (layers - 2) // 6
    return Arch(
        name=f"{'resnet' if skip else 'plain'}{layers}",
        image=(3, 32, 32),
        classes=10,
        stem=Stem(width=FILTERS[0], kernel=3),
        stages=tuple(
            Stage(
                block="basic",
                depth=n,
                width=width,
                stride=1 if width == FILTERS[0] else 2,
                skip=None if skip else False,
                shortcut="pad",
            )
            for width in FILTERS
        ),
    )


ARCHS = (
    *(_network(layers, skip=False) for layers in PLAIN),
    *(_network(layers, skip=True) for layers in RESIDUAL),
)
