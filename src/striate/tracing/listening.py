"""One forward on shapes alone, heard from beginning to end, and everything put back afterwards."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Generator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import torch
from torch import nn

from striate.errors import TraceError
from striate.records import Failure
from striate.tracing.failure import explain
from striate.tracing.fields.reach import Reach
from striate.tracing.inputs import Inputs, Size, one_image
from striate.tracing.learning import hearing_no_grad, tensors_returned
from striate.tracing.ledger import Ledger
from striate.tracing.places import Stack, modules_of
from striate.tracing.prepare import StoodIn, on_meta, uncollected
from striate.tracing.recorder import Recorder
from striate.tracing.values import Value

_TAKES_GRADIENTS = ("does not require grad", "nference tensor", "a grad_fn")
"""Words of the errors of a forward that needs gradients of its own."""


@dataclass(frozen=True, kw_only=True)
class Hearing:
    """One forward as it was heard.  ``outputs``: what each tensor it returned sees.

    ``reached``: ids of the parameters that a gradient from the outputs would reach; None where no
    output carries one.  ``step``: most activations, gradients and saved bytes alive together in a
    training step, if one was asked for.  ``returned``: the layers whose outputs it returned.
    ``places``: every module once, with its path.
    """

    step: int | None
    recorder: Recorder
    outputs: tuple[Reach | None, ...]
    failure: Failure | None
    stood_in: tuple[StoodIn, ...]
    places: Sequence[tuple[str, nn.Module]]
    reached: set[int] | None = None
    returned: tuple[int, ...] = ()

    @property
    def parameters(self) -> list[StoodIn]:
        """What stands for a parameter, not for a buffer."""
        return [part for part in self.stood_in if part.elements]

    @property
    def unlearned(self) -> tuple[str, ...]:
        """Parameters that the forward used, and that would train if a gradient came to them."""
        if self.failure is not None or self.reached is None:
            return ()
        used = self.recorder.ledger.used - self.reached
        return tuple(
            part.name
            for part in self.parameters
            if part.original.requires_grad and id(part.original) in used
        )


def listen(
    module: nn.Module,
    image: Size,
    makers: dict[int, str],
    *,
    train: bool = False,
    batch: int = 1,
    inputs: Inputs | None = None,
    inference: bool = True,
) -> Hearing:
    """Run the forward on shapes alone, with every switch of torch put back afterwards.

    In inference mode composite operations are heard whole; a forward that takes gradients itself
    is heard again without it.  ``inputs``: to be called with instead of ``batch`` images.
    """
    called = inputs or one_image(module, image, batch)
    _takes(module, called)
    stack = Stack(module)
    recorder = Recorder(Ledger(stack, makers, inspect.currentframe()), training=train)
    outputs: tuple[Reach | None, ...] = ()
    reached: set[int] | None = None
    returned: tuple[int, ...] = ()
    failure: Failure | None = None
    step: int | None = None
    again = False
    places = modules_of(module)
    with _switches(places), on_meta(places, train=train) as stood_in:
        for part in stood_in:
            recorder.watch_parameter(part)
        stack.attach(places)
        with torch.inference_mode(inference), torch.set_grad_enabled(not inference):
            fresh = called.fresh()
            recorder.watch_image(fresh.image)
            for other in fresh.others:
                recorder.watch_input(other)
            try:
                with recorder, hearing_no_grad(recorder.learning):
                    result = module(*fresh.args, **fresh.kwargs)
                outputs = tuple(recorder.values.reaches_in(result))
                tensors = tensors_returned(result)
                ends = [recorder.values.of(tensor) for tensor in tensors]
                floats = any(tensor.is_floating_point() for tensor in tensors)
                reached = recorder.learning.reached(ends, floats=floats)
                del tensors
                returned = tuple(dict.fromkeys(end.layer for end in ends if end.layer >= 0))
                step = _step(recorder, ends, stood_in)
                del result
            except Exception as error:  # the user's forward, which may raise anything
                if recorder.mistake is not None:
                    raise
                again = inference and any(word in str(error) for word in _TAKES_GRADIENTS)
                failure = explain(error, recorder, stack)
            fresh.let_go()
    if again:
        return listen(
            module, image, makers, train=train, batch=batch, inputs=inputs, inference=False
        )
    return Hearing(
        recorder=recorder,
        outputs=outputs,
        failure=failure,
        stood_in=tuple(stood_in),
        places=places,
        reached=reached,
        returned=returned,
        step=step,
    )


def _step(recorder: Recorder, ends: list[Value], stood_in: Sequence[StoodIn]) -> int | None:
    """Most bytes alive together in a training step, the module's own left out."""
    if recorder.step is None:
        return None
    storages = recorder.values.storages
    learned = {id(part.original): part for part in stood_in if part.original.requires_grad}
    results = [(end, tensor.nbytes) for end in ends if (tensor := end.tensor) is not None]
    backward = recorder.step.backward_peak(
        storages.live + storages.kept,
        results,
        {owner: part.nbytes for owner, part in learned.items()},
    )
    return max(storages.training_peak, backward)


def _takes(module: nn.Module, called: Inputs) -> None:
    """TraceError where the forward's signature does not take these arguments."""
    try:
        signature = inspect.signature(module.forward)
    except (TypeError, ValueError):  # built in C++, which says nothing of its arguments
        return
    try:
        signature.bind(*called.args, **called.kwargs)
    except TypeError as error:
        if len(called.args) != 1 or called.kwargs:
            raise TraceError(
                f"{type(module).__name__}.forward does not take inputs: {error}"
            ) from None
        needed = [
            p.name
            for p in signature.parameters.values()
            if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
        ]
        raise TraceError(
            f"{type(module).__name__}.forward takes {len(needed)} inputs "
            f"({', '.join(needed) or 'none'}); striate gives it one image, so wrap it in a "
            "module that takes one, or give all of them to striate.trace by inputs="
        ) from None


@contextmanager
def _switches(places: Sequence[tuple[str, nn.Module]]) -> Generator[None]:
    """Global switches of torch as a trace needs them, then as they were."""
    # PyTorch imports this in the middle of some first operation, and in doing so leaves a cycle
    # of frames that keeps that operation's tensors alive, as if the network did.
    importlib.import_module("torch._dynamo")
    compiled = any(type(part).__name__ == "OptimizedModule" for _, part in places)
    eager = torch.compiler.set_stance("force_eager") if compiled else nullcontext()
    fast = torch.backends.mha.get_fastpath_enabled()
    cuda = list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with torch.random.fork_rng(devices=cuda), eager, uncollected():
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
