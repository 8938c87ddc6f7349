"""SH106 imagenet-stem

## What it finds

A stem that was drawn for 224-pixel images in front of images of 64 pixels or fewer: a quarter of
each side is all that is left before the first block.

## Why it is bad

A 7×7 convolution with stride 2 and a pool with stride 2 turn 32 pixels into 8. Of sixteen
positions one is kept, and only one or two layers have looked at the image by then; what is small
in it is gone. He et al. themselves gave their CIFAR networks a 3×3 convolution with stride 1 and
no pool, and so does nearly every recipe for small images since.

## Bad

```python
from torch import nn

net = nn.Sequential(
    nn.Conv2d(3, 32, 7, stride=2, padding=3, bias=False), nn.BatchNorm2d(32), nn.ReLU(),
    nn.MaxPool2d(3, stride=2, padding=1),
    nn.Conv2d(32, 64, 3, padding=1, bias=False), nn.BatchNorm2d(64), nn.ReLU(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10),
)
image = (3, 32, 32)
```

Fires at `0`.

## Good

```python
from torch import nn

net = nn.Sequential(
    nn.Conv2d(3, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32), nn.ReLU(),
    nn.Conv2d(32, 64, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(64), nn.ReLU(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10),
)
image = (3, 32, 32)
```

## How it is measured

The first convolution has a stride of 4 or more, or a stride of 2 or more and behind it, with at
most two further convolutions that keep the size, a pool, so that together they make 4 or more; and
neither side of the image has more than 64 pixels.

## Limits

A convolution with stride 1 and a pool, twice (LeNet), and a chain of strided convolutions (the
encoders of generative networks) reach the same size with work at every step, and are left alone;
so are networks with no other convolution beyond 1×1, whose stem cuts the image into tokens.

## References

He, Zhang, Ren and Sun, "Deep residual learning for image recognition" (arXiv 1512.03385), section
4.2. Chrabaszcz, Loshchilov and Hutter, "A downsampled variant of ImageNet as an alternative to the
CIFAR datasets" (arXiv 1707.08819).
"""

from __future__ import annotations

from collections.abc import Iterator

from striate.checking.graph import (
    POINTWISE,
    POOLS,
    Graph,
    is_map,
    is_spatial_conv,
    kernel,
    map_size,
    pair,
)
from striate.checking.rule import Spot
from striate.checking.windows import module_is
from striate.checking.words import place, sides
from striate.records import Edit, Layer, Severity, Trace

CODE = "SH106"
NAME = "imagenet-stem"
SEVERITY: Severity = "warning"
SILENT_IF = ("SH104",)

SMALL = 64  # px
STEM_STRIDE = 4
DEEPEST_STEM = 3  # convolutions


def find(trace: Trace) -> Iterator[Spot]:
    """The first convolution, when it and the pool behind it keep a quarter of a small image."""
    graph = Graph(trace)
    image = trace.image[1:]
    if max(image) > SMALL:
        return
    convs = [one for one in trace if is_spatial_conv(one) and graph.sees_image(one)]
    if len(convs) < 2 or not is_map(convs[0]) or min(pair(convs[0], "stride", 1)) < 2:
        return
    first = convs[0]
    last, pool = _stem(graph, first)
    stride = [
        a * b for a, b in zip(*(pair(one, "stride", 1) for one in (first, last)), strict=True)
    ]
    if pool is None:
        stride = list(pair(first, "stride", 1))
    if min(stride) < STEM_STRIDE:
        return
    left = map_size(first if pool is None else pool)
    kept = round(image[0] * image[1] / max(1, left[0] * left[1]))
    with_pool = (
        ""
        if pool is None
        else f" and a {sides(kernel(pool))} pool with stride {pair(pool, 'stride', 1)[0]}"
    )
    yield Spot(
        at=first,
        message=(
            f"a {sides(kernel(first))} convolution with stride {pair(first, 'stride', 1)[0]}"
            f"{with_pool} leave{'s' if pool is None else ''} {sides(left)} of a {sides(image)} "
            f"image before the first block: one position in {kept}."
        ),
        measured={
            "image": list(image),
            "map": list(left),
            "stride": stride,
            "kernel": list(kernel(first)),
            "pool": None if pool is None else pool.path,
        },
        fix=_mend(pool, image),
        edits=_edits(first, pool, image),
    )


def _stem(graph: Graph, first: Layer) -> tuple[Layer, Layer | None]:
    """The pool that ends the stem (twice), or the convolution and None."""
    here, convs = first, 1
    while (user := graph.only_user(here)) is not None:
        if user.op in POOLS and max(pair(user, "stride", 1)) > 1:
            return user, user
        if user.op == "conv2d":
            convs += 1
            if convs > DEEPEST_STEM or max(pair(user, "stride", 1)) > 1:
                break
        elif user.op not in POINTWISE and user.op != "pad":
            break
        here = user
    return first, None


def _keeps_stride(image: tuple[int, ...]) -> bool:
    """Above 48 pixels one halving is left to the stem, so that the blocks do not cost 16 times."""
    return max(image) > 48


def _mend(pool: Layer | None, image: tuple[int, ...]) -> str:
    if _keeps_stride(image) and pool is not None:
        return f"take the pool {place(pool.path)} away, so that the blocks begin at half the size."
    without = "" if pool is None else f" and no pool {place(pool.path)}"
    stride = 2 if _keeps_stride(image) else 1
    return (
        f"begin with a 3×3 convolution with stride={stride} and padding=1{without}, as is done for "
        "CIFAR."
    )


def _edits(first: Layer, pool: Layer | None, image: tuple[int, ...]) -> tuple[Edit, ...]:
    away = () if pool is None else (Edit(path=pool.path, argument=None),)
    if pool is not None and not module_is(pool, "MaxPool2d", "AvgPool2d"):
        return ()
    if _keeps_stride(image) and pool is not None:
        return away
    if not module_is(first, "Conv2d"):
        return ()
    return (
        Edit(path=first.path, argument="kernel_size", value=3),
        Edit(path=first.path, argument="stride", value=2 if _keeps_stride(image) else 1),
        Edit(path=first.path, argument="padding", value=1),
        *away,
    )
