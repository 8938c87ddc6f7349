"""CO606 unfused

## What it finds

An activation or an attention that is written out in several operations, where PyTorch has one.

## Why it is bad

Each operation reads a whole map from memory and writes another, and keeps what it needs for
backward. Such operations take as long as memory takes, whatever little they compute: x · sigmoid(x)
written out moves five maps where `silu` moves two, and keeps two where it keeps one. Attention that
writes out softmax(QKᵀ)V holds a matrix of tokens by tokens for every head.

## Bad

```python
from torch import nn

class Swish(nn.Module):
    def forward(self, x):
        return x * x.sigmoid()

net = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), Swish(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10),
)
image = (3, 32, 32)
```

Fires at `2`.

## Good

```python
from torch import nn

net = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.SiLU(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10),
)
image = (3, 32, 32)
```

## How it is measured

A product of a map with its own sigmoid (`silu`) or with the tanh of its softplus (`mish`); a
softmax between two products of tensors, with nothing but a factor before it and dropout behind it
(`scaled_dot_product_attention`). The price is the bytes that the operations in between keep for
backward, for the image that was traced.

## Limits

A compiler (`torch.compile`) fuses the activations by itself. Attention with a bias, a mask or a
learnt temperature before the softmax is silent, though the function can be made to take those.
Whether attention of few tokens gains is a matter of sizes.

## References

Williams et al., "Roofline" (CACM 52, 2009). Dao et al., "FlashAttention" (arXiv 2205.14135).
"""

from __future__ import annotations

from collections.abc import Iterator

from striate.checking.graph import RESHAPES, SAME, Graph
from striate.checking.rule import Spot
from striate.records import Layer, Price, Severity, Trace

CODE = "CO606"
NAME = "unfused"
SEVERITY: Severity = "info"

PRODUCTS = frozenset({"matmul", "bmm", "baddbmm", "einsum"})
MOVES = RESHAPES | SAME | {"transpose", "permute", "expand", "select"}
SCALES = frozenset({"mul", "div"})


def find(trace: Trace) -> Iterator[Spot]:
    """Activations and attention that are written out, once for each module."""
    graph = Graph(trace)
    said: set[tuple[str, str]] = set()
    for layer in trace:
        found = _activation(graph, layer) or _attention(graph, layer)
        if found is None or (layer.path, found[0]) in said:
            continue
        name, parts = found
        said.add((layer.path, name))
        kept = sum(part.saved_bytes for part in parts)
        yield Spot(
            at=layer,
            message=(
                f"this is {name}, written out in {len(parts) + 1} operations, each of which goes "
                "through memory."
            ),
            measured={"function": name, "operations": [part.op for part in parts] + [layer.op]},
            price=Price(bytes=kept),
            fix=f"call torch.nn.functional.{name}.",
        )


def _activation(graph: Graph, layer: Layer) -> tuple[str, list[Layer]] | None:
    """``x · sigmoid(x)`` and ``x · tanh(softplus(x))``."""
    sources = graph.sources(layer)
    if layer.op != "mul" or len(sources) != 2:
        return None
    for given, gate in (sources, sources[::-1]):
        before = graph.source(gate)
        if gate.shape != given.shape or before is None:
            continue
        if gate.op == "sigmoid" and before.index == given.index:
            return "silu", [gate]
        inner = graph.source(before) if before.op == "softplus" else None
        if gate.op == "tanh" and inner is not None and inner.index == given.index:
            return "mish", [before, gate]
    return None


def _attention(graph: Graph, layer: Layer) -> tuple[str, list[Layer]] | None:
    """``softmax(factor · Q Kᵀ) V``."""
    if layer.op not in PRODUCTS or len(graph.sources(layer)) != 2:
        return None
    weights = graph.back(graph.sources(layer)[0], MOVES)
    if weights.op != "softmax" or weights.attrs.get("dim") != len(weights.shape) - 1:
        return None
    scaled = graph.source(weights)
    parts = [weights]
    number = scaled is not None and scaled.op in SCALES and len(graph.sources(scaled)) == 1
    if scaled is not None and number and not scaled.params:
        parts.insert(0, scaled)
        scaled = graph.source(scaled)
    if scaled is None or scaled.op not in PRODUCTS or len(graph.sources(scaled)) != 2:
        return None
    return "scaled_dot_product_attention", [scaled, *parts]
