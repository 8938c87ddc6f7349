"""From a module and an image's shape to a Trace, in one forward that computes nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import cast

from torch import nn

from striate.errors import TraceError
from striate.records import Failure, Totals, Trace
from striate.records.optimiser import known_optimiser, state_bytes
from striate.tracing.beginnings import Beginnings, constants
from striate.tracing.inputs import Inputs, Size, given, one_image
from striate.tracing.lazy import settled
from striate.tracing.listening import Hearing, listen
from striate.tracing.places import aliases_of
from striate.tracing.prepare import made

__all__ = ["DEFAULT_IMAGE", "listen", "trace"]

DEFAULT_IMAGE = (3, 224, 224)


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
    told = _told(heard, makers, label, size, optimiser)
    return replace(
        told,
        parameters={part.name: part.elements for part in heard.parameters},
        constants=constants(((part.name, part.original) for part in heard.parameters), begun),
        unlearned=heard.unlearned,
        returned=heard.returned,
        idle=_idle(told, built, size, makers, asked, train=train),
        aliases=aliases_of(built),
    )


def _told(
    heard: Hearing,
    makers: dict[int, str],
    label: str,
    image: Size,
    optimiser: str | None,
) -> Trace:
    """The record of a forward that was heard."""
    ledger = heard.recorder.ledger
    parameters, places = heard.parameters, heard.places
    learning = heard.recorder.learning
    layers = ledger.finished(learning.taught if heard.failure is None else None)
    fixed = sum(part.nbytes for part in heard.stood_in)
    learned = [part.nbytes for part in parameters if part.original.requires_grad]
    gradients = sum(learned)
    saved = sum(layer.saved_bytes for layer in layers)
    state = 0 if optimiser is None else state_bytes(optimiser, learned)
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
