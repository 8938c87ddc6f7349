"""How long the paths are that carry the gradient, in a trained network of 54 blocks.

``sampled`` is the paper's own procedure (section 4.3): a path of length k is drawn, the gradient
flows through its k branches and otherwise along the stream alone, and its norm at the image is
multiplied with the number of paths of that length, as counted in the graph.  ``exact`` sums all
paths of a length first, by dynamic programming, so that what cancels is gone.

Comes in: a trained network.  Goes out: the group ``gradient``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from striate.flow.claims.claim import Claim, Group, Relation, Tick

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from striate.seeing.frozen_graph import Graph, Node
    from striate.seeing.frozen_run import Compute, Values
    from striate.seeing.frozen_skips import Skip

VEIT = "Veit et al. 2016, Residual networks behave like ensembles, section 4.3 and figure 6"
NETWORK = "preact_resnet110"
IMAGES = 16
DRAWS = 4
"""Paths that are drawn of each length."""


def _measured(names: Sequence[str], tick: Tick) -> Iterator[tuple[str, float]]:
    import numpy as np

    from striate.flow.claims.trained import EPOCHS, trained
    from striate.seeing import path_spectrum

    lengths = 55
    (net,) = trained([NETWORK], tick, parts=lengths)
    module, images, labels = net.module, net.images[:IMAGES], net.labels[:IMAGES]
    shares: dict[str, NDArray[np.float64]] = {}
    if any(name.startswith("sampled") for name in names):
        norms, counts = path_norms(
            module, images, labels, lambda done, total: tick(EPOCHS + done, EPOCHS + total)
        )
        whole = norms * np.array([float(count) for count in counts])
        shares["sampled"] = whole / whole.sum()
    if any(name.startswith("exact") for name in names):
        spectra = [path_spectrum(module, image).norms for image in images]
        shares["exact"] = np.mean([norms / norms.sum() for norms in spectra], axis=0)
    for name in names:
        kind, first, last = name.replace("-", " ").split()
        yield name, float(shares[kind][int(first) : int(last) + 1].sum())


def path_norms(
    module: nn.Module, images: Tensor, labels: NDArray[np.int64], tick: Tick, *, draws: int = DRAWS
) -> tuple[NDArray[np.float64], tuple[int, ...]]:
    """(lengths,) mean norm, at the image, of the loss's gradient along single paths; their number.

    Over ``images`` (N, C, H, W) and ``draws`` paths of each length.
    """
    import numpy as np
    import torch
    from torch.nn.functional import cross_entropy

    from striate import keyed
    from striate.seeing.frozen_graph import capture
    from striate.seeing.frozen_run import run
    from striate.seeing.frozen_skips import paths_of, skips_of, stream_of

    graph = capture(module, images)
    skips = stream_of(graph, skips_of(graph))
    counts = paths_of(graph, skips)
    places = np.arange(len(skips), dtype=np.int64)
    norms = np.zeros((len(counts), draws))
    for length in range(len(counts)):
        tick(length, len(counts))
        for draw in range(draws):
            order = keyed.bits(0, "claims.paths", length, draw, places).argsort()
            taken: set[int] = set(order[:length].tolist())
            rules = {s.node: _one_way(graph, s, at in taken) for at, s in enumerate(skips)}
            image = graph.image.detach().clone().requires_grad_()
            with torch.enable_grad():
                logits = run(graph, {0: image}, rules=rules)[graph.output]
                loss = cross_entropy(logits, torch.as_tensor(labels), reduction="sum")
                (slope,) = torch.autograd.grad(loss, image)
            lengths: Tensor = slope.double().flatten(1).square().sum(dim=1).sqrt()
            norms[length, draw] = lengths.mean().item()
    return norms.mean(axis=1), counts


def _one_way(graph: Graph, skip: Skip, taken: bool) -> Compute:
    """The sum as it is, whose gradient goes into the branch alone, or along the stream alone."""

    def compute(_node: Node, _args: Any, _kwargs: Any, values: Values) -> tuple[Tensor, ...]:
        stream, branch = (values.get(v, graph.values[v]) for v in (skip.stream, skip.branch))
        return ((stream.detach() + branch) if taken else (stream + branch.detach()),)

    return compute


def _claim(name: str, what: str, claimed: float, relation: Relation) -> Claim:
    return Claim(
        name=name, what=what, source=VEIT, claimed=claimed, relation=relation, unit="share"
    )


GRADIENT = Group(
    name="gradient",
    what=f"the gradient by path length in a trained {NETWORK} (digits, 10 epochs)",
    minutes=2,
    claims=(
        _claim("sampled-5-17", "share carried by paths of 5 to 17, sampled one by one", 0.9, "≥"),
        _claim("sampled-19-35", "share carried by paths of 19 to 35, sampled one by one", 0.1, "≤"),
        _claim("exact-5-17", "share of the lengths' norms of 5 to 17, all paths summed", 0.5, "≥"),
        _claim("exact-19-35", "share of the lengths' norms of 19 to 35, all paths", 0.1, "≤"),
    ),
    measure=_measured,
)
