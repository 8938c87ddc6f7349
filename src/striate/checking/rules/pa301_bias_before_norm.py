"""PA301 bias-before-norm

## What it finds

A convolution or dense layer with a bias whose output goes straight, and only, into a batch or
instance norm.

## Why it is bad

The norm subtracts each channel's mean, and with it whatever constant the bias added. The bias
cannot change what the network computes, its gradient is zero, and the norm has an offset of its
own. It is cheap, but it is carried through every step, the optimiser's state and every saved
file; and weight decay or a careless fold at export can still make it matter where it should not.

## Bad

```python
from torch import nn

net = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10),
)
image = (3, 32, 32)
```

Fires at `0`.

## Good

```python
from torch import nn

net = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10),
)
image = (3, 32, 32)
```

## How it is measured

The only reader of the layer's output is a norm that takes one mean per channel: batch norm,
instance norm, or group norm with a group for each channel. A module that is called several times
must meet one each time. The price is one parameter for each output channel.

## Limits

Layer norm, and group norm over several channels, subtract one mean from many channels: there a
bias per channel does matter, and is left alone. In a network that was trained already the running
mean has taken the bias in: take the two away together, or leave it.

## References

Ioffe and Szegedy, "Batch normalization" (arXiv 1502.03167), section 3.2: "the bias b can be
ignored since its effect will be canceled by the subsequent mean subtraction".
"""

from __future__ import annotations

from collections.abc import Iterator

from striate.checking.graph import SAME, Graph, channels, is_weighted
from striate.checking.rule import Spot
from striate.checking.words import place
from striate.records import Edit, Layer, Price, Severity, Trace

CODE = "PA301"
NAME = "bias-before-norm"
SEVERITY: Severity = "info"
SILENT_IF = ("SH100", "RE401")  # who else reads an output is not known then


def find(trace: Trace) -> Iterator[Spot]:
    """Layers whose bias the next norm subtracts again."""
    graph = Graph(trace)
    calls: dict[str, list[tuple[Layer, Layer | None]]] = {}
    for layer in trace:
        if is_weighted(layer) and layer.attrs.get("bias"):
            calls.setdefault(layer.path, []).append((layer, _centring_norm(graph, layer)))
    for met in calls.values():
        layer, norm = met[0]
        if norm is None or any(other is None for _, other in met):
            continue
        biases = channels(layer)[1]
        yield Spot(
            at=layer,
            message=(
                f"the {biases} biases of this {_noun(layer)} are subtracted again by the norm "
                f"{place(norm.path)} that follows it, so they can change nothing."
            ),
            measured={"biases": biases, "norm": norm.path},
            price=Price(params=biases),
            fix="pass bias=False.",
            edits=(Edit(path=layer.path, argument="bias", value=False),),
            safe=True,
        )


def _centring_norm(graph: Graph, layer: Layer) -> Layer | None:
    """The norm that alone reads its output and takes a mean for each channel, or None."""
    user = graph.only_user(layer)
    while user is not None and user.op in SAME:
        user = graph.only_user(user)
    return user if user is not None and _centres_each_channel(user) else None


def _centres_each_channel(norm: Layer) -> bool:
    if norm.op in ("batch_norm", "instance_norm"):
        return True
    return norm.op == "group_norm" and norm.attrs.get("groups") == norm.shape[1]


def _noun(layer: Layer) -> str:
    return "dense layer" if layer.op == "linear" else "convolution"
