"""AF703 idle-branch

## What it finds

A residual branch without which the trained network says the same.

## Why it is bad

What a block adds to its skip can be so small that it is not heard. The network was trained, and is
run, with layers that do nothing: they can be taken out, and the next training can do without them.
It is most often seen at the end of a stage, where a network is deeper than its data ask for.

## Bad

```python
import torch
from torch import nn

class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(16, 16, 3, padding=1), nn.Conv2d(16, 16, 3, padding=1)

    def forward(self, x):
        return x + self.conv2(self.conv1(x).relu())

net = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), Residual(), Residual(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10),
)
with torch.no_grad():
    net[3].conv2.weight *= 1e-4
    net[3].conv2.bias *= 0
image = (3, 8, 8)
```

Fires at `3.conv2`.

## Good

```python
import torch
from torch import nn

class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(16, 16, 3, padding=1), nn.Conv2d(16, 16, 3, padding=1)

    def forward(self, x):
        return x + self.conv2(self.conv1(x).relu())

net = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), Residual(), Residual(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10),
)
image = (3, 8, 8)
```

## How it is measured

At each sum of a skip and a branch, the branch's length as a share of the sum's, averaged over the
images; of those below 5 %, the sixteen least are left out, one at a time, over the same images.
Found where the share is below 2 %, no image changes its class, and the logits move by less than
2 % of their deviation over images. What the share was before step 1 is measured too, where the
network can be made again as it was. The price is the branch's parameters and multiply-accumulates.

## Limits

Branches are tried one by one: two that are idle alone may be needed together. A branch that was
scaled down to begin with (layer scale, a norm that starts at zero) and was trained too short is
idle too: it is said where it began at zero, and more training is the mend then.

## References

Veit, Wilber and Belongie, "Residual networks behave like ensembles of relatively shallow networks"
(arXiv 1605.06431), section 4.1. Huang et al., "Deep networks with stochastic depth" (arXiv
1603.09382).
"""

from __future__ import annotations

from collections.abc import Iterator

from striate.checking.graph import Graph
from striate.checking.rule import Given, Spot
from striate.checking.words import many, percent, place
from striate.records import Branch, Layer, Price, Severity, Trace

CODE = "AF703"
NAME = "idle-branch"
SEVERITY: Severity = "warning"
ASKS = ("health",)
SILENT_IF = ("AF706", "AF708")  # where nothing is heard, no branch is

FAINT = 0.02
ZERO = 1e-3  # the share of a branch whose last norm or scale starts at zero


def find(trace: Trace, given: Given) -> Iterator[Spot]:
    """Branches that change nothing."""
    graph = Graph(trace)
    if given.health is None:
        return
    for branch in given.health.branches:
        if branch.flipped is None or branch.shift is None or branch.index not in graph:
            continue
        if branch.share >= FAINT or branch.flipped > 0 or branch.shift >= FAINT:
            continue
        end, own = _own(graph, branch)
        zero = branch.began is not None and branch.began < ZERO
        since = "; it began at zero and has hardly left it" if zero else ""
        yield Spot(
            at=end,
            message=(
                f"the branch that ends here is {percent(branch.share)} of the sum in "
                f"{place(graph[branch.index].path)}; without it none of "
                f"{many(given.health.images, 'image')} gets another class{since}."
            ),
            measured={
                "share": round(branch.share, 6),
                "shift": round(branch.shift, 6),
                "began": branch.began,
                "own_layers": len(own),
            },
            price=Price(
                params=sum(layer.params for layer in own),
                macs=sum(layer.macs or 0 for layer in own),
            ),
            fix=(
                "train longer, and take the branch out if it stays so."
                if zero
                else "take the branch out."
            ),
        )


def _own(graph: Graph, branch: Branch) -> tuple[Layer, list[Layer]]:
    """The branch's last layer, and the layers that are its alone."""
    total = graph[branch.index]
    ends = graph.sources(total)
    end = next((one for one in ends if one.path == branch.path), ends[0])
    others = set[int]().union(*(graph.ancestors(one) for one in ends if one is not end))
    return end, [graph[index] for index in sorted(graph.ancestors(end) - others)]
