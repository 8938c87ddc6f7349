"""FL203 kernel-smaller-than-stride

## What it finds

A convolution, pool or slice that steps over pixels, when nothing else looks at them either.

## Why it is bad

A 1×1 kernel with stride 2 reads one pixel of four. The other three were computed, and are thrown
away unseen: their multiply-accumulates are lost, thin structures can fall between the steps, and
what remains is aliased. The first form of ResNet did this in every downsampling block, with the
stride on the leading 1×1 of the branch and on the projection alike; moving it to the 3×3 is what
"v1.5" means.

## Bad

```python
from torch import nn

net = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(),
    nn.Conv2d(16, 32, 1, stride=2), nn.ReLU(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10),
)
image = (3, 32, 32)
```

Fires at `2`.

## Good

```python
from torch import nn

net = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(),
    nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.ReLU(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10),
)
image = (3, 32, 32)
```

## How it is measured

Along one axis, output *i* reads elements *i·stride − padding + j·dilation* for each tap *j*; so
what is read repeats with the stride, and is a set of remainders. For every map, what all its
readers read is put together, behind activations, norms and padding, which leave pixels in their
place, and behind slices with a step (`x[:, :, ::2, ::2]`). The rule fires when some remain that
no reader reads: a 1×1 projection with stride 2 on a skip is silent as long as the branch beside
it looks everywhere. The price is the share of multiply-accumulates of the convolution that made
the map which went into unread pixels.

## Limits

An operation that is not a convolution, pool or slice counts as reading everything. Rows and
columns lost at the far edge, where the stride does not fit the size, are SH103's question.

## References

He et al., "Bag of tricks for image classification" (arXiv 1812.01187), figure 2, ResNet-B: "the
convolution in path A ignores three-quarters of the input feature map". Zhang, "Making
convolutional networks shift-invariant again" (arXiv 1904.11486).
"""

from __future__ import annotations

from collections.abc import Iterator

from striate.checking.graph import POINTWISE, POOLS, Graph, is_map, kernel, map_size, pair
from striate.checking.reading import Reading
from striate.checking.rule import Spot
from striate.checking.windows import MAKERS, has_window, module_is
from striate.checking.words import percent, place, sides
from striate.records import Edit, Layer, Price, Severity, Trace

CODE = "FL203"
NAME = "kernel-smaller-than-stride"
SEVERITY: Severity = "warning"
SILENT_IF = ("SH100", "RE401")  # who else reads an output is not known then

MOVES = frozenset({"permute", "transpose"})


def find(trace: Trace) -> Iterator[Spot]:
    """Maps with pixels that no reader reads, each at its first reader."""
    graph = Graph(trace)
    reading = Reading(graph, endless=True)
    for layer in trace:
        if not _is_all_there_is(graph, layer) or not graph.sees_image(layer):
            continue
        unread = 1.0 - float(reading.of(layer).mean())
        readers = _readers(graph, layer) if unread else []
        if not readers:
            continue
        first = readers[0]
        wasted = round(unread * (layer.macs or 0))
        others = " and ".join(place(reader.path) for reader in readers[1:])
        also = f", and so does {others}" if others else ""
        yield Spot(
            at=first,
            message=(
                f"{_subject(first)} steps over pixels "
                f"of the {sides(map_size(layer))} map{also}: {percent(unread)} of them are never "
                "looked at."
            ),
            measured={
                "kernel": list(kernel(first)),
                "stride": list(_stride(first)),
                "dilation": list(pair(first, "dilation", 1)),
                "map": list(map_size(layer)),
                "unread": unread,
                "readers": [reader.path for reader in readers],
            },
            price=Price(macs=wasted),
            fix=_mend(first),
            edits=_edits(first),
        )


def _is_all_there_is(graph: Graph, layer: Layer) -> bool:
    """Whether it makes a map, or moves the axes of one that nothing else reads."""
    if not is_map(layer) or layer.op not in MAKERS | MOVES:
        return False
    while layer.op in MOVES or layer.op in POINTWISE:
        source = graph.source(layer)
        if source is None or graph.only_user(source) is not layer:
            return False
        layer = source
    return True


def _readers(graph: Graph, layer: Layer) -> list[Layer]:
    """The windows and slices that take a map, looked for behind what leaves pixels in place."""
    waiting, found = [layer], dict[int, Layer]()
    while waiting:
        for user in graph.users(waiting.pop()):
            if has_window(user) or (user.op == "slice" and _stride(user) != (1, 1)):
                found[user.index] = user
            elif is_map(user) and len(graph.sources(user)) == 1:
                waiting.append(user)
    return [found[index] for index in sorted(found)]


def _subject(layer: Layer) -> str:
    if layer.op == "slice":
        return f"a slice with step {max(_stride(layer))}"
    stride = _stride(layer)
    shown = str(stride[0]) if stride[0] == stride[1] else sides(stride)
    return f"a {sides(kernel(layer))} kernel with stride {shown}"


def _stride(layer: Layer) -> tuple[int, int]:
    if layer.op != "slice":
        return pair(layer, "stride", 1)
    step, axis = int(layer.attrs.get("step", 1)), layer.attrs.get("dim")
    return (step if axis == 2 else 1), (step if axis == 3 else 1)


def _is_holed(layer: Layer) -> bool:
    return max(pair(layer, "dilation", 1)) > 1 and min(kernel(layer)) > 1


def _mend(layer: Layer) -> str:
    stride = _stride(layer)
    if layer.op == "slice":
        step = max(stride)
        return f"average-pool the map with a {sides((step, step))} window instead of slicing it."
    if _is_holed(layer):
        return (
            "take the dilation away, or choose one that has no divisor in common with the stride."
        )
    if layer.op in POOLS:
        return f"make the kernel as large as the stride: {sides(stride)}."
    return (
        "make the kernel at least as large as the stride (3×3 with padding 1), or put the stride "
        f"on a neighbouring layer whose kernel is, or pool with {sides(stride)} first."
    )


def _edits(layer: Layer) -> tuple[Edit, ...]:
    """A kernel that covers its stride, with the padding that keeps the size of its output."""
    stride, size = _stride(layer), kernel(layer)
    if _is_holed(layer) and module_is(layer, "Conv2d"):
        if pair(layer, "padding", 0) != _same(size, pair(layer, "dilation", 1)):
            return ()
        return (
            Edit(path=layer.path, argument="dilation", value=1),
            Edit(path=layer.path, argument="padding", value=_written(_same(size, (1, 1)))),
        )
    if layer.op in POOLS and module_is(layer, "MaxPool2d", "AvgPool2d"):
        return (Edit(path=layer.path, argument="kernel_size", value=_written(stride)),)
    if module_is(layer, "Conv2d") and size == (1, 1) and pair(layer, "padding", 0) == (0, 0):
        wide = tuple(s + 1 - s % 2 for s in stride)  # odd, so that it stays centred
        odd = (wide[0], wide[1])
        return (
            Edit(path=layer.path, argument="kernel_size", value=_written(odd)),
            Edit(path=layer.path, argument="padding", value=_written(_same(odd, (1, 1)))),
        )
    return ()


def _same(size: tuple[int, int], dilation: tuple[int, int]) -> tuple[int, int]:
    """The padding that keeps a map's size at stride 1 and an odd kernel."""
    return dilation[0] * (size[0] - 1) // 2, dilation[1] * (size[1] - 1) // 2


def _written(value: tuple[int, int]) -> int | tuple[int, int]:
    return value[0] if value[0] == value[1] else value
