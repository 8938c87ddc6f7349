"""The logit lens: what would the network say if it stopped here?

After nostalgebraist (2020), "interpreting GPT: the logit lens", who reads a transformer's stream
with its own last norm and classifier.  Here the blocks behind add nothing, and all else that lies
behind (shortcuts that change the shape, layers without a skip, the last norm, the head) does what
it always does.  Where no shape changes that is the lens of the transformer; where shapes do change
it says what the stream alone carries on.

Comes in: a module, images, labels.  Goes out: a ``LogitLens``.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from striate.records import Evidence
from striate.records.stream import LogitLens
from striate.seeing.frozen_batches import graphs, labelled, losses, said
from striate.seeing.frozen_evidence import measured, none, or_why_not, recomputed
from striate.seeing.frozen_run import run
from striate.seeing.frozen_skips import skips_of, stream_of
from striate.seeing.subject import Subject, Tick

TITLE = "What it would say if it stopped here"
NO_SKIPS = "This network has no skip, so nothing goes past its blocks to be read before the end."
START = "before the first block"


def logit_lens(
    module: nn.Module, images: Tensor, labels: Tensor | NDArray[np.int64], *, batch: int = 32
) -> LogitLens:
    """Accuracy, loss and agreement with the end, behind every block.

    ``images``: (N, C, H, W), as the network takes them; ``labels``: (N,).
    """
    right = labelled(images, labels)
    names: tuple[str, ...] = ()
    rows: list[NDArray[np.float64]] = []
    for here, graph in graphs(module, images, batch):
        skips = stream_of(graph, skips_of(graph))
        names = tuple(skip.name for skip in skips)
        if not skips:
            break
        end = said(graph.logits)
        columns: list[NDArray[np.float64]] = []
        with torch.no_grad():
            for kept in range(len(skips) + 1):
                without = {
                    skip.branch: torch.zeros_like(graph.values[skip.branch])
                    for skip in skips[kept:]
                }
                logits = run(graph, without)[graph.output]
                says = said(logits)
                loss = losses(logits, right[here])
                columns.append(np.stack([says == right[here], loss, says == end]).astype(float))
        rows.append(np.stack(columns))
    found = np.concatenate(rows, axis=2).mean(axis=2) if rows else np.empty((0, 3))
    return LogitLens(
        names=(START, *names) if names else (),
        accuracy=found[:, 0],
        loss=found[:, 1],
        agreement=found[:, 2],
        images=len(images),
        inapplicable=None if rows else NO_SKIPS,
    )


def lens(subject: Subject, tick: Tick) -> Evidence:
    """Evidence ``stream.lens``: ``accuracy``, ``loss``, ``agreement`` (1 + blocks,)."""
    tick(0, 1)
    return or_why_not("stream.lens", TITLE, lambda: _lens(subject))


def _lens(subject: Subject) -> Evidence:
    inputs, labels = measured(subject)
    found = logit_lens(subject.module, inputs, labels)
    if found.inapplicable is not None:
        return none("stream.lens", TITLE, found.inapplicable)
    return Evidence(
        name="stream.lens",
        title=TITLE,
        arrays={
            "accuracy": found.accuracy,
            "loss": found.loss,
            "agreement": found.agreement,
        },
        facts={"names": list(found.names), "images": found.images, "split": subject.images.name},
        checks=(recomputed(subject, inputs),),
    )
