"""Shattered gradients: how alike the gradients of different images are, by depth.

Balduzzi et al. 2017, "The shattered gradients problem": in a plain network gradients of different
inputs lose what they have in common with every layer, until they look like white noise; skips keep
some of it.  Measured at every point that all passes, for the same sum of logits (random signs,
scaled), with the batch norms' statistics those of the images, so that networks before training can
be compared with networks after it, and a residual network with its plain twin.

Comes in: a module, images.  Goes out: ``Shattering``.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from striate import keyed
from striate.arch import plain_twin
from striate.building import Network, build
from striate.errors import InputError
from striate.records import Evidence
from striate.records.stream import Shattering
from striate.seeing.frozen_batches import estimated, settled
from striate.seeing.frozen_evidence import or_why_not, recomputed
from striate.seeing.frozen_graph import Graph, capture
from striate.seeing.frozen_points import points_of
from striate.seeing.frozen_run import Compute, run
from striate.seeing.subject import Subject, Tick

TITLE = "How alike the gradients of different images are"


def shattering(module: nn.Module, images: Tensor, *, steps: int = 33, seed: int = 0) -> Shattering:
    """Mean cosine of gradients between pairs of ``images`` (N, C, H, W), N ≥ 3, at every point.

    All images are taken at once.  ``steps``: images on the line from the first to the second,
    whose image gradients are compared with each other by how far apart they are.
    """
    if images.dim() != 4 or len(images) < 3:
        raise InputError(f"images of shape {tuple(images.shape)}: pairs need 3 or more")
    graph = capture(module, images)
    with torch.no_grad():
        norms = settled(estimated(graph, {0: graph.image}))
    points = [point for point in points_of(graph) if point.value != graph.output]
    wanted = [point.value for point in points]
    slopes = _slopes(graph, norms, wanted, seed)
    measured = [_alike(slope) for slope in slopes]
    shares = torch.linspace(0, 1, steps, dtype=images.dtype, device=images.device)
    line = images[:1] + shares.view(-1, 1, 1, 1) * (images[1:2] - images[:1])
    (along,) = _slopes(capture(module, line), norms, [0], seed)
    return Shattering(
        names=tuple(point.name for point in points),
        depths=np.array([point.depth for point in points], np.int64),
        cosine=np.array([mean for mean, _ in measured]),
        error=np.array([error for _, error in measured]),
        line=_by_lag(along),
        images=len(images),
    )


def _slopes(
    graph: Graph, norms: Compute, wanted: list[int], seed: int
) -> list[NDArray[np.float64]]:
    """(N, ·) for each value: the gradient of the signed sum of logits, scaled to length 1."""
    classes = graph.logits.shape[1]
    signs = keyed.integers(seed, "seeing.shattering", 2, np.arange(classes, dtype=np.int64)) * 2 - 1
    image = graph.image.detach().clone().requires_grad_()
    with torch.enable_grad():
        found = run(graph, {0: image}, wanted=[*wanted, graph.output], compute=norms)
        total = (found[graph.output] * torch.as_tensor(signs).to(image)).sum()
        slopes = torch.autograd.grad(total, [found[value] for value in wanted])
    flat = [slope.double().flatten(1).cpu().numpy() for slope in slopes]
    lengths = [np.linalg.norm(rows, axis=1, keepdims=True) for rows in flat]
    return [
        np.divide(rows, length, out=np.zeros_like(rows), where=length > 0)
        for rows, length in zip(flat, lengths, strict=True)
    ]


def _alike(rows: NDArray[np.float64]) -> tuple[float, float]:
    """The mean cosine over pairs of rows of length 1, and its jackknife error over rows."""
    count = len(rows)
    cosines = rows @ rows.T
    np.fill_diagonal(cosines, 0.0)
    total, own = cosines.sum(), cosines.sum(axis=1)
    without = (total - 2 * own) / ((count - 1) * (count - 2))
    error = np.sqrt((count - 1) / count * ((without - without.mean()) ** 2).sum())
    return float(total / (count * (count - 1))), float(error)


def _by_lag(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """(lags,) mean cosine of rows that are so far apart."""
    cosines = rows @ rows.T
    return np.array([np.diagonal(cosines, lag).mean() for lag in range(len(rows))])


def shattered(subject: Subject, tick: Tick) -> Evidence:
    """Evidence ``depth.shattering``: ``cosine``, and ``before``, with random weights (points,).

    For a network of striate's own with skips, ``twin`` is its plain twin before training, at the
    same depths; NaN where it has no point so deep.
    """
    tick(0, 1)
    return or_why_not("depth.shattering", TITLE, lambda: _shattered(subject))


def _shattered(subject: Subject) -> Evidence:
    inputs = subject.inputs(subject.looked_at)
    module = subject.module
    found, before = (shattering(net, inputs) for net in (module, subject.random(0)))
    arrays = {"cosine": found.cosine, "before": before.cosine, "depths": found.depths}
    if isinstance(module, Network) and any(stage.residual for stage in module.arch.stages):
        twin = shattering(build(plain_twin(module.arch)).to(inputs.device), inputs)
        by_depth = dict(zip(twin.depths.tolist(), twin.cosine.tolist(), strict=True))
        arrays["twin"] = np.array([by_depth.get(int(at), np.nan) for at in found.depths])
    return Evidence(
        name="depth.shattering",
        title=TITLE,
        arrays=arrays,
        facts={"names": list(found.names), "images": found.images, "split": subject.images.name},
        checks=(recomputed(subject, inputs),),
    )
