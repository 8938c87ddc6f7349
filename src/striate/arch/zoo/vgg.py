"""Simonyan and Zisserman, "Very deep convolutional networks for large-scale image recognition"
(2014), table 1: convolutions of 3 × 3, a max pool behind each stage, and three fully connected
layers with dropout 0.5 (section 3.1).

``_bn``: with batch norm behind every convolution, which the paper did not know yet; the biases
stay, as in the files that are shared of it.  The last map is pooled to 7 × 7, which changes nothing
at 224 × 224.
"""

from striate.arch.spec import Arch, Head, Pool, Stage

#           conv3-64 … conv3-512: how many in each stage
TABLE_1 = {
    "vgg11": (1, 1, 2, 2, 2),  # column A
    "vgg13": (2, 2, 2, 2, 2),  # B
    "vgg16": (2, 2, 3, 3, 3),  # D
    "vgg19": (2, 2, 4, 4, 4),  # E
}
WIDTHS = (64, 128, 256, 512, 512)


def _network(column: str, *, norm: bool) -> Arch:
    return Arch(
        name=f"{column}_bn" if norm else column,
        image=(3, 224, 224),
        classes=1000,
        stages=tuple(
            Stage(block="conv", depth=depth, width=width, pool=Pool(kind="max", kernel=2, stride=2))
            for depth, width in zip(TABLE_1[column], WIDTHS, strict=True)
        ),
        head=Head(size=7, hidden=(4096, 4096), dropout=0.5),
        norm="batch" if norm else "none",
        bias=True if norm else None,
    )


ARCHS = tuple(_network(column, norm=norm) for norm in (False, True) for column in TABLE_1)
