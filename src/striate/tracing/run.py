"""From a module and an image's shape to a Trace, in one forward that computes nothing."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import nn

from striate.errors import TraceError
from striate.records.trace import Failure, Totals, Trace
from striate.tracing.failure import describe, one_line
from striate.tracing.places import Stack, failing_line
from striate.tracing.prepare import made, on_meta
from striate.tracing.recorder import Recorder


def trace(
    module: nn.Module | Callable[[], nn.Module],
    image: Sequence[int] = (3, 224, 224),
    *,
    name: str | None = None,
    train: bool = False,
    batch: int = 1,
) -> Trace:
    """What ``module`` does to an image of shape ``image`` = (C, H, W), layer by layer.

    The forward runs once, on tensors that have shapes and no numbers: no weights or activations
    are held, and the module is afterwards as it was.  A function that makes a module is called
    under the meta device, and the line that made each of its modules is known.

    ``train``: trace it in training mode (by default in evaluation mode).  ``batch``: images at
    once; costs and bytes are of the batch.

    A forward that raises gives a partial Trace (``complete`` is False) that ends before the
    failing operation and says which, where and why.  Raises TraceError for inputs the module
    cannot take at all.
    """
    channels, height, width = _checked(image, batch)
    built, makers = made(module)
    label = name or type(built).__name__
    _takes_one_input(built)
    params = {id(p): p for p in built.parameters()}
    names = {id(p): path for path, p in built.named_parameters()}
    fixed = sum(_bytes(p) for p in params.values()) + sum(_bytes(b) for b in built.buffers())
    stack = Stack(built)
    recorder = Recorder(stack, makers, sys._getframe())
    failure: Failure | None = None
    with _quiet_state(), on_meta(built, train=train) as stand_ins:
        for owner, (tensor, elements) in stand_ins.items():
            recorder.watch_parameter(tensor, owner, elements)
        dtype = _dtype(built)
        with torch.inference_mode(), stack.listening():
            pixels = torch.empty(batch, channels, height, width, device="meta", dtype=dtype)
            recorder.watch_image(pixels)
            try:
                with recorder:
                    result = built(pixels)
                del result
            except Exception as error:  # the user's forward may raise anything
                failure = _failure(error, recorder, stack)
            del pixels
    if failure is not None and len(recorder.layers) == 1:
        _refuse_input(failure, label, (channels, height, width))
    totals = Totals(
        params=sum(p.numel() for p in params.values()),
        macs=sum(layer.macs or 0 for layer in recorder.layers),
        activations=sum(layer.activations for layer in recorder.layers),
        infer_bytes=fixed + recorder.storages.peak,
        train_bytes=fixed
        + sum(_bytes(p) for p in params.values() if p.requires_grad)
        + sum(layer.saved_bytes for layer in recorder.layers),
    )
    return Trace(
        name=label,
        image=(channels, height, width),
        layers=tuple(recorder.layers),
        totals=totals,
        complete=failure is None,
        unknown=tuple(recorder.unknown),
        failure=failure,
        unused=tuple(names[owner] for owner in params if owner not in recorder.used)
        if failure is None
        else (),
    )


def _checked(image: Sequence[int], batch: int) -> tuple[int, int, int]:
    values = tuple(image)
    if len(values) != 3 or not all(isinstance(v, int) and v >= 1 for v in values):
        shown = "x".join(str(v) for v in values)
        raise TraceError(
            f"image {shown or '()'} is not a size; give channels, height and width, each at "
            "least 1, such as 3x224x224"
        )
    if batch < 1:
        raise TraceError(f"batch {batch} is not a number of images; give at least 1")
    return values[0], values[1], values[2]


def _takes_one_input(module: nn.Module) -> None:
    try:
        signature = inspect.signature(module.forward)
    except (TypeError, ValueError):  # built in C++, which says nothing of its arguments
        return
    needed = [
        p.name
        for p in signature.parameters.values()
        if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]
    try:
        signature.bind(None)
    except TypeError:
        asked = ", ".join(needed) or "nothing"
        raise TraceError(
            f"{type(module).__name__}.forward takes {asked}; striate gives it one image"
        ) from None


def _failure(error: Exception, recorder: Recorder, stack: Stack) -> Failure:
    failed = recorder.failed
    path = stack.where(error)
    if failed is not None and failed[0] is error:
        _, op, shapes, (args, inputs) = failed
    else:
        last = recorder.layers[-1]
        op, shapes, args, inputs = "", (last.shape,), (), (last.index,)
    return describe(
        error,
        path=path,
        op=op,
        shapes=shapes,
        source=failing_line(error),
        args=args,
        inputs=inputs,
    )


def _refuse_input(failure: Failure, label: str, image: tuple[int, int, int]) -> None:
    """An input that the very first operation cannot take is the caller's, not the network's."""
    where = failure.path or label
    shown = "x".join(map(str, image))
    mend = f"; {failure.hint}" if failure.hint else ""
    raise TraceError(f"{where} cannot take an image of {shown}: {failure.message}{mend}")


def _dtype(module: nn.Module) -> torch.dtype:
    """The type of the weights, which the image must share."""
    first = next((p for p in module.parameters() if p.is_floating_point()), None)
    return torch.float32 if first is None else first.dtype


def _bytes(tensor: torch.Tensor) -> int:
    return tensor.numel() * tensor.element_size()


@contextmanager
def _quiet_state() -> Iterator[None]:
    """Global switches of torch as the trace needs them, then as they were."""
    fast = torch.backends.mha.get_fastpath_enabled()
    cuda = list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with torch.random.fork_rng(devices=cuda):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


_ = one_line
