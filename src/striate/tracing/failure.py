"""Why a forward stopped, in one line."""

from __future__ import annotations

import re

from striate.records.trace import Failure
from striate.tracing.hints import hint, needs, said
from striate.tracing.places import Stack, failing_line
from striate.tracing.recorder import Recorder

_TAIL = re.compile(r"\s*(\n|Exception raised from|CUDA kernel errors).*", re.DOTALL)
_BARE = (KeyError, AttributeError, TypeError, NameError, IndexError, AssertionError)
_NEEDS_NUMBERS = {
    "item": "item(), int(), float() or a condition on a tensor",
    "_local_scalar_dense": "item(), int(), float() or a condition on a tensor",
    "is_nonzero": "a condition on a tensor",
    "nonzero": "nonzero() or a boolean index",
    "masked_select": "masked_select()",
    "equal": "torch.equal()",
    "_unique2": "unique()",
    "unique_dim": "unique()",
    "unique_consecutive": "unique_consecutive()",
    "bincount": "bincount()",
}


_NO_NUMBERS = "needs the numbers in a tensor, and a trace has only shapes"
_NO_KERNEL = "cannot be run on shapes alone: PyTorch has no meta kernel for it"
_LARGER = "batch statistics need a batch of 2 or more"
_BY_SHAPES = "decide by shapes, or keep the value as a Python number"


_QUANTISING = ("torch.ao.nn.quantized", "torch.ao.nn.intrinsic.quantized", "torchao")
_PACKED = "holds packed weights and scales, which are numbers, and a trace has only shapes"
_UNCONVERTED = "trace the network as it was before it was converted"


def one_line(error: BaseException) -> str:
    """The first line of an error, with its type where the message alone says little."""
    text = _TAIL.sub("", str(error).strip()).strip()
    if not text:
        return type(error).__name__
    return f"{type(error).__name__}: {text}" if isinstance(error, _BARE) else text


def explain(error: BaseException, recorder: Recorder, stack: Stack) -> Failure:
    """The record of a failure: the operation that was being done, or else the last one done."""
    calls = stack.ended_by(error)
    path = calls[0][1] if calls else ""
    source = failing_line(error) or recorder.ledger.made_at(module for module, _ in calls)
    if recorder.failed is None or recorder.failed[0] is not error:
        last = recorder.ledger.layers[-1]
        reads = "meta" in str(error) and ("numpy" in str(error) or "no data" in str(error))
        reads = reads or "unallocated storage" in str(error)
        return Failure(
            path=path,
            op="",
            shapes=(last.shape,),
            message=f"numpy() or tolist() {_NO_NUMBERS}" if reads else one_line(error),
            source=source,
            hint=_BY_SHAPES if reads else _LARGER if "than 1 value" in str(error) else None,
            inputs=(last.index,),
        )
    heard = recorder.failed[1]
    message, mend = said(heard) or one_line(error), hint(heard, recorder.ledger.layers)
    if "meta_nonzero" in str(error):
        heard.name = "nonzero"
    quantised = any(type(part).__module__.startswith(_QUANTISING) for part, _ in calls)
    if quantised or heard.name.startswith("quantized"):
        message, mend = f"a quantised module {_PACKED}", _UNCONVERTED
    elif heard.name in _NEEDS_NUMBERS:
        message, mend = f"{_NEEDS_NUMBERS[heard.name]} {_NO_NUMBERS}", _BY_SHAPES
    elif isinstance(error, NotImplementedError) or "fake impl" in str(error):
        message, mend = f"{heard.shown} {_NO_KERNEL}", None
    return Failure(
        path=path,
        op=heard.shown,
        shapes=heard.shapes,
        message=message,
        source=source,
        hint=mend,
        inputs=heard.inputs,
        needs=needs(heard),
    )
