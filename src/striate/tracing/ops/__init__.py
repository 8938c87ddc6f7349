"""The operations striate understands, one small handler each.

Comes in: a ``Call`` (an ATen operator with its arguments and output, on shapes alone).
Goes out: an ``Effect``: its receptive field, multiply-accumulates, activations, attributes.
May import: torch, ``striate.tracing.fields`` and ``striate.tracing.costs``.

Importing this package fills the table ``OPS``.
"""

from striate.tracing.ops import convs, pointwise, products, reductions, shapes, windows
from striate.tracing.ops.call import OPS, Call, Effect, Op

__all__ = ["OPS", "Call", "Effect", "Op"]

_ = (convs, pointwise, products, reductions, shapes, windows)
