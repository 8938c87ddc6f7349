"""The oracle of receptive fields: which pixels have a non-zero derivative.

Weights are positive and the image is, so nothing cancels and every activation is open; a maximum
over a window is replaced by its mean, which looks at the same pixels.  Arithmetic is in float64
and by plain sums, so that what does not depend is exactly zero.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from striate.records import Field
from striate.tracing.fields.lines import Table
from striate.tracing.fields.reach import AXES, Rank, Reach
from striate.tracing.fields.report import field_of
from striate.tracing.run import listen

Index = tuple[int, ...]
Span = tuple[int, int, int, int, Rank]


@dataclass
class Verdict:
    """``compared``: how many (element, axis) pairs; ``statuses`` of the outputs' fields."""

    compared: int = 0
    statuses: list[str | None] = field(default_factory=list)
    fields: list[Field | None] = field(default_factory=list)


Oracle = Callable[..., Verdict]


@pytest.fixture
def against_gradient(monkeypatch: pytest.MonkeyPatch) -> Oracle:
    """check(module, (C, H, W), tries=…): every output's field against the gradient."""

    def check(module: nn.Module, image: tuple[int, int, int], tries: int = 6) -> Verdict:
        module.eval()
        heard = listen(module, image, {})
        assert heard.failure is None, heard.failure
        _open_up(module)
        with monkeypatch.context() as patch:
            patch.setattr(F, "max_pool2d", _mean_pool)
            pixels = torch.rand(1, *image, dtype=torch.float64) * 0.5 + 0.5
            pixels.requires_grad_()
            outputs = list(_tensors(module(pixels)))
        assert len(outputs) == len(heard.outputs)
        verdict = Verdict()
        for output, reach in zip(outputs, heard.outputs, strict=True):
            assert reach is not None
            assert reach.shape == tuple(output.shape)
            shown = field_of(reach)
            verdict.fields.append(shown)
            verdict.statuses.append(None if shown is None else shown.status)
            for _ in range(tries):
                verdict.compared += _compare(output, pixels, reach, shown)
        return verdict

    return check


def _tensors(result: Any) -> Iterator[torch.Tensor]:
    if isinstance(result, torch.Tensor):
        yield result
    else:
        for item in result.values() if isinstance(result, dict) else result:
            yield from _tensors(item)


def _open_up(module: nn.Module) -> None:
    """Positive weights of mean 1 / fan-in, small biases; everything in float64."""
    module.double()
    generator = torch.Generator().manual_seed(0)
    for name, parameter in module.named_parameters():
        fan = parameter[0].numel() if parameter.dim() > 1 else 1
        scale = 0.01 if name.endswith("bias") else 1.0
        values = torch.rand(parameter.shape, generator=generator, dtype=torch.float64)
        parameter.data = (values * 0.5 + 0.75) * scale / fan
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.reset_running_stats()


def _mean_pool(
    given: torch.Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> torch.Tensor:
    kernel, paddings, steps = _pair(kernel_size), _pair(padding), _pair(dilation)
    strides = kernel if stride is None or stride == [] else _pair(stride)
    shape = torch.max_pool2d(
        torch.empty(given.shape, device="meta"), kernel, strides, paddings, steps, ceil_mode
    ).shape
    more = [
        max(0, (m - 1) * s + d * (k - 1) + 1 - (n + 2 * p))
        for m, n, k, s, p, d in zip(
            shape[2:], given.shape[2:], kernel, strides, paddings, steps, strict=True
        )
    ]
    (top, left), (below, right) = paddings, more
    wide = F.pad(given, (left, left + right, top, top + below))
    weight = torch.full((given.shape[1], 1, *kernel), 1 / (kernel[0] * kernel[1])).to(given)
    out = F.conv2d(wide, weight, None, strides, 0, steps, given.shape[1])
    return out[..., : shape[-2], : shape[-1]]


def _pair(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (int(value[0]), int(value[1]))


def _compare(output: torch.Tensor, pixels: torch.Tensor, reach: Reach, shown: Field | None) -> int:
    """One element, where there is one interior in both axes; how many axes could be compared."""
    best: tuple[int, Index, list[Span], list[bool]] | None = None
    for _ in range(40):
        index = tuple(random.randrange(n) for n in output.shape)
        spans = [_span(reach, index, axis) for axis in AXES]
        inside = [near <= lo and hi <= far for lo, hi, near, far, _ in spans]
        if best is None or sum(inside) > best[0]:
            best = sum(inside), index, spans, inside
        if all(inside):
            break
    assert best is not None
    _, index, spans, inside = best
    free = [
        all(not factor.moves and not factor.axes for term in reach.terms for factor in term.dims[d])
        for d in range(output.dim())
    ]
    chosen = output[tuple(slice(None) if free[d] else i for d, i in enumerate(index))]
    total = (chosen * torch.rand(chosen.shape, dtype=torch.float64)).sum()
    (gradient,) = torch.autograd.grad(total, pixels, retain_graph=True)
    seen = (gradient != 0).any(1)[0]
    if any(hi < lo for lo, hi, *_ in spans):
        assert not seen.any(), f"{index} sees pixels, and no tap reaches it"
        return 2
    if not all(inside):
        return 0
    for axis in AXES:
        lo, hi, _, _, rank = spans[axis]
        places = seen.any(1 - axis).nonzero().flatten()
        found = (int(places[0]), int(places[-1]))
        if rank is Rank.EXACT:
            assert found == (lo, hi), f"axis {axis} of {index}: {found} by gradient, {lo, hi} here"
            _is_shown(shown, axis, index, output.dim(), (lo, hi))
        else:
            assert rank is Rank.BOUND
            assert lo <= found[0] <= found[1] <= hi, f"axis {axis} of {index}"
    return 2


def _is_shown(
    shown: Field | None, axis: int, index: Index, rank: int, span: tuple[int, int]
) -> None:
    """The record's span contains the element's, and is it where channels do not differ."""
    if shown is None or rank != 4 or shown.status == "whole":
        return
    first, last = shown.span(axis, index[2 + axis])
    assert first <= span[0] <= span[1] <= last


def _span(reach: Reach, index: Index, axis: int) -> Span:
    """First and last pixel of one element, those of the interior, and how good that is."""
    los: list[int] = []
    his: list[int] = []
    for term in reach.terms:
        hull = term.hulls[axis]
        if hull.whole:
            return 0, reach.image[axis] - 1, 0, reach.image[axis] - 1, hull.rank
        lo, hi = hull.lo, hull.hi
        for dim, place in zip(term.dims, index, strict=True):
            for factor in reversed(dim):
                place, within = divmod(place, factor.size)
                line = factor.lines[axis]
                lo += int(line.lo[within]) if isinstance(line, Table) else line * within
                hi += int(line.hi[within]) if isinstance(line, Table) else line * within
        los.append(lo)
        his.append(hi)
    near = max(term.hulls[axis].near for term in reach.terms)
    far = min(term.hulls[axis].far for term in reach.terms)
    return min(los), max(his), near, far, max(term.hulls[axis].rank for term in reach.terms)
