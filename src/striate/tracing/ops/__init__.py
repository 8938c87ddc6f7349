"""The operations striate understands, one small handler each.

Comes in: a ``Call`` (an ATen operator with its arguments and output, on shapes alone).
Goes out: an ``Effect``: its receptive field, multiply-accumulates, activations, attributes.
May import: torch, ``striate.tracing.fields`` and ``striate.tracing.costs``.

Importing this package fills the table ``OPS``.
"""

from striate.tracing.ops import (
    convs,
    making,
    products,
    rearranging,
    reductions,
    shapes,
    unfolding,
    windows,
)
from striate.tracing.ops.call import OPS, Call, Effect, Kind, Op, tensors_in
from striate.tracing.ops.guards import GUARDS, Guard
from striate.tracing.ops.pointwise import pointwise
from striate.tracing.ops.quick import QUICK, Quick

__all__ = [
    "GUARDS",
    "OPS",
    "QUICK",
    "Call",
    "Effect",
    "Guard",
    "Kind",
    "Op",
    "Quick",
    "convs",
    "making",
    "pointwise",
    "products",
    "rearranging",
    "reductions",
    "shapes",
    "tensors_in",
    "unfolding",
    "windows",
]
