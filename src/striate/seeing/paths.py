"""The gradient by path length: through how many branches it came.

A network of n skips is a sum over its paths: at each skip a path passes the branch or does not
(Veit et al. 2016, "Residual networks behave like ensembles of relatively shallow networks").  The
paper samples paths; here all of a length are summed at once, exactly, by dynamic programming from
the logit backwards: where a skip ends, what had passed l branches goes on along the stream with l
and into the branch with l + 1.  The vectors sum to autograd's gradient; their norms do not.

Comes in: a module and one image.  Goes out: a ``PathSpectrum``.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from striate.errors import InputError
from striate.records import Check, Evidence
from striate.records.spectrum import PathSpectrum
from striate.runs import evaluating
from striate.seeing.frozen_evidence import none, or_why_not
from striate.seeing.frozen_graph import Graph, Node, capture, tensors_in
from striate.seeing.frozen_run import Compute, Values, run
from striate.seeing.frozen_skips import Skip, paths_of, skips_of
from striate.seeing.subject import Subject, Tick

TITLE = "The gradient by path length"
MOST_MISSED = 1e-4
NO_SKIPS = "This network has no skip, so the one path there is carries the whole gradient."
ByLength = dict[int, Tensor]


def path_counts(module: nn.Module, image: Tensor) -> tuple[int, ...]:
    """The number of paths that pass 0, 1, 2 … branches, counted in the traced graph.

    ``image``: (C, H, W).  For n skips one after another it is Pascal's row n.
    """
    graph = capture(module, image[None])
    return paths_of(graph, skips_of(graph))


def path_spectrum(module: nn.Module, image: Tensor, *, target: int | None = None) -> PathSpectrum:
    """The gradient of one logit (default: the one it says) by the image, by path length.

    ``image``: (C, H, W), as the network takes it.  Computed in float64; takes about as many
    backward passes as the network has skips.  InputError for a class that is none.
    """
    if image.dim() != 3:
        raise InputError(f"the image has shape {tuple(image.shape)}; give one of (C, H, W)")
    graph = capture(module, image[None], dtype=torch.float64)
    classes = graph.logits.shape[1]
    asked = int(graph.logits[0].argmax()) if target is None else target
    if not 0 <= asked < classes:
        raise InputError(
            f"class {asked}: the network has {classes}; give a number from 0 to {classes - 1}"
        )
    skips = skips_of(graph)
    counts = paths_of(graph, skips)
    lengths = _by_length(graph, skips, asked)
    gradients = torch.zeros((len(counts), *image.shape), dtype=torch.float64)
    for length, gradient in lengths.items():
        gradients[length] = gradient[0].cpu()
    return PathSpectrum(
        gradients=gradients.numpy(),
        gradient=_autograd(module, graph, asked),
        counts=counts,
        names=tuple(skip.name for skip in skips),
        target=asked,
        notes=graph.notes if skips else (*graph.notes, NO_SKIPS),
    )


class _Meetings:
    """The graph cut where skips end, so that each piece can be gone back through by itself.

    ``leaves``: what goes on behind each cut.  ``behind``: the value in front of each, and by how
    much what passes it gets longer.
    """

    def __init__(self, skips: tuple[Skip, ...]) -> None:
        self.branches = {skip.branch for skip in skips}
        self.leaves: list[Tensor] = []
        self.behind: list[tuple[Tensor, int]] = []

    def rule(self, node: Node, args: Any, kwargs: Any, _values: Values) -> tuple[Tensor, ...]:
        """Compute a meeting from leaves that stand for its operands."""
        stands: dict[int, Tensor] = {}
        numbers = {id(t): read for t, read in zip(_given(args, node), node.reads, strict=True)}

        def stand(value: Any) -> Any:
            if isinstance(value, Tensor) and id(value) in numbers and value.requires_grad:
                read = numbers[id(value)]
                if read not in stands:
                    stands[read] = self._cut(value, 1 if read in self.branches else 0)
                return stands[read]
            if isinstance(value, list):
                return [stand(item) for item in value]  # pyright: ignore[reportUnknownVariableType] -- arguments are of any kind
            return value

        out = node.func(*map(stand, args), **{k: stand(v) for k, v in kwargs.items()})
        return (out,)

    def _cut(self, value: Tensor, longer: int) -> Tensor:
        leaf = value.detach().requires_grad_()
        self.leaves.append(leaf)
        self.behind.append((value, longer))
        return leaf


def _given(args: Any, node: Node) -> list[Tensor]:
    """The tensors of the arguments that are values, each once, in the order of ``reads``."""
    seen: list[Tensor] = []
    for tensor in tensors_in(args):
        if tensor.requires_grad and all(tensor is not other for other in seen):
            seen.append(tensor)
    assert len(seen) == len(node.reads)
    return seen


def _by_length(graph: Graph, skips: tuple[Skip, ...], target: int) -> ByLength:
    """(1, C, H, W) for each length, as far as any path has it."""
    meetings = _Meetings(skips)
    rules: dict[int, Compute] = {
        node.index: meetings.rule
        for node in graph.nodes
        if any(read in meetings.branches for read in node.reads)
    }
    image = graph.image.detach().clone().requires_grad_()
    with torch.enable_grad():
        logit = run(graph, {0: image}, rules=rules)[graph.output][0, target]
    leaves = [image, *meetings.leaves]
    came: list[ByLength] = [{} for _ in leaves]

    def back(value: Tensor, cotangents: ByLength, longer: int, upto: int) -> None:
        """Carry each length's cotangent back to the leaves in front."""
        if upto == 0 or not value.requires_grad:
            return
        for length, cotangent in cotangents.items():
            found = torch.autograd.grad(
                value, leaves[:upto], cotangent, retain_graph=True, allow_unused=True
            )
            slopes = cast("tuple[Tensor | None, ...]", found)
            for kept, slope in zip(came, slopes, strict=False):
                if slope is not None:
                    before = kept.get(length + longer)
                    kept[length + longer] = slope if before is None else before + slope

    back(logit, {0: torch.ones_like(logit)}, 0, len(leaves))
    for number in range(len(leaves) - 1, 0, -1):
        value, longer = meetings.behind[number - 1]
        back(value, came[number], longer, number)
        came[number] = {}
    return came[0]


