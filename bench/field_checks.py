"""What a trace says of receptive fields, held against the gradient, layer by layer."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from opened import Opened, make_positive
from striate.records import Field
from striate.tracing.fields.lines import Table
from striate.tracing.fields.reach import AXES, Rank, Reach
from striate.tracing.fields.report import field_of
from striate.tracing.run import listen

Image = tuple[int, int, int]
Index = tuple[int, ...]
Pair = tuple[int, int]

NONE: Pair = (0, -1)
"""First and last pixel of an element that sees none."""


class Span(NamedTuple):
    """First and last pixel of one element along one axis, and where interior elements end."""

    first: int
    last: int
    near: int
    far: int
    rank: Rank
    whole: bool

    @property
    def interior(self) -> bool:
        return self.near <= self.first and self.last <= self.far


@dataclass(frozen=True, kw_only=True)
class Check:
    """One element along one axis: what was said of it, and what the gradient shows.

    ``layer``: which of the outputs.  ``kind``: ``exact`` (both ends must be those of the
    gradient), ``bound`` or ``whole`` (they must contain it).
    """

    layer: int
    axis: int
    index: Index
    kind: str
    said: Pair
    found: Pair

    @property
    def holds(self) -> bool:
        if self.found == NONE:  # nothing, where a constant was padded, is within any bound
            return self.said == NONE or self.kind != "exact"
        if self.kind != "exact":
            return self.said[0] <= self.found[0] <= self.found[1] <= self.said[1]
        return self.found == self.said


class _AllHeard(Exception):
    """The last module that was asked for has run; the rest of the forward is of no interest."""


class Tapped(nn.Module):
    """A network whose output is what some of its modules put out, in order of execution.

    ``paths``: the modules; one that runs several times is heard the first time.  A forward that
    fails after the last of them (a head made for another image size) does not matter.
    """

    def __init__(self, net: nn.Module, paths: Sequence[str]) -> None:
        super().__init__()
        self.net = net
        self.order: deque[str] = deque()  # no list, which a trace would put back as it was
        self._heard: dict[str, Tensor] = {}
        self._wanted = len(paths)
        self._hooks = [
            net.get_submodule(path).register_forward_hook(self._hook(path)) for path in paths
        ]

    def let_go(self) -> None:
        """Leave the network as it was."""
        for hook in self._hooks:
            hook.remove()

    def _hook(self, path: str) -> Any:
        def heard(_: nn.Module, __: Any, out: Any) -> None:
            if isinstance(out, Tensor) and path not in self._heard:
                self._heard[path] = out
                if len(self._heard) == self._wanted:
                    raise _AllHeard

        return heard

    def forward(self, image: Tensor) -> list[Tensor]:
        self._heard = {}
        with suppress(_AllHeard):
            self.net(image)
        heard, self._heard = self._heard, {}
        self.order.clear()
        self.order.extend(heard)
        return list(heard.values())


def hear(module: nn.Module, image: Image) -> tuple[tuple[Reach | None, ...], int]:
    """What each output of a module sees of an image, and the forward's MACs.

    RuntimeError where the forward fails.
    """
    heard = listen(module, image, {})
    if heard.failure is not None:
        raise RuntimeError(f"{heard.failure.path or heard.failure.op}: {heard.failure.message}")
    layers = heard.recorder.ledger.finished()
    return heard.outputs, sum(layer.macs or 0 for layer in layers)


def checks(
    module: nn.Module,
    image: Image,
    *,
    axes: Sequence[int] = AXES,
    tries: int = 2,
    choose: random.Random,
    strictly: bool = True,
    gates: bool = False,
) -> Iterator[Check]:
    """Compare ``tries`` elements of every output along each of ``axes``.

    ``module`` is opened for good (its parameters become positive).  Only interior elements are
    compared, with ``strictly`` only those whose field ends at least a pixel before the image does:
    at the image's edge one that is said to be too small could not be told from a right one.
    ``gates``: squeeze gates are not left out.
    """
    module.eval()
    reaches, _ = hear(module, image)
    make_positive(module)
    pixels = torch.rand(1, *image, dtype=torch.float64) * 0.5 + 0.5
    pixels.requires_grad_()
    with Opened(gates=gates):
        outputs = list(tensors(module(pixels)))
    assert len(outputs) == len(reaches), (len(outputs), len(reaches))
    edge = 1 if strictly else 0
    for layer, (output, reach) in enumerate(zip(outputs, reaches, strict=True)):
        if reach is None or not output.requires_grad:
            continue
        assert reach.shape == tuple(output.shape), (reach.shape, output.shape)
        for axis in axes:
            yield from _along(layer, axis, output, reach, pixels, tries, edge, choose)


def tensors(result: Any) -> Iterator[Tensor]:
    """Every tensor in what a forward returned, containers opened in order."""
    if isinstance(result, Tensor):
        yield result
    else:
        for item in result.values() if isinstance(result, dict) else result:
            yield from tensors(item)


def _along(
    layer: int,
    axis: int,
    output: Tensor,
    reach: Reach,
    pixels: Tensor,
    tries: int,
    edge: int,
    choose: random.Random,
) -> Iterator[Check]:
    """Elements of one output along one axis; beside an element, all channels of its position."""
    shown = field_of(reach)
    seen: set[Index] = set()
    for _ in range(tries):
        chosen = _interior(reach, axis, choose, edge=edge, middle=not seen)
        if chosen is None or chosen[0] in seen:
            continue
        index, span = chosen
        seen.add(index)
        part = output[tuple(slice(None) if i < 0 else i for i in index)]
        said = (span.first, span.last) if span.first <= span.last else NONE
        found = gradient_ends(part, pixels, axis)
        kind = "bound" if _one_of_mixed(reach, index) else _kind(span)
        yield Check(layer=layer, axis=axis, index=index, kind=kind, said=said, found=found)
        if shown is None or not _is_map(shown, reach, axis, index):
            continue
        of_record = shown.span(axis, index[2 + axis])
        alone = all(i < 0 for d, i in enumerate(index) if d != 2 + axis)
        if (of_record == said and alone) or not _is_inside(of_record, shown, axis, pixels, edge):
            continue
        row = output.select(2 + axis, index[2 + axis])
        found = gradient_ends(row, pixels, axis)
        yield Check(
            layer=layer, axis=axis, index=index, kind=shown.status, said=of_record, found=found
        )


def gradient_ends(chosen: Tensor, pixels: Tensor, axis: int) -> Pair:
    """First and last pixel along an axis on which some of ``chosen`` depends; ``NONE`` for none."""
    weights = torch.rand(chosen.shape, dtype=torch.float64) + 0.5
    (gradient,) = torch.autograd.grad((chosen * weights).sum(), pixels, retain_graph=True)
    places = (gradient != 0).any(1)[0].any(1 - axis).nonzero().flatten()
    return (int(places[0]), int(places[-1])) if len(places) else NONE


def span_of(reach: Reach, index: Index, axis: int) -> Span:
    """What the algebra says of one element; where ``index`` is −1 nothing moves along the axis."""
    los: list[int] = []
    his: list[int] = []
    hulls = [term.hulls[axis] for term in reach.terms]
    near, far = max(hull.near for hull in hulls), min(hull.far for hull in hulls)
    whole = [hull for hull in hulls if hull.whole is not None]
    if whole:
        first = min(hull.whole[0] for hull in whole if hull.whole)
        last = max(hull.whole[1] for hull in whole if hull.whole)
        return Span(first, last, first, last, min(hull.rank for hull in whole), True)
    for term, hull in zip(reach.terms, hulls, strict=True):
        lo, hi = hull.lo, hull.hi
        for dim, place in zip(term.dims, index, strict=True):
            for factor in reversed(dim):
                place, within = divmod(max(place, 0), factor.size)
                line = factor.lines[axis]
                lo += int(line.lo[within]) if isinstance(line, Table) else line * within
                hi += int(line.hi[within]) if isinstance(line, Table) else line * within
        los.append(lo)
        his.append(hi)
    return Span(min(los), max(his), near, far, max(hull.rank for hull in hulls), False)


def _kind(span: Span) -> str:
    if span.rank is Rank.BOUND:
        return "bound"
    return "whole" if span.whole else "exact"


def _one_of_mixed(reach: Reach, index: Index) -> bool:
    """Whether an index picks one of several channels that are known together only."""
    return any(
        factor.mixed and place >= 0
        for term in reach.terms
        for dim, place in zip(term.dims, index, strict=True)
        for factor in dim
    )


def _interior(
    reach: Reach, axis: int, choose: random.Random, *, edge: int, middle: bool
) -> tuple[Index, Span] | None:
    """An interior element (−1: all of a dimension along which nothing moves), the middle first."""
    moving = [
        any(factor.lines[axis] != 0 for term in reach.terms for factor in term.dims[d])
        for d in range(len(reach.shape))
    ]
    for attempt in range(120):
        index = tuple(
            (n // 2 if middle and attempt == 0 else choose.randrange(n)) if moves else -1
            for n, moves in zip(reach.shape, moving, strict=True)
        )
        span = span_of(reach, index, axis)
        if span.rank > Rank.BOUND:
            return None
        if span.whole or span.last < span.first:
            return index, span
        if span.interior and span.first >= edge and span.last < reach.image[axis] - edge:
            return index, span
    return None


def _is_map(shown: Field, reach: Reach, axis: int, index: Index) -> bool:
    """Whether the record's field is that of a row or a column of a map (N, C, H, W)."""
    if shown.status not in ("exact", "bound") or len(reach.shape) != 4 or index[2 + axis] < 0:
        return False
    for term in reach.terms:
        for d in (2, 3):
            if len(term.dims[d]) != 1 or term.dims[d][0].axes != 1 << (d - 2):
                return False
        if any(factor.lines[axis] != 0 for factor in term.dims[3 - axis]):
            return False
    return True


def _is_inside(said: Pair, shown: Field, axis: int, pixels: Tensor, edge: int) -> bool:
    assert shown.interior is not None
    near, far = shown.interior[axis]
    return max(near, edge) <= said[0] <= said[1] <= min(far, pixels.shape[2 + axis] - 1 - edge)
