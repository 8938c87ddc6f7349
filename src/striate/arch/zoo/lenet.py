"""LeCun, Bottou, Bengio and Haffner, "Gradient-based learning applied to document recognition"
(1998), section II.B and figure 2: LeNet-5.

    layer   C1       S2     C3        S4     C5 (a convolution that covers all)   F6
    maps    6@28×28  6@14   16@10×10  16@5   120                                  84

As it is built today: every map of C3 sees all of S2 (table I left some out), the pools are plain
means, and the output is one linear layer instead of radial basis functions.
"""

from striate.arch.spec import Arch, Head, Pool, Stage

MEAN = Pool(kind="avg", kernel=2, stride=2)

ARCHS = (
    Arch(
        name="lenet5",
        image=(1, 32, 32),
        classes=10,
        stages=(
            Stage(block="conv", depth=1, width=6, kernel=5, padding=0, pool=MEAN),
            Stage(block="conv", depth=1, width=16, kernel=5, padding=0, pool=MEAN),
        ),
        head=Head(pool="none", hidden=(120, 84)),
        norm="none",
        activation="tanh",
    ),
)
