"""Why a forward stopped, in one line, and what would mend it where arithmetic can tell."""

from __future__ import annotations

import re
from typing import Any

from striate.records.trace import Failure
from striate.tracing.places import Stack, failing_line
from striate.tracing.recorder import Recorder

_NOISE = re.compile(r"\s*(\n|Exception raised from|CUDA kernel errors).*", re.DOTALL)


def one_line(error: BaseException) -> str:
    """The first sentence of an error, with its type where the message alone says little."""
    text = _NOISE.sub("", str(error).strip()).strip()
    if not text:
        return type(error).__name__
    if isinstance(error, (KeyError, AttributeError, TypeError, NameError, IndexError)):
        return f"{type(error).__name__}: {text}"
    return text


def explain(error: BaseException, recorder: Recorder, stack: Stack) -> Failure:
    """The record of a failure: the operation that was being done, or else the last one done."""
    failed = recorder.failed
    if failed is not None and failed[0] is error:
        heard = failed[1]
        op, shapes, args, inputs = heard.name, heard.shapes, heard.args, heard.inputs
    else:
        last = recorder.layers[-1]
        op, shapes, args, inputs = "", (last.shape,), (), (last.index,)
    return Failure(
        path=stack.where(error),
        op=op,
        shapes=shapes,
        message=one_line(error),
        source=failing_line(error),
        hint=hint(op, shapes, args),
        inputs=inputs,
    )


def hint(op: str, shapes: tuple[tuple[int, ...], ...], args: Any) -> str | None:
    """The value that would make the shapes fit, or None where arithmetic cannot tell."""
    if len(shapes) < 2:
        return None
    given, other = shapes[0], shapes[1]
    if op.startswith("conv") and len(other) == len(given) and len(given) > 2:
        return _conv_hint(given, other, args)
    if op in ("linear", "addmm", "matmul", "mm") and given and len(other) == 2:
        wanted = other[1] if op == "linear" else other[0]
        if given[-1] != wanted:
            return f"in_features={given[-1]} would fit this input (it is {wanted})"
    return None


def _conv_hint(given: tuple[int, ...], weight: tuple[int, ...], args: Any) -> str | None:
    groups = args[6] if len(args) > 6 else 1
    wanted = weight[1] * groups
    if given[1] != wanted:
        return f"in_channels={given[1]} would fit this input (it is {wanted})"
    return None
