"""SH105 dilation-beyond-map

## What it finds

A dilated convolution whose outer taps lie so far apart that, on a map of this size, some of them
fall on padding wherever the kernel stands.

## Why it is bad

The taps that never meet the map are multiplied with zero for every image: their weights get no
gradient, and the context the dilation was to bring in is not there. A 3×3 kernel whose dilation
is as large as the map is a 1×1 kernel at nine times the price. Chen et al. saw this happen with
dilations of 12 and more on 65×65 maps, and it happens to the same networks far sooner when they
are used on smaller images.

## Bad

```python
from torch import nn

net = nn.Sequential(
    nn.Conv2d(3, 16, 3, stride=2, padding=1), nn.ReLU(),
    nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.ReLU(),
    nn.Conv2d(32, 32, 3, padding=12, dilation=12), nn.ReLU(),
    nn.Conv2d(32, 2, 1),
)
image = (3, 32, 32)
```

Fires at `4`.

## Good

```python
from torch import nn

net = nn.Sequential(
    nn.Conv2d(3, 16, 3, stride=2, padding=1), nn.ReLU(),
    nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.ReLU(),
    nn.Conv2d(32, 32, 3, padding=2, dilation=2), nn.ReLU(),
    nn.Conv2d(32, 2, 1),
)
image = (3, 32, 32)
```

## How it is measured

As in SH101, with the padding that operations before the convolution added: a tap is dead when no
output position puts it on the map. This rule asks it of kernels that would fit the map without
their dilation, SH101 of those that would not. One finding is made for the network, at the first
such layer; its price is the dead weights of all, and the multiply-accumulates spent on them.

## Limits

Taps that meet the map at some positions only count as alive, however few those are.

## References

Chen, Papandreou, Schroff and Adam, "Rethinking atrous convolution for semantic image segmentation"
(arXiv 1706.05587), section 3.3 and figure 4: "the 3×3 filter degenerates to a simple 1×1 filter".
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from striate.checking.dead import dead_share, weights_of
from striate.checking.graph import Graph, is_spatial_conv, map_size, pair
from striate.checking.rule import Spot
from striate.checking.taps import live_taps
from striate.checking.windows import Window, module_is, window_of
from striate.checking.words import count, many, percent, pixels, sides
from striate.records import Edit, Price, Severity, Trace

CODE = "SH105"
NAME = "dilation-beyond-map"
SEVERITY: Severity = "warning"
SILENT_IF = ("SH100",)


def find(trace: Trace) -> Iterator[Spot]:
    """The first dilated convolution with dead taps, with the sum over all of them."""
    graph = Graph(trace)
    starved: list[tuple[Window, float]] = []
    for layer in trace:
        window = window_of(graph, layer) if is_spatial_conv(layer) else None
        if window is None or max(window.dilation) == 1:
            continue
        share = dead_share(window)
        if share > 0 and not _too_small(window):
            starved.append((window, share))
    if not starved:
        return
    window, share = starved[0]
    first, size = window.layer, map_size(window.source)
    weights = sum(round(share * weights_of(one.layer)) for one, share in starved)
    macs = sum(round(share * (one.layer.macs or 0)) for one, share in starved)
    taps = prod(window.kernel)
    fitting = _fitting(window)
    yield Spot(
        at=first,
        message=(
            f"a dilation of {pixels(window.dilation)} puts {round(share * taps)} of the {taps} "
            f"taps of the {sides(window.kernel)} kernel outside the {sides(size)} map at every "
            f"position; in {many(len(starved), 'such convolution')} {count(weights)} weights "
            f"({percent(weights / max(1, trace.totals.params))} of the network) can never matter."
        ),
        measured={
            "map": list(size),
            "dilation": list(window.dilation),
            "dead_share": share,
            "dead_weights": weights,
            "layers": [one.layer.path for one, _ in starved],
            "largest_dilation": fitting,
        },
        price=Price(params=weights, macs=macs),
        fix=(
            f"use a dilation of at most {fitting} here (padding the same), or larger images, or "
            "one stride less before it."
            if fitting > 1
            else "take the dilation away, or use larger images, or one stride less before it."
        ),
        edits=_edits(window, fitting),
    )


def _too_small(window: Window) -> bool:
    """Whether the kernel would not fit the map even without its dilation."""
    return any(n < k for n, k in zip(map_size(window.source), window.kernel, strict=True))


def _fitting(window: Window) -> int:
    """The largest dilation, with as much padding, at which every tap meets the map."""
    for dilation in range(max(window.dilation), 1, -1):
        alive = all(
            live_taps(n, kernel=k, stride=s, padding=dilation * (k - 1) // 2, dilation=dilation)
            == k
            for n, k, s in zip(map_size(window.source), window.kernel, window.stride, strict=True)
        )
        if alive:
            return dilation
    return 1


def _edits(window: Window, dilation: int) -> tuple[Edit, ...]:
    layer = window.layer
    same = [d * (k - 1) // 2 for d, k in zip(window.dilation, window.kernel, strict=True)]
    if not module_is(layer, "Conv2d") or list(pair(layer, "padding", 0)) != same:
        return ()
    pads = tuple(dilation * (k - 1) // 2 for k in window.kernel)
    return (
        Edit(path=layer.path, argument="dilation", value=dilation),
        Edit(path=layer.path, argument="padding", value=pads[0] if len(set(pads)) == 1 else pads),
    )
