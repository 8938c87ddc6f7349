"""Which block wrote how much of a logit: parts that sum to it exactly.

What a block *wrote* is what its branch added to the stream, all of it, whatever the branch had
read.  From there it is carried to the logit as the stream is: through the sums, shortcuts, norms,
activations and pools behind it, each frozen as it was for this image, and through blocks without a
skip by the linear map they then are; never through another branch, which is the author of what it
adds.  So no block without a skip swallows what came before it; it writes its biases alone.  What
the image itself came to, carried the same way, is a part too, and so is every bias on the way.

For transformers this is direct logit attribution with the last norm's denominator frozen (Elhage
et al. 2021, "A mathematical framework for transformer circuits"); freezing gates makes it exact
for networks whose activations stand on the stream, as ResNet's do.

Comes in: a module and one image.  Goes out: a ``Ledger``.  May be any network that returns logits.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from striate.errors import InputError
from striate.records import Check, Evidence
from striate.records.ledger import Ledger, LedgerPart
from striate.runs import evaluating
from striate.seeing.frozen_evidence import or_why_not
from striate.seeing.frozen_graph import Graph, capture
from striate.seeing.frozen_rules import Freezer, Source
from striate.seeing.frozen_run import run
from striate.seeing.frozen_skips import skips_of, stream_of
from striate.seeing.subject import Subject, Tick

TITLE = "Who wrote the logit"
MOST_MISSED = 1e-4
NO_SKIPS = (
    "This network has no skip, so no block adds to a stream: the parts are the image and the "
    "biases, each carried through every layer."
)


def logit_ledger(
    module: nn.Module, image: Tensor, *, classes: Sequence[int] | None = None
) -> Ledger:
    """Who wrote the logits of these ``classes`` (default: the one it says) for one image.

    ``image``: (C, H, W), as the network takes it.  Computed in float64.  InputError for a class
    that is none.
    """
    if image.dim() != 3:
        raise InputError(f"the image has shape {tuple(image.shape)}; give one of (C, H, W)")
    graph = capture(module, image[None], dtype=torch.float64)
    asked = _asked(graph, classes)
    written, sources, notes = _carried(graph, asked)
    parts = _named(sources)
    return Ledger(
        parts=parts,
        classes=asked,
        written=written,
        logits=graph.logits[0, list(asked)].cpu().numpy(),
        notes=(*graph.notes, *notes),
    )


def _asked(graph: Graph, classes: Sequence[int] | None) -> tuple[int, ...]:
    count = graph.logits.shape[1]
    if classes is None:
        return (int(graph.logits[0].argmax()),)
    wrong = [number for number in classes if not 0 <= number < count]
    if wrong or not classes:
        named = f"class {wrong[0]}" if wrong else "no class"
        raise InputError(f"{named}: the network has {count}; give numbers from 0 to {count - 1}")
    return tuple(classes)


def _carried(
    graph: Graph, classes: tuple[int, ...]
) -> tuple[NDArray[np.float64], list[Source], list[str]]:
    """(parts, classes) of what each source came to; those that came to nothing are left out."""
    stream = stream_of(graph, skips_of(graph))
    image = _leaf(graph.image)
    leaves = {skip.branch: _leaf(graph.values[skip.branch]) for skip in stream}
    freezer = Freezer(names=graph.names)
    with torch.enable_grad():
        logits = run(graph, {0: image, **leaves}, compute=freezer)[graph.output]
    sources = [Source(image, image.detach(), "image", "", "image", -1), *freezer.sources]
    for skip in stream:
        leaf = leaves[skip.branch]
        sources.append(Source(leaf, leaf.detach(), "block", skip.path, skip.name, skip.node))
    sources.sort(key=lambda source: source.place)
    written = np.array([_came_to(logits[0, number], sources) for number in classes], np.float64).T
    own = ("image", "block")
    kept = [i for i, source in enumerate(sources) if source.kind in own or written[i].any()]
    sources = [sources[i] for i in kept]
    notes = [] if stream else [NO_SKIPS]
    notes += [
        f"Nothing is carried through {source.what} in {source.path or 'the network'}: what it "
        "gave counts as put in there."
        for source in sources
        if source.kind == "frozen"
    ]
    notes += [
        f"Two values alike are multiplied in {path or 'the network'}: half is carried through each."
        for path in freezer.halved
    ]
    return written[kept], sources, notes


def _came_to(logit: Tensor, sources: list[Source]) -> list[float]:
    """⟨slope of the logit, constant⟩ of each source."""
    found = torch.autograd.grad(
        logit, [source.at for source in sources], retain_graph=True, allow_unused=True
    )
    slopes = cast("tuple[Tensor | None, ...]", found)
    return [
        0.0 if slope is None else float((slope * source.constant).sum())
        for slope, source in zip(slopes, sources, strict=True)
    ]


def _leaf(tensor: Tensor) -> Tensor:
    return tensor.detach().clone().requires_grad_()


def _named(sources: list[Source]) -> tuple[LedgerPart, ...]:
    labels = [
        s.what if s.kind in ("image", "block") else (s.what or f"{s.path or 'network'}, constant")
        for s in sources
    ]
    times: dict[str, int] = {}
    parts: list[LedgerPart] = []
    for source, label in zip(sources, labels, strict=True):
        times[label] = times.get(label, 0) + 1
        name = f"{label} ({times[label]})" if times[label] > 1 else label
        parts.append(LedgerPart(name=name, path=source.path, kind=source.kind))
    return tuple(parts)


def ledger(subject: Subject, tick: Tick) -> list[Evidence]:
    """One piece for each picture, ``ledger.<number>``: who wrote the logit of the class it says.

    ``written`` (parts, 2): of that class and of the next.  Facts: ``parts`` (name, path, kind),
    ``classes``, ``logits``, ``picture``, ``label``, ``why``, ``notes``.
    """
    pictures = subject.pictures
    found: list[Evidence] = []
    for number, name in enumerate(pictures.names):
        tick(number, len(pictures))
        title = f"{TITLE}: {name}"
        look = partial(_written, subject, number, title)
        found.append(or_why_not(f"ledger.{number}", title, look))
        if found[-1].inapplicable is not None:
            break
    return found


def _written(subject: Subject, number: int, title: str) -> Evidence:
    pictures, names = subject.pictures, subject.preprocessing.classes
    pixels = np.asarray(pictures.pixels)[number]
    given = subject.prepared(pixels[None])
    with evaluating(subject.module):
        order = subject.logits(subject.module, given)[0].argsort(descending=True)
    classes = [int(place) for place in order[:2]]
    written = logit_ledger(subject.module, given[0], classes=classes)
    label = int(pictures.labels[number])
    return Evidence(
        name=f"ledger.{number}",
        title=title,
        arrays={"written": written.written, "picture": pixels},
        facts={
            "parts": [[part.name, part.path, part.kind] for part in written.parts],
            "classes": [names[place] for place in classes],
            "logits": written.logits.tolist(),
            "picture": pictures.names[number],
            "label": names[label] if label >= 0 else None,
            "why": pictures.why[number],
            "notes": list(written.notes),
        },
        checks=(
            Check(
                name="sum",
                claim="Relative difference between the sum of all parts and the logit",
                value=written.error,
                limit=MOST_MISSED,
                passed=written.error <= MOST_MISSED,
            ),
        ),
    )
