"""Receptive fields, against the table of Araujo et al. 2019.

Two ways that know nothing of each other: the trace, which computes intervals, and the gradient, of
the middle of the last map of a network of the same build in which every weight is positive.  The
paper's networks are TF-Slim's: a residual stage has its stride in its last block, not its first, so
those are built here; AlexNet and VGG are the zoo's.

Comes in: published sides, in pixels.  Goes out: the groups ``fields`` and ``reach``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from striate.flow.claims.claim import Claim, Group, Tick

if TYPE_CHECKING:
    from torch import nn

ARAUJO = "Araujo et al. 2019, Computing receptive fields of CNNs, table of section 5"
ZOO = {"alexnet": 195, "vgg16": 212}
"""Of the zoo, behind the last pool."""
SLIM: dict[str, tuple[int, tuple[int, ...]]] = {
    "resnet_v1_50": (483, (3, 4, 6, 3)),
    "resnet_v1_101": (1027, (3, 4, 23, 3)),
    "resnet_v1_152": (1507, (3, 8, 36, 3)),
    "resnet_v1_200": (1763, (3, 24, 36, 3)),
}
"""TF-Slim's: side, and the blocks of each stage."""
MOBILE = (315, (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1))
"""MobileNet v1: side, and the strides of its depthwise convolutions."""


def slim(name: str) -> nn.Module:
    """A network of TF-Slim's with one channel, as far as its last map: fields know no widths."""
    from torch import Tensor, nn

    def conv(kernel: int, stride: int = 1) -> nn.Module:
        return nn.Conv2d(1, 1, kernel, stride, (kernel - 1) // 2, bias=False)

    class Bottleneck(nn.Module):
        """1×1, 3×3 with the stride, 1×1, and a skip that takes every so-manieth pixel."""

        def __init__(self, stride: int) -> None:
            super().__init__()
            self.branch = nn.Sequential(conv(1), conv(3, stride), conv(1))
            self.skip = conv(1, stride)

        def forward(self, x: Tensor) -> Tensor:
            return self.branch(x) + self.skip(x)

    if name == "mobilenet_v1":
        layers = [conv(3, 2)]
        for stride in MOBILE[1]:
            layers += [conv(3, stride), conv(1)]
        return nn.Sequential(*layers)
    _, depths = SLIM[name]
    layers = [conv(7, 2), nn.MaxPool2d(3, 2, 1)]
    for number, depth in enumerate(depths):
        last = 1 if number == len(depths) - 1 else 2
        layers += [Bottleneck(last if at == depth - 1 else 1) for at in range(depth)]
    return nn.Sequential(*layers)


def _traced(names: Sequence[str], tick: Tick) -> Iterator[tuple[str, float]]:
    from striate.arch import zoo
    from striate.flow.network import traced
    from striate.tracing import trace

    for done, name in enumerate(names):
        tick(done, len(names))
        if name in ZOO:
            arch = zoo(name)
            found = traced(arch, arch.image)
            sizes = [row.field.size[0] for row in found if row.field and row.op == "max_pool2d"]
            yield name, float(sizes[-1])
        else:
            side = 2 * _claimed(name)
            found = trace(slim(name), (1, side, side), name=name)
            sizes = [row.field.size[0] for row in found if row.field is not None]
            yield name, float(sizes[-1])


def _reached(names: Sequence[str], tick: Tick) -> Iterator[tuple[str, float]]:
    for done, name in enumerate(names):
        tick(done, len(names))
        yield name, float(reach(slim(name), 2 * _claimed(name)))


def reach(module: nn.Module, side: int) -> int:
    """The side of the square of pixels on which the middle of the last map depends.

    Weights are made positive and pools take the mean, so that nothing cancels and no pixel is
    passed over.
    """
    import torch
    from torch import nn

    for layer in module.modules():
        for name, child in list(layer.named_children()):
            if isinstance(child, nn.MaxPool2d):
                mean = nn.AvgPool2d(child.kernel_size, child.stride, child.padding)
                setattr(layer, name, mean)
    with torch.no_grad():
        for weight in module.parameters():
            weight.fill_(1.0 / weight[0].numel())
    image = torch.ones(1, 1, side, side, requires_grad=True)
    last = module(image)
    middle = last[0, 0, last.shape[2] // 2, last.shape[3] // 2]
    (slope,) = torch.autograd.grad(middle, image)
    rows = (slope[0, 0] > 0).any(dim=1).nonzero()
    return int(rows[-1] - rows[0]) + 1


def _claimed(name: str) -> int:
    return MOBILE[0] if name == "mobilenet_v1" else SLIM[name][0]


def _claim(name: str, side: int) -> Claim:
    return Claim(
        name=name, what=f"{name}: side of the receptive field", source=ARAUJO, claimed=side,
        unit="px",
    )  # fmt: skip


_SLIM = tuple(_claim(name, _claimed(name)) for name in ("mobilenet_v1", *SLIM))
FIELDS = Group(
    name="fields",
    what="receptive fields, traced",
    claims=(*(_claim(name, side) for name, side in ZOO.items()), *_SLIM),
    measure=_traced,
)
REACH = Group(
    name="reach",
    what="receptive fields, by the gradient",
    claims=_SLIM,
    measure=_reached,
)
