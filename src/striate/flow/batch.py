"""The batch and the memory: ``--batch auto``, and what is said where memory ran out.

``--batch auto`` changes nothing unless it must: the batch is the recipe's own, and where that does
not fit, the greatest power of two that does.  The memory model says what fits, after one training
step on a few images has been measured against it.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from striate.arch import Arch
from striate.errors import InputError
from striate.flow.memory import SPARE, StepMemory, free_memory, step_memory
from striate.flow.targets import Target
from striate.records.wording import size
from striate.runs import logits_of, place
from striate.training import Recipe

TRIAL = 16
"""Images of the step that is measured: few enough to fit where anything does."""

_NOTICEABLE = 32 << 20
"""A measured step that takes less than this is lost among what the process takes anyway."""


def fitting_batch(
    recipe: Recipe,
    network: Arch | Target,
    module: nn.Module,
    image: tuple[int, int, int],
    *,
    classes: int,
    lr_asked: bool,
    processes: int = 1,
) -> tuple[Recipe, str]:
    """``recipe`` with a batch that fits, and the reasoning in a sentence.

    Where SGD's batch is made smaller its rate follows the batch's square root (Krizhevsky 2014),
    unless ``lr_asked`` for.  ``processes`` share each batch, and the memory where they share a CPU.
    InputError where not one image fits.
    """
    free = free_memory(recipe.device)
    model = step_memory(network, image, recipe)
    if free is None or model is None:
        why = (
            "its step cannot be traced"
            if free is not None
            else f"{recipe.device} does not tell its memory"
        )
        return recipe, (
            f"Batches of up to {recipe.batch_size}, as the recipe says: --batch auto could not "
            f"look further, since {why}."
        )
    share = free // (processes if recipe.device == "cpu" else 1)
    trial = min(TRIAL, recipe.batch_size, max(2, model.fits(share)))
    taken = _measured(module, trial, image, classes, recipe) if model.of(trial) < share else None
    factor = 1.0
    if taken is not None and taken > _NOTICEABLE:
        factor = max(1.0, taken / (trial * model.each))
    told = (
        f"a step takes {size(model.fixed)} and {size(model.each)} an image by the memory model"
        + (f", {factor:.2g} times as much an image as measured on {trial}" if factor > 1 else "")
        + f"; {size(free)} are free on {recipe.device}, of which a fifth is left alone"
    )
    fits = model.times(factor).fits(math.floor(share * (1 - SPARE))) * processes
    if fits >= recipe.batch_size:
        return recipe, f"Batches of up to {recipe.batch_size} fit: {told}."
    if not fits:
        raise InputError(
            f"--batch auto: not one image fits: {told}; use smaller images (--image) or a smaller "
            "network"
        )
    changes: dict[str, float] = {"batch_size": fits}
    rate = ""
    if recipe.optimiser == "sgd" and not lr_asked:
        changes["lr"] = recipe.lr * math.sqrt(fits / recipe.batch_size)
        rate = f", at a rate of {changes['lr']:.3g}, which follows the batch's square root"
    return recipe.with_(changes), (
        f"Batches of up to {fits}{rate}: the recipe's of {recipe.batch_size} do not fit; {told}."
    )


def _measured(
    module: nn.Module, batch: int, image: tuple[int, int, int], classes: int, recipe: Recipe
) -> int | None:
    """The most bytes that a step took for its images on a copy of ``module``, its gradients apart;
    None where that is not told.

    Of a CPU: how far the process's resident memory rose above what it was once the copy and its
    kernels were there (Linux).
    """
    own = place(copy.deepcopy(module), "fp32", recipe.device).train()
    inputs = torch.zeros(batch, *image, device=recipe.device)
    labels = torch.arange(batch, device=recipe.device) % classes
    cuda = recipe.device.startswith("cuda")
    _step(own, inputs[:2], labels[:2], classes)
    gradients = sum(p.grad.nbytes for p in own.parameters() if p.grad is not None)
    own.zero_grad()
    if cuda:
        torch.cuda.synchronize()
        before = torch.cuda.memory_allocated(recipe.device)
        torch.cuda.reset_peak_memory_stats(recipe.device)
        _step(own, inputs, labels, classes)
        torch.cuda.synchronize()
        most = torch.cuda.max_memory_allocated(recipe.device)
        return max(0, most - before - gradients)
    before = _resident("VmRSS") if _forget_peak() else None
    _step(own, inputs, labels, classes)
    after = _resident("VmHWM")
    return None if before is None or after is None else max(0, after - before - gradients)


def _step(module: nn.Module, inputs: Tensor, labels: Tensor, classes: int) -> None:
    devices = [inputs.device] if inputs.device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        F.cross_entropy(logits_of(module, inputs, "fp32", classes), labels).backward()


def _forget_peak() -> bool:
    """Let the kernel begin anew to note this process's most resident memory; whether it did."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return False
    return True


def _resident(name: str) -> int | None:
    """``VmRSS`` or ``VmHWM`` of this process, in bytes; None where there is no such thing."""
    try:
        text = Path("/proc/self/status").read_text(encoding="utf-8")
    except OSError:
        return None
    for line in text.splitlines():
        key, _, rest = line.partition(":")
        if key == name:
            return int(rest.split()[0]) * 1024
    return None


@contextmanager
def memory_told(
    recipe: Recipe, network: Arch | Target, image: tuple[int, int, int], *, run: Path | None = None
) -> Generator[None]:
    """InputError for memory that ran out inside, with the batch that would fit by the model.

    ``run``: the folder of a training that has begun, and so cannot have another batch.
    """
    free = free_memory(recipe.device)  # before it was taken: afterwards most of it is held
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not ran_out(error):
            raise
        model = step_memory(network, image, recipe)
        raise InputError(_said(recipe, model, free, run)) from error


def ran_out(error: BaseException) -> bool:
    """Whether ``error`` says that memory ran out, in Python's words or torch's for any device."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    said = str(error).lower()
    return isinstance(error, RuntimeError) and any(
        words in said
        for words in ("out of memory", "can't allocate memory", "not enough memory", "bad_alloc")
    )


def _said(recipe: Recipe, model: StepMemory | None, free: int | None, run: Path | None) -> str:
    batch = recipe.batch_size
    parts = [f"out of memory on {recipe.device} with batches of {batch}"]
    fits = 0
    if model is not None:
        parts[0] += f": a step takes about {size(model.of(batch))} by the memory model"
        if free is not None:
            fits = min(model.fits(math.floor(free * (1 - SPARE))), batch // 2)
            parts[0] += f", and {size(free)} were free"
    if fits:
        parts.append(f"{'start anew with ' if run else ''}--batch {fits}, which would fit")
    elif free is not None and model is not None:
        parts.append("not one image would fit: use smaller images (--image) or a smaller network")
    else:
        parts.append("use a smaller --batch, smaller images (--image) or a smaller network")
    if run is not None:
        parts.append(f"or --resume {run} once more is free")
    return f"{parts[0]}; {', '.join(parts[1:])}"
