"""The most confident mistakes, recomputed from their pixels.

A mistake that cannot be reproduced is a mistake of the bookkeeping.  So the network is run again on
the very pixels that are drawn.

Comes in: a Subject.  Goes out: Evidence ``errors`` with ``images`` (k, C, H, W) and for each its
``indices``, ``labels``, ``predicted``, ``confidence`` and ``truth`` (the right class's share).
"""

from __future__ import annotations

import numpy as np

from striate.records import Check, Evidence
from striate.runs import evaluating
from striate.seeing.subject import Subject

TITLE = "The most confident mistakes"
MOST_DEVIATION = 0.01


def errors(subject: Subject) -> Evidence:
    """The mistakes with the greatest confidence, greatest first."""
    labels, said, confidence = subject.evaluation.labels, subject.said, subject.confidence
    wrong = np.flatnonzero(said != labels)
    if len(wrong) == 0:
        return Evidence(
            name="errors",
            title=TITLE,
            inapplicable=f"There are none: all {len(labels)} {subject.images.name} images are "
            "classified correctly.",
        )
    order = wrong[np.argsort(-confidence[wrong], kind="stable")][: subject.options.errors]
    with evaluating(subject.module):
        logits = subject.logits(subject.module, subject.inputs(order), subject.setting)
        again = logits.softmax(dim=1).cpu().numpy()
    other = int((again.argmax(axis=1) != said[order]).sum())
    deviation = float(np.abs(again.max(axis=1) - confidence[order]).max())
    mislabelled = int((subject.images.labels[order] != labels[order]).sum())
    return Evidence(
        name="errors",
        title=TITLE,
        arrays={
            "images": subject.images.pixels(order),
            "indices": order,
            "labels": labels[order],
            "predicted": said[order],
            "confidence": confidence[order],
            "truth": subject.evaluation.probabilities[order, labels[order]],
        },
        facts={"total": len(wrong), "paths": subject.images.paths(order)},
        checks=(
            Check(
                name="other verdicts",
                claim="Pictures that get another class, or carry another label, when recomputed",
                value=float(other + mislabelled),
                limit=0.0,
                passed=other + mislabelled == 0,
            ),
            Check(
                name="deviation",
                claim="Greatest change of a confidence when recomputed",
                value=deviation,
                limit=MOST_DEVIATION,
                passed=deviation <= MOST_DEVIATION,
            ),
        ),
    )
