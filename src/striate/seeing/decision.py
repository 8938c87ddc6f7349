"""What in an image speaks for the class it was given: four methods, each with its control strip.

A heat map can be drawn of anything.  So beside each stands the same for a network of random
weights, for another class, an edge map and a Gaussian in the middle; and it is shown only if it
adds up, is the network's and not the image's, orders the cells of the image better than chance,
and stays with what it points at when the image is moved a little.  None of this asks whether the
decision is right.

Comes in: a Subject.  Goes out: Evidence ``decision`` (where maps are taken, and how the network's
decisions bear gentle changes) and one piece for each picture and method,
``decision.<number>.<method>``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from striate.records import Check, Evidence
from striate.runs import evaluating
from striate.seeing.control import settled_norms
from striate.seeing.explaining import METHODS, Explained, Method, Network
from striate.seeing.faithful import (
    STEPS,
    blurred,
    centred,
    curves,
    edges_of,
    enlarged,
    likeness,
    shuffled,
)
from striate.seeing.gentle import CHANGES, SENTENCE, compared
from striate.seeing.linear_head import head_bias
from striate.seeing.passing import norms_of
from striate.seeing.place_choice import Choice, choose_place
from striate.seeing.steadiness import stays, steadiness
from striate.seeing.subject import Subject, Tick

TITLE = "What speaks for its decision"
ORDERS = 8  # shuffles of a map
LEAST_GAIN = 1.0
LEAST_STABLE = 0.4
LARGE = 128 * 128  # pixels above which half as many steps are taken
MOST_RANDOM = 0.8
MOST_OTHER = 0.97
MOST_INCOMPLETE = 1e-2
MOST_HEAD = 1e-3


@dataclass(frozen=True, kw_only=True)
class _Case:
    """One picture: ``inputs`` (1, C, H, W), the class it was given, and one to hold against it.

    ``other`` is the class whose logit is the median of the others': a typical one.  The runner-up
    is seldom one.  It is second for what it shares with the first, so maps of the two may well be
    alike.  After the random logit test of Sixt et al. 2020 ("When explanations lie", section 4.2),
    whose other class is drawn.
    """

    number: int
    name: str
    inputs: Tensor
    said: int
    other: int
    logits: NDArray[np.float64]
    pixels: NDArray[Any]
    stays: float


def decision(subject: Subject, tick: Tick) -> list[Evidence]:
    """The piece about the network, then for each picture one piece for each method."""
    module = subject.module
    with evaluating(module):
        choice = choose_place(subject, tick)
        network = Network(
            module=module,
            forward=partial(subject.logits, module),
            place=choice.place,
        )
        about = _about(subject, network, choice)
        pictures = subject.pictures
        cases = [_case(subject, network, number) for number in range(len(pictures))]
        # What either of them draws too was not learned.
        controls = [
            replace(network, module=other, forward=partial(subject.logits, other))
            for other in (_before(subject), subject.random(0))
        ]
        pieces = [about]
        total = len(cases) * len(METHODS)
        for case in cases:
            for method in METHODS:
                tick(len(pieces) - 1, total)
                pieces.append(_piece(subject, network, controls, case, method, about))
    return pieces


def _before(subject: Subject) -> nn.Module:
    """The network before training, its norms fitted to data if the network's have been."""
    start = deepcopy(subject.start).eval()
    pairs = zip(norms_of(subject.module), norms_of(start), strict=True)
    made = all(_equal(one.running_mean, other.running_mean) for one, other in pairs)
    return start if made else settled_norms(start, subject.inputs(subject.looked_at))


def _equal(one: Tensor | None, other: Tensor | None) -> bool:
    return one is None or other is None or torch.equal(one, other.to(one))


