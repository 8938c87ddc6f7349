"""The windows of a convolution or pool, with the padding that operations before it added."""

from __future__ import annotations

from dataclasses import dataclass

from striate.checking.graph import JOINS, POINTWISE, POOLS, Graph, is_map, kernel, map_size, pair
from striate.records import Layer

Pair = tuple[int, int]

MAKERS = frozenset({"input", "conv2d", "conv_transpose2d", "mul"}) | POOLS | JOINS
"""What makes a map; not what only pads, crops or moves one, for the rest may be read elsewhere."""


@dataclass(frozen=True, kw_only=True)
class Window:
    """How ``layer`` reads the map ``source``, per axis (height, width).

    ``before`` and ``after``: rings of padding at the near and the far edge, the layer's own and
    those of pad operations between (negative: cropped).  ``outputs``: its positions.
    """

    layer: Layer
    source: Layer
    kernel: Pair
    stride: Pair
    dilation: Pair
    before: Pair
    after: Pair
    outputs: Pair

    @property
    def reach(self) -> Pair:
        """From the first tap to the last, in elements."""
        return (
            self.dilation[0] * (self.kernel[0] - 1) + 1,
            self.dilation[1] * (self.kernel[1] - 1) + 1,
        )


def has_window(layer: Layer) -> bool:
    """Whether it slides a window over maps."""
    return layer.op == "conv2d" or layer.op in POOLS


def window_of(graph: Graph, layer: Layer) -> Window | None:
    """The window of a 2-d convolution or pool; None for anything else.

    Padding by an operation of its own is looked through, with what leaves pixels in their place.
    """
    source = graph.source(layer)
    if not has_window(layer) or not is_map(layer) or source is None or not is_map(source):
        return None
    before, after = list(pair(layer, "padding", 0)), list(padding_after(layer))
    while source.op in POINTWISE or source.op == "pad":
        further = graph.sources(source)
        if len(further) != 1 or not is_map(further[0]):
            break
        if source.op == "pad":
            amounts = pad_amounts(source)
            if amounts is None:
                break
            before = [own + more for own, more in zip(before, amounts[0], strict=True)]
            after = [own + more for own, more in zip(after, amounts[1], strict=True)]
        elif not _a_pad_is_before(graph, source):
            break
        source = further[0]
    return Window(
        layer=layer,
        source=source,
        kernel=kernel(layer),
        stride=pair(layer, "stride", 1),
        dilation=pair(layer, "dilation", 1),
        before=(before[0], before[1]),
        after=(after[0], after[1]),
        outputs=map_size(layer),
    )


def module_is(layer: Layer, *names: str) -> bool:
    """Whether its module is one of torch's own of these names, whose constructor's arguments say
    what the operation does.
    """
    return layer.module in names


def padding_after(layer: Layer) -> Pair:
    """A convolution's padding at the far edges; the same as at the near ones unless it says so."""
    own = "padding_after" if "padding_after" in layer.attrs else "padding"
    return pair(layer, own, 0)


def pad_amounts(layer: Layer) -> tuple[Pair, Pair] | None:
    """What a pad operation adds before and after (height, width).

    None where it fills with something else than a constant, or pads channels.
    """
    if layer.attrs.get("mode") != "constant":
        return None
    amounts = [int(amount) for amount in layer.attrs.get("padding", ())]
    if not amounts or len(amounts) % 2 or any(amounts[4:]):
        return None
    left, right, top, bottom = [*amounts, 0, 0][:4]
    return (top, left), (bottom, right)


def _a_pad_is_before(graph: Graph, layer: Layer) -> bool:
    """Whether, through what leaves pixels in their place, a pad made what ``layer`` reads."""
    return graph.back(layer, POINTWISE).op == "pad"