def _autograd(module: nn.Module, graph: Graph, target: int) -> np.ndarray[Any, Any]:
    """(C, H, W): the gradient of the module itself, not of its graph."""
    image = graph.image.detach().clone().requires_grad_()
    state = {
        name: tensor.detach()
        .to(image.dtype if tensor.is_floating_point() else tensor.dtype)
        .clone()
        for name, tensor in (*module.named_parameters(), *module.named_buffers())
    }
    with evaluating(module), torch.enable_grad():
        try:
            result = torch.func.functional_call(module, state, (image,))
            logits = result if isinstance(result, Tensor) else result.logits
            if graph.notes:  # a softmax at the end: the logits are what enters it
                logits = run(graph, {0: image})[graph.output]
            (gradient,) = torch.autograd.grad(logits[0, target], image)
        except RuntimeError as error:
            raise InputError(
                f"{type(module).__name__} has no gradient by its image in float64: "
                f"{str(error).splitlines()[0]}"
            ) from error
    return gradient[0].cpu().numpy()


def paths(subject: Subject, tick: Tick) -> list[Evidence]:
    """One piece, of the first picture: the gradient of its class's logit by path length.

    ``gradient_norms``, ``gradient_shares`` and ``path_shares`` (lengths,).  Facts: ``counts`` (as
    text, being of any size), ``branches``, ``class``, ``picture``, ``whole`` (norm of autograd's).
    """
    tick(0, 1)
    return [or_why_not("paths", TITLE, lambda: _paths(subject))]


def _paths(subject: Subject) -> Evidence:
    pixels = np.asarray(subject.pictures.pixels)[:1]
    found = path_spectrum(subject.module, subject.prepared(pixels)[0])
    if not found.names:
        return none("paths", TITLE, NO_SKIPS)
    return Evidence(
        name="paths",
        title=TITLE,
        arrays={
            "gradient_norms": found.norms,
            "gradient_shares": found.shares,
            "path_shares": found.path_shares,
        },
        facts={
            "counts": [str(count) for count in found.counts],
            "branches": len(found.names),
            "class": subject.preprocessing.classes[found.target],
            "picture": subject.pictures.names[0],
            "whole": float(np.linalg.norm(found.gradient)),
        },
        checks=(
            Check(
                name="sum",
                claim="Relative difference between the sum of all lengths' gradients and the "
                "gradient that autograd gives",
                value=found.error,
                limit=MOST_MISSED,
                passed=found.error <= MOST_MISSED,
            ),
        ),
    )
