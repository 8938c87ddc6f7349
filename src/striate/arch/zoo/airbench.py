"""Jordan, "94% on CIFAR-10 in 3.29 seconds on a single GPU" (2024, arXiv:2404.00498), section 3.1:
a convolution of 2 × 2 whose filters whiten its patches (section 3.2; 24 are both signs of 2·2·3
components), three groups of two 3 × 3 convolutions with the pool behind the first, and a max pool
over what is left.  Convolutions start as the identity (section 3.3).

The widths are those of the author's version for Muon.  Here every norm learns a scale, the last
layer has a bias instead of a fixed factor, and the last pool is global.
"""

from striate.arch.spec import Arch, Head, Pool, Stage, Stem

#           width of both convolutions in each group
WIDTHS = {"airbench94": (64, 256, 256)}


def _network(name: str) -> Arch:
    return Arch(
        name=name,
        image=(3, 32, 32),
        classes=10,
        stem=Stem(width=24, kernel=2, padding=0, norm=False, bias=True),
        stages=tuple(
            Stage(block="conv", depth=2, width=width, pool=Pool(), pool_first=True)
            for width in WIDTHS[name]
        ),
        head=Head(pool="max"),
        activation="gelu",
        dirac_init=True,
    )


ARCHS = tuple(map(_network, WIDTHS))
