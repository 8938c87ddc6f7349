"""Which arithmetic and memory order trains this network fastest on this machine, measured.

A few whole training steps (forward, backward, optimiser) of copies of the real network are timed
in each candidate setting, in turns (A B C D A B C D …, so that a machine that slows down slows
all), and the median of each is taken.  A candidate must agree with fp32 on the same batch: in the
loss, and in the gradient over all parameters.

Tolerance.  Another memory order sums in another order, and ``bf16`` keeps 8 bits of each factor;
both are rounding, which depth enlarges: in bf16 the gradient of a fresh resnet20 is off by 0.05 of
its length, resnet110's by 0.25 (docs/decisions/0006-bf16-by-autocast.md).  The gradients of two
batches differ by more than the whole length, so an error of up to half of it hides in the noise
that SGD lives with anyway, where a wrong kernel or an overflow is off by the whole length.
"""

from __future__ import annotations

import copy
import math
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from striate.records import ProbeResult
from striate.runs import SETTINGS, Setting, logits_of, place
from striate.training.memo import Probe, recall, remember, signature
from striate.training.optimiser import make_optimiser
from striate.training.recipe import Recipe
from striate.training.steady import steady_process, steady_step

_DROPOUTS = nn.modules.dropout._DropoutNd  # pyright: ignore[reportPrivateUsage] # no public base

Kind = TypeVar("Kind", bound=str)

MARGIN = 1.10
"""How much faster than fp32 another setting must be to be taken: less is within the noise."""

HOPELESS = 4.0
"""A candidate that takes this many times as long as the fastest is not timed further."""

LEAST_ROUNDS, MOST_ROUNDS = 3, 30
"""How often each candidate is timed: a small network's steps are short and scatter widely."""

STEP_SECONDS = 0.5
"""The batch is made smaller, down to ``FEWEST`` images, until a step in fp32 takes this long."""

FEWEST = 8

TOLERANCE = 0.5
"""Allowed relative deviation from fp32, of the loss and of the gradient; the reason is above."""


def probe(
    module: nn.Module,
    images: Tensor,
    labels: Tensor,
    recipe: Recipe,
    *,
    classes: int,
    candidates: Sequence[Setting] = SETTINGS,
    fresh: bool = False,
    budget: float = 6.0,
) -> Probe:
    """Measure ``candidates`` on ``module``, or recall an earlier measurement of the same job.

    ``images``: (N, C, H, W) float32 as the network gets them, N the recipe's batch size.
    ``labels``: (N,) int64.  ``fresh`` measures again.  The steps are timed for about ``budget``
    seconds; where one would take longer than half a second in fp32, on fewer images.  A single
    candidate is measured too: its speed is needed to plan by minutes.  ``module`` and the random
    generators are left as they were.
    """
    threads = recipe.threads or torch.get_num_threads()
    key = signature(module, images.shape, recipe, threads=threads, candidates=candidates)
    known = None if fresh else recall(key)
    if known is not None:
        return known
    batch = images.to(recipe.device), labels.to(recipe.device)
    reason = None
    if recipe.deterministic:
        reason = _why_nondeterministic(module, _few(batch), classes, recipe, threads)
    with steady_process(threads=threads, deterministic=recipe.deterministic and reason is None):
        few = affordable(module, batch, classes, recipe)
        reference = fresh_gradient(module, few, classes, "fp32", recipe)
        deviations: dict[Setting, float] = {
            setting: deviation_of(reference, fresh_gradient(module, few, classes, setting, recipe))
            for setting in candidates
        }
        times = StepTimes[Setting](len(few[0]), len(images), recipe.device)
        _time(times, module, few, classes, recipe, candidates, budget)
    speeds: dict[Setting, float] = {
        setting: times.images_per_second(setting) for setting in candidates
    }
    chosen = choose(speeds, deviations)
    results = tuple(
        ProbeResult(
            setting=setting,
            images_per_second=speeds[setting],
            deviation=deviations[setting],
            tolerance=TOLERANCE,
            agrees=deviations[setting] <= TOLERANCE,
            chosen=setting == chosen,
        )
        for setting in candidates
    )
    measured = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    probed = Probe(results=results, measured=measured, nondeterministic=reason)
    remember(key, probed)
    return probed


