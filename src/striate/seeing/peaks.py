"""What would make a class likeliest, beside what did: activation maximisation and its natural peak.

Erhan et al. 2009; Olah, Mordvintsev and Schubert 2017.  The picture climbs from the mean colour
under small shifts (so that it does not lean on single pixels) and stays within the pixel values
that images have.  It is rounded to pixels and measured again, as an image file would be; if a real
image does better, there is nothing to show.

Comes in: a Subject.  Goes out: Evidence ``peaks`` with ``made`` and ``found`` (classes, C, H, W).
"""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from striate import keyed
from striate.records import Check, Evidence
from striate.runs import evaluating
from striate.seeing.subject import Subject, Tick

TITLE = "What would make each class likeliest"
CLASSES = 10
STEPS = 96
RATE = 0.08
LEAST_MOVED = 16  # pixels a side: in a smaller image one pixel is a large shift


def peaks(subject: Subject, tick: Tick) -> list[Evidence]:
    """One piece, over the first ``CLASSES`` classes that the network names in the split."""
    named = np.unique(subject.said)[:CLASSES]
    low, high = _range(subject)
    with evaluating(subject.module):
        best, logits = _natural(subject, named)
        inputs = _climb(subject, named, low, high, tick)
        mean, deviation, scale = _preprocessing(subject, inputs)
        pixels = ((inputs * deviation + mean) * scale).round().clamp(0, scale)
        again = subject.logits(subject.module, subject.prepared(pixels.cpu().numpy()))
        noise = subject.logits(subject.module, low + (high - low) * _uniform(inputs))
    rows = np.arange(len(named))
    made = again.double().cpu().numpy()[rows, named]
    plain = noise.double().cpu().numpy()[rows, named]
    lead = made - logits
    # A picture that a real image beats shows no peak: it is left out, and counted.
    kept = np.flatnonzero(lead >= 0)
    value = float(lead[kept].min() if len(kept) else lead.max())
    kind = subject.images.pixels(best[:1]).dtype
    return [
        Evidence(
            name="peaks",
            title=TITLE,
            arrays={
                "made": pixels.cpu().numpy().astype(kind)[kept],
                "found": subject.images.pixels(best[kept]),
                "made_logits": made[kept],
                "found_logits": logits[kept],
                "noise_logits": plain[kept],
            },
            facts={
                "classes": [subject.preprocessing.classes[int(named[row])] for row in kept],
                "indices": [int(best[row]) for row in kept],
                "left_out": len(named) - len(kept),
                "not_tried": len(subject.preprocessing.classes) - len(named),
                "split": subject.images.name,
                "images": len(subject.said),
                "steps": STEPS,
            },
            checks=(
                Check(
                    name="above nature",
                    claim=f"{'Least' if len(kept) else 'Greatest'} lead of a made picture's logit, "
                    f"rounded to pixels, over the greatest of {len(subject.said)} real images",
                    value=value,
                    limit=0.0,
                    passed=len(kept) > 0,
                ),
            ),
        )
    ]


def _natural(
    subject: Subject, named: np.ndarray[tuple[int], np.dtype[np.int64]]
) -> tuple[
    np.ndarray[tuple[int], np.dtype[np.int64]], np.ndarray[tuple[int], np.dtype[np.float64]]
]:
    """For each class the image of the split with its greatest logit, and that logit."""
    parts: list[Tensor] = []
    every = np.arange(len(subject.said), dtype=np.int64)
    for start in range(0, len(every), 128):
        inputs = subject.inputs(every[start : start + 128])
        parts.append(subject.logits(subject.module, inputs).double().cpu())
    logits = torch.cat(parts).numpy()[:, named]
    best = logits.argmax(axis=0)
    return best, logits[best, np.arange(len(named))]


def _climb(
    subject: Subject,
    named: NDArray[np.int64],
    low: Tensor,
    high: Tensor,
    tick: Tick,
) -> Tensor:
    """(classes, C, H, W): Adam on each class's logit, within the range, shifted a little each step.

    All classes climb in one batch; in evaluation mode none of them sees another.
    """
    forward = partial(subject.logits, subject.module)
    shape = (len(named), *subject.preprocessing.image)
    place = torch.zeros(shape, device=low.device)
    grain = _uniform(place) - 0.5
    place = (place + 0.1 * (high - low) * grain).requires_grad_()
    reach = max(1, min(shape[2:]) // 16)
    optimiser = torch.optim.Adam([place], lr=RATE)
    targets = torch.as_tensor(named, device=low.device).view(-1, 1)
    span = 2 * reach + 1
    with torch.enable_grad():
        for step in range(STEPS):
            tick(step, STEPS)
            moves = keyed.integers(0, "seeing.moves", span, step, np.arange(2)) - reach
            # The last third climbs without shifts, to the top of where it has come.
            still = step >= 2 * STEPS // 3 or min(shape[2:]) < LEAST_MOVED
            shift = (0, 0) if still else (int(moves[0]), int(moves[1]))
            moved = torch.roll(place, shift, (2, 3))
            score = forward(moved).gather(1, targets).sum()
            (slope,) = torch.autograd.grad(score, place)
            place.grad = -slope
            optimiser.step()
            with torch.no_grad():
                place.copy_(torch.minimum(torch.maximum(place, low), high))
    return place.detach()


def _range(subject: Subject) -> tuple[Tensor, Tensor]:
    """(1, C, 1, 1) each: the input values of a black and of a white pixel."""
    channels = subject.preprocessing.image[0]
    ends = [
        subject.prepared(np.full((1, channels, 1, 1), value, np.float32))
        for value in (0.0, subject.preprocessing.scale)
    ]
    return ends[0], ends[1]


def _preprocessing(subject: Subject, like: Tensor) -> tuple[Tensor, Tensor, float]:
    given = subject.preprocessing
    mean, deviation = (
        torch.tensor(values).to(like).view(1, -1, 1, 1) for values in (given.mean, given.std)
    )
    return mean, deviation, given.scale


def _uniform(like: Tensor) -> Tensor:
    drawn = keyed.uniform(0, "seeing.noise", np.arange(like.numel(), dtype=np.int64))
    return torch.as_tensor(drawn).to(like).reshape(like.shape)
