"""What the commonest operations save for backward, known beforehand.

The same as autograd says when it is asked (a test asks it), which takes longer for one of these
than a whole layer does otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import torch

ATEN = torch.ops.aten


class Kept(NamedTuple):
    """Something an operation saves: its argument or output number ``at``, or ``at`` new bytes."""

    what: Literal["argument", "output", "new"]
    at: int


def _of(axes: int, *, learned: bool = True) -> tuple[Any, ...]:
    """A contiguous float32 tensor of so many axes, as a signature has it."""
    return (axes, True), torch.float32, learned


_X, _IMAGE, _ROWS, _TOKENS = _of(4), _of(4, learned=False), _of(2), _of(3)
_V, _STATISTIC = _of(1), _of(1, learned=False)
_BOTH = (Kept("argument", 0), Kept("argument", 1))
_INPUT, _OUTPUT = (Kept("argument", 0),), (Kept("output", 0),)
_NORM = (*(Kept("argument", at) for at in (0, 3, 4, 1)), Kept("new", 8))
_LAYER_NORM = (*(Kept("argument", at) for at in (2, 0, 1)), Kept("new", 8))


def known_beforehand() -> Iterator[tuple[Any, tuple[Any, ...], tuple[Kept, ...]]]:
    """Operation, signature without shapes, what is kept (new bytes: of each unit)."""
    for x in (_X, _IMAGE):
        for rest in ((), (None,), (_V,)):
            yield ATEN.conv2d.default, (x, _X, *rest), _BOTH
    for x in (_X, _TOKENS, _ROWS):
        yield ATEN.linear.default, (x, _ROWS, _V), _BOTH
        yield ATEN.layer_norm.default, (x, 1, _V, _V), _LAYER_NORM
        yield ATEN.relu.default, (x,), _OUTPUT
        yield ATEN.relu_.default, (x,), _INPUT
        yield ATEN.sigmoid.default, (x,), _OUTPUT
        yield ATEN.add.Tensor, (x, x), ()
        yield ATEN.add_.Tensor, (x, x), ()
        yield ATEN.mul.Tensor, (x, x), (Kept("argument", 1), Kept("argument", 0))
        yield ATEN.cat.default, ((x, x),), ()
        for unary in (ATEN.silu, ATEN.gelu, ATEN.hardswish, ATEN.hardsigmoid):
            yield unary.default, (x,), _INPUT
        for written in (ATEN.silu_, ATEN.hardswish_):
            yield written.default, (x,), (Kept("new", 1),)
        yield ATEN.hardtanh_.default, (x, float, float), (Kept("new", 1),)
    flags = (True, float, float, True)
    yield ATEN.batch_norm.default, (_X, _V, _V, _STATISTIC, _STATISTIC, *flags), _NORM
    yield ATEN.mean.dim, (_X, (2, 3), True), ()
    yield ATEN.adaptive_avg_pool2d.default, (_X, (1, 1)), ()