def choose(speeds: dict[Setting, float], deviations: dict[Setting, float]) -> Setting:
    """The fastest setting that agrees; fp32 unless that is ``MARGIN`` times as fast.

    >>> choose({"fp32": 100, "bf16": 105}, {"fp32": 0, "bf16": 0.02})
    'fp32'
    >>> choose({"fp32": 100, "bf16": 300}, {"fp32": 0, "bf16": 0.9})
    'fp32'
    >>> choose({"fp32": 100, "bf16": 300}, {"fp32": 0, "bf16": 0.02})
    'bf16'
    """
    agreeing: list[Setting] = [setting for setting in speeds if deviations[setting] <= TOLERANCE]
    if not agreeing:  # only where fp32 was no candidate: a setting that was asked for is taken
        return next(iter(speeds))
    best = max(agreeing, key=lambda setting: speeds[setting])
    if "fp32" in agreeing and speeds[best] < MARGIN * speeds["fp32"]:
        return "fp32"
    return best


def copy_of(module: nn.Module, setting: Setting, recipe: Recipe) -> nn.Module:
    """A copy of ``module``, placed for ``setting``, in training mode."""
    return place(copy.deepcopy(module), setting, recipe.device).train()


def loss_of(
    module: nn.Module, batch: tuple[Tensor, Tensor], classes: int, setting: Setting
) -> Tensor:
    """The mean cross-entropy of ``batch``: (N, C, H, W) float32, (N,) int64."""
    images, labels = batch
    with steady_step(0, 1, torch.arange(len(images))):
        return F.cross_entropy(logits_of(module, images, setting, classes), labels)


def fresh_gradient(
    module: nn.Module,
    batch: tuple[Tensor, Tensor],
    classes: int,
    setting: Setting,
    recipe: Recipe,
) -> tuple[float, Tensor]:
    """``gradient_of`` a copy of ``module``."""
    own = copy_of(module, setting, recipe)
    return gradient_of(own, own, batch, classes, setting)


def gradient_of(
    module: nn.Module,
    network: nn.Module,
    batch: tuple[Tensor, Tensor],
    classes: int,
    setting: Setting,
) -> tuple[float, Tensor]:
    """The loss, and the gradient over all parameters as one vector, without torch's dropout.

    ``network``: ``module`` itself, or compiled.  Batch norm is in training mode, as it is when the
    steps are taken.  ``nn.Dropout`` is left out: its mask would be another in another memory order.
    """
    for part in module.modules():
        if isinstance(part, _DROPOUTS):
            part.eval()
    loss = loss_of(network, batch, classes, setting)
    loss.backward()
    gradients = [p.grad for p in module.parameters() if p.grad is not None]
    return loss.item(), torch.cat([gradient.float().reshape(-1) for gradient in gradients])


def affordable(
    module: nn.Module, batch: tuple[Tensor, Tensor], classes: int, recipe: Recipe
) -> tuple[Tensor, Tensor]:
    """As much of ``batch`` as a step in fp32 takes about ``STEP_SECONDS`` for."""
    few = _few(batch)
    fresh_gradient(module, few, classes, "fp32", recipe)  # makes kernels
    started = time.perf_counter()
    fresh_gradient(module, few, classes, "fp32", recipe)
    rate = len(few[0]) / (time.perf_counter() - started)
    count = max(FEWEST, math.floor(rate * STEP_SECONDS))
    return batch[0][:count], batch[1][:count]


