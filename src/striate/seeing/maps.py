"""Feature maps of one image after each stage, and whether they may be believed.

A random network draws maps of an image too, and they look like something.  So a channel that draws
mostly what the same channel drew before training is left out, and counted.  And what is drawn must
be what the network uses: carried on through the rest of the network, while another image enters at
the front, the maps must give this image's logits.

Comes in: a Subject.  Goes out: one Evidence for each stage, ``maps.<path>``, with ``maps``
(drawn, h, w) and the ``image`` (C, H, W) they are of.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from striate.building import Network
from striate.records import Check, Evidence
from striate.runs import evaluating
from striate.seeing.passing import estimated_norms, replacing, submodules, watch
from striate.seeing.subject import LookOptions, Subject

MOST_LOST = 1e-4
MOST_START = 0.5


def maps(subject: Subject) -> list[Evidence]:
    """One piece for each stage; a single one that says why where there are no maps."""
    index, chosen = _example(subject)
    one = np.array([index], np.int64)
    with evaluating(subject.module), evaluating(subject.start):
        inputs = subject.inputs(one)
        paths = _stages(subject, inputs)
        if not paths:
            return [
                Evidence(
                    name="maps",
                    title="Feature maps",
                    inapplicable="No part of this network hands on a map with rows and columns, "
                    "so there are no feature maps to show.",
                )
            ]
        many = subject.inputs(subject.looked_at)
        logits, own = watch(subject.module, paths, lambda: subject.logits(subject.module, inputs))
        trained, start = (
            _estimated(subject, net, paths, many) for net in (subject.module, subject.start)
        )
        other = subject.inputs(np.array([_another(subject, index)], np.int64))
        facts = {
            "index": index,
            "split": subject.images.name,
            "label": subject.preprocessing.classes[int(subject.images.labels[index])],
            "predicted": subject.preprocessing.classes[int(subject.said[index])],
            "confidence": float(subject.confidence[index]),
            "chosen": chosen,
        }
        image = subject.images.pixels(one)[0]
        return [
            _stage(
                path,
                own[path][0].cpu().numpy(),
                shares_of_start(trained[path], start[path]),
                _lost(subject, path, own[path], logits, other),
                image=image,
                facts=facts,
                options=subject.options,
            )
            for path in paths
        ]


def _stage(
    path: str,
    planes: NDArray[np.float32],
    shares: NDArray[np.float64],
    lost: float,
    *,
    image: NDArray[Any],
    facts: dict[str, Any],
    options: LookOptions,
) -> Evidence:
    """One stage's piece: ``planes`` (C, h, w) of the image, ``shares`` (C,) of the start.

    Facts, besides those of the image: ``path``, ``channels``, ``drawn`` (their numbers),
    ``left_out`` (channels above ``limit``) and ``silent`` (channels that are 0 everywhere).
    """
    spread = planes.var(axis=(1, 2), dtype=np.float64)
    changed = np.flatnonzero((shares <= MOST_START) & (spread > 0))
    drawn = np.sort(changed[np.argsort(-spread[changed], kind="stable")][: options.channels])
    moved = len(drawn) > 0
    share = float(shares[drawn].max() if moved else shares.min())
    return Evidence(
        name=f"maps.{path}",
        title=_title(path),
        arrays={"maps": planes[drawn], "image": image},
        facts={
            **facts,
            "path": path,
            "channels": len(planes),
            "drawn": [int(channel) for channel in drawn],
            "left_out": int((shares > MOST_START).sum()),
            "limit": MOST_START,
            "silent": int((planes == 0).all(axis=(1, 2)).sum()),
        },
        checks=(
            Check(
                name="lost on the way",
                claim="Share of the difference between two images' logits that does not pass "
                "through these maps",
                value=lost,
                limit=MOST_LOST,
                passed=lost <= MOST_LOST,
            ),
            Check(
                name="share of the start",
                claim=("Greatest share of what any channel here draws" if moved else _LEAST)
                + " that it drew before training",
                value=share,
                limit=MOST_START,
                passed=moved,
            ),
        ),
    )


_LEAST = "Least share of what any channel draws"


def _example(subject: Subject) -> tuple[int, str]:
    """A typical image, by a rule that flatters nobody: median confidence among the right ones."""
    right = np.flatnonzero(subject.said == subject.images.labels)
    if len(right) == 0:
        return 0, "It is the first; none is right."
    order = right[np.argsort(subject.confidence[right], kind="stable")]
    return int(order[len(order) // 2]), "Its confidence is the median of those that are right."


def _another(subject: Subject, index: int) -> int:
    """The first image that was given another class; any other where all were given one."""
    others = np.flatnonzero(subject.said != subject.said[index])
    return int(others[0]) if len(others) else (index + 1) % len(subject.said)


def _stages(subject: Subject, inputs: Tensor) -> list[str]:
    """Where maps are handed on: stem and stages of a Network; of another module, for each size of
    map, the last module that hands one on.  Modules that are called more than once are left out.
    """
    if isinstance(subject.module, Network):
        kept = subject.module.stage_maps(inputs)
        return [path for path, handed in kept.items() if _is_map(handed)]
    calls: dict[str, int] = {}
    _, seen = watch(
        subject.module,
        [path for path in submodules(subject.module) if path],
        lambda: subject.logits(subject.module, inputs),
        calls=calls,
    )
    last: dict[tuple[int, ...], str] = {}
    for path, handed in seen.items():
        if _is_map(handed) and calls[path] == 1:
            last.pop(tuple(handed.shape), None)
            last[tuple(handed.shape)] = path
    return list(last.values())


def _estimated(
    subject: Subject, module: nn.Module, paths: list[str], inputs: Tensor
) -> dict[str, Tensor]:
    """The maps of these images with norms estimated on them, as the start of training needs it."""
    with estimated_norms(module):
        return watch(module, paths, lambda: subject.logits(module, inputs))[1]


def _is_map(handed: Tensor) -> bool:
    return handed.dim() == 4 and max(handed.shape[2:]) > 1


def _title(path: str) -> str:
    """``stem`` → After the stem; ``stages.0`` → After stage 1; others by their path."""
    if path == "stem":
        return "After the stem"
    head, _, number = path.rpartition(".")
    return f"After stage {int(number) + 1}" if head == "stages" else f"After {path}"


def _lost(subject: Subject, path: str, own: Tensor, logits: Tensor, other: Tensor) -> float:
    """‖carried − logits‖ / ‖other's − logits‖: 0 when the maps carry all, 1 when nothing.

    ``carried`` are the logits when ``other`` enters and the module at ``path`` hands on ``own``.
    NaN, which passes no limit, where the two images' logits do not differ.
    """
    plain = subject.logits(subject.module, other)
    carried = replacing(subject.module, path, own, lambda: subject.logits(subject.module, other))
    apart, gap = (
        float(np.linalg.norm((given - logits).cpu().numpy())) for given in (plain, carried)
    )
    return gap / apart if apart > 0 else float("nan")


def shares_of_start(trained: Tensor, start: Tensor) -> NDArray[np.float64]:
    """For each channel the squared correlation between (n, C, h, w) and (n, C, h, w).

    Correlation forgets scale and offset, as the norm behind a convolution does.  A channel that is
    constant in either has nothing in common with the other, unless both are constant.
    """
    pairs = [
        tensor.double().transpose(0, 1).flatten(1).cpu().numpy() for tensor in (trained, start)
    ]
    now, then = (rows - rows.mean(axis=1, keepdims=True) for rows in pairs)
    energies: NDArray[np.float64] = (now**2).sum(axis=1) * (then**2).sum(axis=1)
    dots = (now * then).sum(axis=1) ** 2
    idle = ((now == 0).all(axis=1) & (then == 0).all(axis=1)).astype(np.float64)
    return np.divide(dots, energies, out=idle, where=energies > 0)
