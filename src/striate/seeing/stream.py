"""The residual stream: how large it is, and how much of it each block is.

In a network of skips there is one stream that blocks read and add to (He et al. 2016, "Identity
mappings in deep residual networks").  Measured where a branch meets the stream, before any
activation that stands behind the sum.

Comes in: a module, images.  Goes out: a ``StreamStrip``.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from striate.records import Evidence
from striate.records.stream import StreamStrip
from striate.seeing.frozen_batches import graphs
from striate.seeing.frozen_evidence import measured, none, or_why_not, recomputed
from striate.seeing.frozen_graph import Graph
from striate.seeing.frozen_skips import Skip, skips_of, stream_of
from striate.seeing.subject import Subject, Tick

TITLE = "The stream and what each block adds"
NO_SKIPS = "This network has no skip: its blocks replace what they read, and there is no stream."


def stream_strip(module: nn.Module, images: Tensor, *, batch: int = 32) -> StreamStrip:
    """The stream's norm, each block's share of it and cosine with it, over ``images``.

    ``images``: (N, C, H, W), as the network takes them, ``batch`` at a time.
    """
    names: tuple[str, ...] = ()
    rows: list[Tensor] = []
    for _, graph in graphs(module, images, batch):
        skips = stream_of(graph, skips_of(graph))
        names = tuple(skip.name for skip in skips)
        if not skips:
            break
        rows.append(torch.stack([_measured(graph, skip) for skip in skips]))
    found = torch.cat(rows, dim=2).mean(dim=2).cpu().numpy() if rows else np.empty((0, 4))
    return StreamStrip(
        names=names,
        norm=found[:, 0],
        ratio=found[:, 1],
        share=found[:, 2],
        cosine=found[:, 3],
        images=len(images),
        inapplicable=None if rows else NO_SKIPS,
    )


def _measured(graph: Graph, skip: Skip) -> Tensor:
    """(4, N): norm, ratio, share and cosine of each image."""
    met = graph.nodes[skip.node]
    behind = graph.values[met.outs[0]].detach().double()
    added = graph.values[skip.branch].detach().double()
    joined = skip.way == "concatenation"
    flat = behind.flatten(1)
    whole = _length(flat)
    if joined:
        part = _length(added.flatten(1))
        before = (whole.square() - part.square()).clamp_min(0).sqrt()
        share = (part / whole).square()
        cosine = torch.full_like(whole, torch.nan)
    else:
        wide = added.expand_as(behind).flatten(1)
        stood = flat - wide
        part, before = _length(wide), _length(stood)
        share = (wide * flat).sum(dim=1) / whole.square()
        cosine = (wide * stood).sum(dim=1) / (part * before)
    return torch.stack([whole / flat.shape[1] ** 0.5, part / before, share, cosine])


def _length(rows: Tensor) -> Tensor:
    return rows.square().sum(dim=1).sqrt()


def strip(subject: Subject, tick: Tick) -> Evidence:
    """Evidence ``stream.strip``: ``norm``, ``ratio``, ``share``, ``cosine`` (blocks,)."""
    tick(0, 1)
    return or_why_not("stream.strip", TITLE, lambda: _strip(subject))


def _strip(subject: Subject) -> Evidence:
    inputs, _ = measured(subject)
    found = stream_strip(subject.module, inputs)
    if found.inapplicable is not None:
        return none("stream.strip", TITLE, found.inapplicable)
    return Evidence(
        name="stream.strip",
        title=TITLE,
        arrays={
            "norm": found.norm,
            "ratio": found.ratio,
            "share": found.share,
            "cosine": found.cosine,
        },
        facts={"names": list(found.names), "images": found.images, "split": subject.images.name},
        checks=(recomputed(subject, inputs),),
    )