def _case(subject: Subject, network: Network, number: int) -> _Case:
    pixels = subject.pictures.pixels[number : number + 1]
    inputs = subject.prepared(pixels)
    logits = network.forward(inputs)[0].double().cpu().numpy()
    order = np.argsort(-logits, kind="stable")
    return _Case(
        number=number,
        name=subject.pictures.names[number],
        inputs=inputs,
        said=int(order[0]),
        other=int(order[1 + (len(order) - 1) // 2]),
        logits=logits,
        pixels=pixels[0],
        stays=stays(network.forward, inputs),
    )


def _about(subject: Subject, network: Network, choice: Choice) -> Evidence:
    """The piece about the network: its layers, and how its decisions bear up."""
    return Evidence(
        name="decision",
        title=TITLE,
        facts={
            "layer": None if choice.place is None else choice.place.path,
            "grid": None if choice.place is None else list(choice.place.size),
            "rule": choice.rule,
            "layers": [
                {"path": path, "grid": list(size), "margin": margin, "error": error}
                for path, size, margin, error in choice.tried
            ],
            "sample": len(choice.sample),
            "split": subject.images.name,
            "changes": SENTENCE,
        },
        checks=steadiness(subject, network.forward, choice.sample),
    )


def _piece(
    subject: Subject,
    network: Network,
    controls: Sequence[Network],
    case: _Case,
    method: Method,
    about: Evidence,
) -> Evidence:
    name = f"decision.{case.number}.{method.name}"
    said = subject.preprocessing.classes[case.said]
    title = f"{method.title}: {case.name}, called {said}"
    if method.at_place and network.place is None:
        return Evidence(
            name=name,
            title=title,
            inapplicable=f"{method.title} does not apply: {about.facts['rule']}",
        )
    own = method.explain(network, case.inputs, _classes(case, case.said), False)
    plane = own.maps[0].double().cpu().numpy()
    facts: dict[str, Any] = {
        "picture": case.name,
        "number": case.number,
        "why": subject.pictures.why[case.number],
        "method": method.name,
        "says": method.says,
        "layer": network.place.path if method.at_place and network.place else None,
        "class": said,
        "other": subject.preprocessing.classes[case.other],
        "probability": float(_softmax(case.logits)[case.said]),
        "logit": float(case.logits[case.said]),
        "label": _label(subject, case.number),
        "grid": list(plane.shape),
        "least": float(plane.min()),
        "greatest": float(plane.max()),
        "sum": float(plane.sum()),
    }
    if plane.max() <= 0:
        return Evidence(
            name=name,
            title=title,
            facts=facts,
            inapplicable=f"{method.title} finds nothing in {case.name} that speaks for {said}: "
            f"its greatest value is {plane.max():.3g}.",
        )
    other = method.explain(network, case.inputs, _classes(case, case.other), True).maps
    random = torch.stack(
        [
            method.explain(one, case.inputs, _classes(case, case.said), True).maps[0]
            for one in controls
        ]
    )
    size = (int(case.inputs.shape[2]), int(case.inputs.shape[3]))
    edges = edges_of(case.inputs[0].double().cpu().numpy())
    middle = centred(size)
    ground = blurred(case.inputs[0])
    cells = compared(own.maps, size)
    orders = torch.cat(
        [
            cells,
            shuffled(cells[0], ORDERS, case.number),
            compared(torch.as_tensor(np.stack([edges, middle])).to(cells), size),
        ]
    )
    steps = STEPS if size[0] * size[1] <= LARGE else STEPS // 2
    told = curves(network.forward, case.inputs[0], ground, orders, case.said, steps=steps)
    margins = told.margins
    facts["margins"] = {
        "map": float(margins[0]),
        "shuffled": float(margins[1 : 1 + ORDERS].mean()),
        "deviation": float(margins[1 : 1 + ORDERS].std(ddof=1)),
        "edges": float(margins[-2]),
        "middle": float(margins[-1]),
    }
    facts["likeness"] = {
        "random": [_alike(own.maps, one[None], size) for one in random],
        "other": _alike(own.maps, other, size),
        "edges": _alike(own.maps, torch.as_tensor(edges)[None].to(own.maps), size),
        "middle": _alike(own.maps, torch.as_tensor(middle)[None].to(own.maps), size),
    }
    stable = _stability(network, case, method, own.maps, size)
    return Evidence(
        name=name,
        title=title,
        arrays={
            "image": case.pixels,
            "map": plane.astype(np.float32),
            "random": random[0].float().cpu().numpy(),
            "other": other[0].float().cpu().numpy(),
            "edges": edges.astype(np.float32),
            "middle": middle.astype(np.float32),
            "insertion": np.stack([told.insertion[0], told.insertion[1 : 1 + ORDERS].mean(axis=0)]),
            "deletion": np.stack([told.deletion[0], told.deletion[1 : 1 + ORDERS].mean(axis=0)]),
        },
        facts=facts,
        checks=(
            *_complete(network, method, own, case),
            *_checks(facts, stable, case.stays),
            *about.checks,
        ),
    )


def _checks(facts: dict[str, Any], stable: float, stays: float) -> list[Check]:
    """What every method must pass.  A value that is not defined (NaN) passes no limit."""
    margins = facts["margins"]
    # Where every order is as good as any other there is nothing to be above: NaN.
    gain = (
        (margins["map"] - margins["shuffled"]) / margins["deviation"]
        if margins["deviation"]
        else math.nan
    )
    likes = facts["likeness"]
    random = float(np.max(likes["random"]))
    return [
        Check(
            name="order",
            claim="Insertion minus deletion (areas under the class's probability as the image is "
            f"uncovered or covered in the map's order), above the mean of {ORDERS} shuffles of its "
            "cells, in their standard deviations (a map without meaning passes 1 time in 5)",
            value=gain,
            limit=LEAST_GAIN,
            passed=gain > LEAST_GAIN,
        ),
        Check(
            name="random network",
            claim="Greatest rank correlation with the map of the network before training and of "
            "one with other random weights",
            value=random,
            limit=MOST_RANDOM,
            passed=random <= MOST_RANDOM,
        ),
        Check(
            name="other class",
            claim=f"Rank correlation with the map for {facts['other']}",
            value=likes["other"],
            limit=MOST_OTHER,
            passed=likes["other"] <= MOST_OTHER,
        ),
        Check(
            name="stability",
            claim="Mean rank correlation with the maps of the image moved, turned and enlarged, "
            "carried back",
            value=stable,
            limit=LEAST_STABLE,
            passed=stable >= LEAST_STABLE,
        ),
        Check(
            name="decision stays",
            claim=f"Share of gentle changes of this image ({SENTENCE}) after which it is given "
            "the same class",
            value=stays,
            limit=0.5,
            passed=stays >= 0.5,
        ),
    ]


def _complete(network: Network, method: Method, own: Explained, case: _Case) -> list[Check]:
    """The identity that the method promises, where it promises one."""
    if own.errors is not None:
        return [
            Check(
                name="completeness",
                claim="|Sum of the map - (logit of the image - mean of the logits of the mean "
                "colour and of the image blurred)|, relative to that difference",
                value=own.errors[0],
                limit=MOST_INCOMPLETE,
                passed=own.errors[0] <= MOST_INCOMPLETE,
            )
        ]
    if not method.at_place or network.place is None:
        return []
    bias = head_bias(network.module, network.place, network.forward, case.inputs)
    if bias is None:
        return []
    part = float(case.logits[case.said] - bias[case.said])
    error = abs(float(own.maps.double().sum()) - part) / max(abs(part), 1e-12)
    return [
        Check(
            name="completeness",
            claim="|Sum of the map - logit without its bias|, relative (the head is linear)",
            value=error,
            limit=MOST_HEAD,
            passed=error <= MOST_HEAD,
        )
    ]


def _stability(
    network: Network, case: _Case, method: Method, maps: Tensor, size: tuple[int, int]
) -> float:
    found: list[float] = []
    large = enlarged(maps, size)
    for change in CHANGES:
        if change.moves:
            again = method.explain(
                network, change.inputs(case.inputs), _classes(case, case.said), True
            )
            found.append(_alike(change.maps(large), again.maps, size))
    return float(np.mean(found))


def _alike(one: Tensor, other: Tensor, size: tuple[int, int]) -> float:
    cells = [compared(maps, size)[0].double().cpu().numpy() for maps in (one, other)]
    return likeness(cells[0], cells[1])


def _classes(case: _Case, number: int) -> Tensor:
    return torch.full((1,), number, device=case.inputs.device)


def _softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    powers = np.exp(logits - logits.max())
    return powers / powers.sum()


def _label(subject: Subject, number: int) -> str | None:
    label = int(subject.pictures.labels[number])
    return subject.preprocessing.classes[label] if label >= 0 else None
