"""From a module and an image's shape to a Trace, in one forward that computes nothing."""

from __future__ import annotations

import gc
import importlib
import inspect
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import nn

from striate.errors import TraceError
from striate.records import Failure, Totals, Trace
from striate.records.optimiser import known_optimiser, state_bytes
from striate.tracing.beginnings import Beginnings, constants
from striate.tracing.failure import explain
from striate.tracing.fields.reach import Reach
from striate.tracing.inputs import Inputs, Size, given, one_image
from striate.tracing.lazy import settled
from striate.tracing.learning import hearing_no_grad, tensors_returned
from striate.tracing.ledger import Ledger
from striate.tracing.places import Stack, aliases_of, modules_of
from striate.tracing.prepare import StoodIn, made, on_meta
from striate.tracing.recorder import Recorder
from striate.tracing.values import Value

DEFAULT_IMAGE = (3, 224, 224)

_TAKES_GRADIENTS = ("does not require grad", "nference tensor", "a grad_fn")
"""Words of the errors of a forward that needs gradients of its own."""


def trace(
    module: nn.Module | Callable[[], nn.Module],
    image: Sequence[int] = DEFAULT_IMAGE,
    *,
    name: str | None = None,
    train: bool = False,
    batch: int = 1,
    optimiser: str | None = None,
    inputs: object = None,
) -> Trace:
    """What ``module`` does to an image of shape ``image`` = (C, H, W), layer by layer.

    The forward runs once, on tensors that have shapes and no numbers: no weights or activations
    are held, and the module is afterwards as it was.  A function that makes a module is called
    under the meta device, and the line that made each of its modules is known.

    ``train``: trace it in training mode (by default in evaluation mode), and a whole training step
    with it: ``totals.step_bytes`` is what lives at most from the batch to the last gradient, with
    what the ``optimiser`` (``sgd``, ``momentum``, ``adamw``, …) keeps from step to step.
    ``batch``: images at once; costs and bytes are of the batch.  ``backward_macs`` and
    ``saved_bytes`` are those of training in either mode.

    ``inputs``: what to call the forward with instead of one image: a tensor, a tuple of positional
    arguments or a dict of keyword arguments.  Only shapes and types of their tensors are used; the
    first of shape (N, C, H, W) is the image that receptive fields are of.

    A forward that raises gives a partial Trace (``complete`` is False) that ends before the
    failing operation and says which, where and why.  Raises TraceError for inputs the module
    cannot take at all.
    """
    asked = None
    if inputs is None:
        size = _checked(image, batch)
    else:
        if image is not DEFAULT_IMAGE or batch != 1:
            raise TraceError("inputs: say themselves what image and batch would; leave those out")
        asked = given(inputs)
        size = asked.size
    if optimiser is not None and not train:
        raise TraceError(f"optimiser {optimiser!r}: is for training; give train=True with it")
    if optimiser is not None:
        known_optimiser(optimiser)
    begun = Beginnings()
    built, makers = made(module, begun)
    label = name or type(built).__name__
    called = asked or one_image(built, size, batch)
    built, makers = settled(built, makers, called)
    heard = listen(built, size, makers, train=train, batch=batch, inputs=asked)
    if heard.failure is not None and heard.recorder.never_began:
        _refuse_input(heard.failure, label, size)
    told = _told(heard, built, makers, label, size, optimiser)
    return replace(
        told,
        parameters={part.name: part.elements for part in heard.parameters},
        constants=constants(((part.name, part.original) for part in heard.parameters), begun),
        unlearned=heard.unlearned,
        returned=heard.returned,
        idle=_idle(told, built, size, makers, asked, train=train),
        aliases=aliases_of(built),
    )


@dataclass(frozen=True, kw_only=True)
class Hearing:
    """One forward as it was heard.  ``outputs``: what each tensor it returned sees.

    ``reached``: ids of the parameters that a gradient from the outputs would reach; None where no
    output carries one.  ``step``: most activations, gradients and saved bytes alive together in a
    training step, if one was asked for.  ``returned``: the layers whose outputs it returned.
    """

    step: int | None
    recorder: Recorder
    outputs: tuple[Reach | None, ...]
    failure: Failure | None
    stood_in: tuple[StoodIn, ...]
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
    with _switches(module), on_meta(module, train=train) as stood_in:
        for part in stood_in:
            recorder.watch_parameter(part)
        stack.attach()
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
        {owner: _bytes(part.original) for owner, part in learned.items()},
    )
    return max(storages.training_peak, backward)