def _few(batch: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    return batch[0][:FEWEST], batch[1][:FEWEST]


def deviation_of(reference: tuple[float, Tensor], other: tuple[float, Tensor]) -> float:
    """The greater of the relative differences of loss and gradient (their norms); inf for NaN."""
    loss = abs(other[0] - reference[0]) / max(abs(reference[0]), 1e-12)
    gradient = _length(other[1] - reference[1]) / max(_length(reference[1]), 1e-30)
    return max(loss, gradient) if math.isfinite(loss + gradient) else math.inf


def _length(vector: Tensor) -> float:
    return math.sqrt(torch.dot(vector, vector).item())


class StepTimes(Generic[Kind]):
    """How long training steps on ``few`` images took, and what one on ``whole`` would: the passes
    grow with the batch, and the optimiser's own part does not.
    """

    def __init__(self, few: int, whole: int, device: str) -> None:
        self._few, self._whole = few, whole
        self._on_gpu = device.startswith("cuda")
        self._parts: dict[Kind, list[tuple[float, float]]] = {}

    def take(
        self, kind: Kind, passes: Callable[[], Tensor], optimiser: torch.optim.Optimizer
    ) -> float:
        """Take a step of ``kind`` and give its seconds.  ``passes``: forward and backward, to the
        loss.  The first of a kind does not count.
        """
        started = time.perf_counter()
        optimiser.zero_grad()
        passes().item()  # a GPU is done only now
        self._wait()
        passed = time.perf_counter()
        optimiser.step()
        self._wait()
        ended = time.perf_counter()
        self._parts.setdefault(kind, []).append((passed - started, ended - passed))
        return ended - started

    def images_per_second(self, kind: Kind) -> float:
        """Of the median step on ``whole`` images."""
        more = self._whole / self._few
        return self._whole / statistics.median(
            passes * more + own for passes, own in self._parts[kind][1:]
        )

    def _wait(self) -> None:
        if self._on_gpu:
            torch.cuda.synchronize()


def _time(
    times: StepTimes[Setting],
    module: nn.Module,
    batch: tuple[Tensor, Tensor],
    classes: int,
    recipe: Recipe,
    candidates: Sequence[Setting],
    budget: float,
) -> None:
    """Take training steps in each candidate, in turns."""
    nets = {setting: copy_of(module, setting, recipe) for setting in candidates}
    optimisers = {setting: make_optimiser(net, recipe) for setting, net in nets.items()}

    def step(setting: Setting) -> float:
        def passes() -> Tensor:
            loss = loss_of(nets[setting], batch, classes, setting)
            loss.backward()
            return loss

        return times.take(setting, passes, optimisers[setting])

    in_turns(step, candidates, budget=budget)


def in_turns(
    step: Callable[[Kind], float], candidates: Sequence[Kind], *, budget: float
) -> dict[Kind, list[float]]:
    """Take ``step`` in each candidate by turns, until another turn would exceed ``budget`` seconds.

    ``step`` returns its seconds.  The first of each, which makes kernels and fills caches, does not
    count.  One slow step is no proof (another program may have held the cores): a candidate is
    given up only when the fastest of ``LEAST_ROUNDS`` steps was ``HOPELESS``.
    """
    for setting in candidates:
        step(setting)
    times: dict[Kind, list[float]] = {setting: [] for setting in candidates}
    running: list[Kind] = list(candidates)
    for done in range(1, MOST_ROUNDS + 1):
        for setting in running:
            times[setting].append(step(setting))
        if done < LEAST_ROUNDS:
            continue
        fastest = min(min(measured) for measured in times.values())
        bound = HOPELESS * fastest
        hopeful: list[Kind] = [setting for setting in running if min(times[setting]) <= bound]
        running = hopeful
        turn = sum(statistics.median(times[setting]) for setting in running)
        if sum(map(sum, times.values())) + turn > budget:
            break
    return times


def _why_nondeterministic(
    module: nn.Module, batch: tuple[Tensor, Tensor], classes: int, recipe: Recipe, threads: int
) -> str | None:
    """Torch's own words on the operation that has no deterministic implementation, if there is."""
    try:
        with steady_process(threads=threads, deterministic=True):
            fresh_gradient(module, batch, classes, "fp32", recipe)
    except RuntimeError as error:
        if "deterministic" not in str(error):
            raise
        return str(error).split(". ")[0]
    return None
