"""What the network makes of images before it decides, for the ways that compare images.

Comes in: a Subject, images.  Goes out: features (n, D), brought to one length.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from striate.runs import evaluating
from striate.runs.features import features_and_logits
from striate.seeing.subject import Images, Subject

BATCH = 128


def features_of(
    subject: Subject, images: Images, indices: NDArray[np.int64]
) -> NDArray[np.float64]:
    """(n, D), each row of length 1: what goes into the last layer that makes the classes."""
    rows: list[NDArray[np.float64]] = []
    count = len(subject.preprocessing.classes)
    with evaluating(subject.module), torch.no_grad():
        for start in range(0, len(indices), BATCH):
            inputs = subject.prepared(images.pixels(indices[start : start + BATCH]))
            features, _ = features_and_logits(subject.module, inputs, count)
            rows.append(features.double().cpu().numpy())
    found = np.concatenate(rows)
    return found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)
