"""The commonest confusions, in pictures.

Comes in: a Subject.  Goes out: Evidence ``errors.pairs`` with ``images`` (k, C, H, W) and for each
its ``pair``, ``indices`` and ``confidence``; facts ``pairs``, the commonest first.
"""

from __future__ import annotations

import numpy as np

from striate.records import Check, Evidence
from striate.runs import evaluating
from striate.seeing.subject import Subject

TITLE = "The commonest confusions"
PAIRS = 5
EACH = 6


def confusions(subject: Subject) -> Evidence:
    """Of each of the commonest pairs (true class, said class) the most confident mistakes."""
    labels, said = subject.evaluation.labels, subject.said
    wrong = np.flatnonzero(said != labels)
    if len(wrong) == 0:
        return Evidence(
            name="errors.pairs",
            title=TITLE,
            inapplicable=f"There are none: all {len(labels)} {subject.images.name} images are "
            "classified correctly.",
        )
    pairs, counts = np.unique(
        np.stack([labels[wrong], said[wrong]], axis=1), axis=0, return_counts=True
    )
    order = np.argsort(-counts, kind="stable")[:PAIRS]
    picked: list[int] = []
    owner: list[int] = []
    for place, (true, called) in enumerate(pairs[order].tolist()):
        members = wrong[(labels[wrong] == true) & (said[wrong] == called)]
        surest = members[np.argsort(-subject.confidence[members], kind="stable")][:EACH]
        picked += surest.tolist()
        owner += [place] * len(surest)
    chosen = np.array(picked, np.int64)
    with evaluating(subject.module):
        again = subject.logits(subject.module, subject.inputs(chosen), subject.setting)
    other = int((again.argmax(dim=1).cpu().numpy() != said[chosen]).sum())
    other += int((subject.images.labels[chosen] != labels[chosen]).sum())
    totals = np.bincount(labels, minlength=len(subject.preprocessing.classes))
    names = subject.preprocessing.classes
    return Evidence(
        name="errors.pairs",
        title=TITLE,
        arrays={
            "images": subject.images.pixels(chosen),
            "pair": np.array(owner, np.int64),
            "indices": chosen,
            "confidence": subject.confidence[chosen],
        },
        facts={
            "pairs": [
                {
                    "true": names[true],
                    "said": names[called],
                    "count": int(count),
                    "of": int(totals[true]),
                }
                for (true, called), count in zip(
                    pairs[order].tolist(), counts[order].tolist(), strict=True
                )
            ],
            "total": len(wrong),
            "kinds": len(pairs),
            "paths": subject.images.paths(chosen),
        },
        checks=(
            Check(
                name="other verdicts",
                claim="Pictures that get another class, or carry another label, when recomputed",
                value=float(other),
                limit=0.0,
                passed=other == 0,
            ),
        ),
    )