def _told(
    heard: Hearing,
    module: nn.Module,
    makers: dict[int, str],
    label: str,
    image: Size,
    optimiser: str | None,
) -> Trace:
    """The record of a forward that was heard."""
    ledger = heard.recorder.ledger
    parameters, places = heard.parameters, modules_of(module)
    learning = heard.recorder.learning
    layers = ledger.finished(learning.taught if heard.failure is None else None)
    fixed = sum(_bytes(part.original) for part in heard.stood_in)
    learned = [part.original for part in parameters if part.original.requires_grad]
    gradients = sum(map(_bytes, learned))
    saved = sum(layer.saved_bytes for layer in layers)
    state = 0 if optimiser is None else state_bytes(optimiser, map(_bytes, learned))
    step = None if heard.step is None else fixed + state + max(heard.step, gradients)
    unused = [part.name for part in parameters if id(part.original) not in ledger.used]
    frozen = [part.name for part in parameters if not part.original.requires_grad]
    return Trace(
        name=label,
        image=image,
        layers=layers,
        totals=Totals(
            params=sum(part.elements for part in parameters),
            macs=sum(layer.macs or 0 for layer in layers),
            activations=sum(layer.activations for layer in layers),
            infer_bytes=fixed + heard.recorder.values.storages.peak,
            train_bytes=fixed + gradients + saved,
            backward_macs=sum(layer.backward_macs or 0 for layer in layers),
            read_bytes=sum(layer.read_bytes for layer in layers),
            written_bytes=sum(layer.written_bytes for layer in layers),
            saved_bytes=saved,
            gradient_bytes=gradients,
            optimiser_bytes=state,
            step_bytes=step,
        ),
        optimiser=optimiser,
        complete=heard.failure is None,
        unknown=tuple(ledger.unknown),
        failure=heard.failure,
        modules={path: type(part).__name__ for path, part in places},
        defined={path: makers[id(part)] for path, part in places if id(part) in makers},
        unused=() if heard.failure is not None else tuple(unused),
        frozen=tuple(frozen),
    )


def _idle(
    told: Trace,
    module: nn.Module,
    image: Size,
    makers: dict[int, str],
    asked: Inputs | None,
    *,
    train: bool,
) -> tuple[str, ...]:
    """Which unused parameters a forward in training mode does not touch either.

    Auxiliary heads are used in training alone.  Empty where that forward fails.
    """
    if train or not told.unused:
        return told.unused
    again = listen(module, image, makers, train=True, batch=2, inputs=asked)
    used = again.recorder.ledger.used
    return tuple(
        part.name
        for part in again.parameters
        if again.failure is None and id(part.original) not in used
    )


def _checked(image: Sequence[int], batch: int) -> Size:
    values = cast("Sequence[object]", image)
    if len(values) != 3 or not all(isinstance(v, int) and v >= 1 for v in values):
        shown = "x".join(str(v) for v in values)
        raise TraceError(
            f"image {shown or '()'} is not a size; give channels, height and width, each at "
            "least 1, such as 3x224x224"
        )
    if batch < 1:
        raise TraceError(f"batch {batch} is not a number of images; give at least 1")
    return image[0], image[1], image[2]


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


def _refuse_input(failure: Failure, label: str, image: Size) -> None:
    """An input that the very first operation cannot take is the caller's, not the network's."""
    where = f"{label}: {failure.path or failure.op or 'forward'}"
    shown = "x".join(map(str, image))
    mend = f"; {failure.hint}" if failure.hint else ""
    if failure.op.startswith("conv") and len(failure.shapes) > 1:
        weight, given = failure.shapes[1], failure.shapes[0]
        if len(weight) == 4 == len(given) and weight[1] != given[1]:
            fits = f"{weight[1]}x{image[1]}x{image[2]}"
            raise TraceError(
                f"{where} takes {weight[1]} channels, and the image {shown} has {image[0]}; "
                f"give {fits}"
            )
    raise TraceError(f"{where} cannot take the image {shown}: {failure.message}{mend}")


def _bytes(tensor: torch.Tensor) -> int:
    return tensor.numel() * tensor.element_size()


@contextmanager
def _switches(module: nn.Module) -> Generator[None]:
    """Global switches of torch as a trace needs them, then as they were."""
    # PyTorch imports this in the middle of some first operation, and in doing so leaves a cycle
    # of frames that keeps that operation's tensors alive, as if the network did.
    importlib.import_module("torch._dynamo")
    compiled = any(type(part).__name__ == "OptimizedModule" for part in module.modules())
    eager = torch.compiler.set_stance("force_eager") if compiled else nullcontext()
    fast, collects = torch.backends.mha.get_fastpath_enabled(), gc.isenabled()
    cuda = list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []
    torch.backends.mha.set_fastpath_enabled(False)
    gc.disable()  # half of a trace's time would go into looking for cycles
    try:
        with torch.random.fork_rng(devices=cuda), eager:
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
        if collects:
            gc.enable()
