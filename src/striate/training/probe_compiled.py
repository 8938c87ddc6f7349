"""What compiling brings the training steps of this network on this machine, measured.

The plain step and the compiled one are timed in turns, in the setting that the probe chose, as it
times the settings; the compiled one must agree with fp32 as they must.
"""

from __future__ import annotations

import gc
import importlib
import statistics
import time
from typing import Any

import torch
from torch import Tensor, nn

from striate.errors import RecipeError
from striate.records import ProbeResult
from striate.runs import Compile, Setting
from striate.training.compiling import Compiled, apart, brief
from striate.training.memo import Probe, recall, remember, signature
from striate.training.optimiser import make_optimiser
from striate.training.probe import (
    TOLERANCE,
    StepTimes,
    affordable,
    copy_of,
    deviation_of,
    fresh_gradient,
    gradient_of,
    in_turns,
    loss_of,
)
from striate.training.recipe import Recipe
from striate.training.steady import steady_process

_STEP, _STEPS = 2, 2
"""Of so many steps one that no layer is looked at in, as most are."""


def probe_compiled(
    module: nn.Module,
    images: Tensor,
    labels: Tensor,
    recipe: Recipe,
    *,
    setting: Setting,
    mode: Compile,
    classes: int,
    fresh: bool = False,
    budget: float = 4.0,
) -> Probe | str:
    """Measure the plain and the compiled step (two results, in this order), or recall them; a
    sentence where the network cannot be compiled here, which is not remembered.

    Arguments as ``probe``'s.  The result is for one size of batch, which it may have made smaller.
    """
    threads = recipe.threads or torch.get_num_threads()
    candidates = (setting, f"{setting}, {mode}")
    key = signature(module, images.shape, recipe, threads=threads, candidates=candidates)
    known = None if fresh else recall(key)
    if known is not None:
        return known
    batch = images.to(recipe.device), labels.to(recipe.device)
    with steady_process(threads=threads, deterministic=recipe.deterministic), apart():
        few = affordable(module, batch, classes, recipe)
        times = StepTimes[Compile](len(few[0]), len(images), recipe.device)
        reference = fresh_gradient(module, few, classes, "fp32", recipe)
        plain = deviation_of(reference, fresh_gradient(module, few, classes, setting, recipe))
        try:
            seconds, deviation = _compiled_gradient(
                module, few, classes, setting, mode, recipe, reference
            )
            taken = _time(times, module, few, classes, setting, mode, recipe, budget)
        except RecipeError as error:  # of the compiler's making
            return brief(error.__cause__ or error)
        except Exception as error:  # noqa: BLE001  # the user's network, seen by a compiler, may fail in any way
            return brief(error)
    measured = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    rows: tuple[tuple[Compile, float, float | None], ...] = (
        ("off", plain, None),
        (mode, deviation, max(0.0, seconds - taken)),
    )
    results = tuple(
        ProbeResult(
            setting=setting,
            images_per_second=times.images_per_second(kind),
            deviation=off,
            tolerance=TOLERANCE,
            agrees=off <= TOLERANCE,
            chosen=False,
            compile=kind,
            compile_seconds=spent,
        )
        for kind, off, spent in rows
    )
    found = Probe(results=results, measured=measured)
    remember(key, found)
    return found


def _compiled_gradient(
    module: nn.Module,
    batch: tuple[Tensor, Tensor],
    classes: int,
    setting: Setting,
    mode: Compile,
    recipe: Recipe,
    reference: tuple[float, Tensor],
) -> tuple[float, float]:
    """Seconds of the first compiled step, compiling included, and what it is off fp32 by."""
    own = copy_of(module, setting, recipe)
    compiled = Compiled(own, mode, sizes={len(batch[0]): 1.0}, steps=_STEPS)
    before = _graphs_left_out()
    started = time.perf_counter()
    with compiled.through(batch[0], _STEP) as network:
        found = gradient_of(own, own if network is None else network, batch, classes, setting)
    seconds = time.perf_counter() - started
    if mode == "graphs" and (reason := _graphs_left_out() - before):
        raise RecipeError(f"torch made no CUDA graph of {reason} part(s) of it")
    return seconds, deviation_of(reference, found)


def _time(
    times: StepTimes[Compile],
    module: nn.Module,
    batch: tuple[Tensor, Tensor],
    classes: int,
    setting: Setting,
    mode: Compile,
    recipe: Recipe,
    budget: float,
) -> float:
    """Take training steps, plain and compiled, in turns; the median seconds of the compiled."""
    kinds: tuple[Compile, ...] = ("off", mode)
    nets: dict[Compile, nn.Module] = {kind: copy_of(module, setting, recipe) for kind in kinds}
    optimisers = {kind: make_optimiser(net, recipe) for kind, net in nets.items()}
    sizes = {len(batch[0]): 1.0}
    ways = {kind: Compiled(net, kind, sizes=sizes, steps=_STEPS) for kind, net in nets.items()}

    def step(kind: Compile) -> float:
        def passes() -> Tensor:
            with ways[kind].through(batch[0], _STEP) as network:
                loss = loss_of(nets[kind] if network is None else network, batch, classes, setting)
                loss.backward()
            return loss

        return times.take(kind, passes, optimisers[kind])

    taken = in_turns(step, kinds, budget=budget)
    gc.collect()  # compiled copies hang in cycles, and hold their weights
    return statistics.median(taken[mode])


def _graphs_left_out() -> int:
    """How many graphs torch has compiled without making a CUDA graph of them, by its own count."""
    counters: Any = importlib.import_module("torch._dynamo.utils").counters
    return int(counters["inductor"]["cudagraph_skips"])
