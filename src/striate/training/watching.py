"""How the layers fare while they are trained, looked at in a few steps: norms of gradients, how far
each weight moves, channels that are dead or saturated.

At step 1, and about ``LOOKS`` times after it.  Nothing is drawn and nothing is written to but
copies, so the training's bits are the same.  A step that is looked at takes longer, by a copy of
the weights and a pass over each activation; one in ``EVERY`` at most is.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import Any, cast

import torch
from torch import Tensor, nn

from striate.records.health import (
    HARD,
    MOSTLY,
    RANGES,
    SATURATED,
    WatchedStep,
    WatchedUnits,
    WatchedWeight,
)

LOOKS = 50
EVERY = 20

_OPS: dict[type[nn.Module], str] = {
    nn.ReLU: "relu",
    nn.ReLU6: "relu6",
    nn.Sigmoid: "sigmoid",
    nn.Hardsigmoid: "hardsigmoid",
    nn.Tanh: "tanh",
}


def looked_at(step: int, steps: int) -> bool:
    """Whether ``step`` (1, 2, …) of so many ``steps`` is looked at."""
    return step == 1 or step % looks_every(steps) == 0


def looks_every(steps: int) -> int:
    """Of so many ``steps``, one in this many is looked at."""
    return max(EVERY, steps // LOOKS)


class Watch:
    """Of ``module``, over a training of so many ``steps``."""

    def __init__(self, module: nn.Module, steps: int) -> None:
        self._module = module
        self._steps = steps
        self._weights: dict[str, Tensor] = {}
        self._units: list[tuple[str, str, int, Tensor]] = []

    @contextmanager
    def looking(self, step: int) -> Generator[None]:
        """One training step is taken inside."""
        self._weights, self._units = {}, []
        if not looked_at(step, self._steps):
            yield
            return
        named = cast("Iterable[tuple[str, nn.Module]]", self._module.named_modules())
        handles = [
            part.register_forward_hook(self._heard(path, _OPS[type(part)]))
            for path, part in named
            if type(part) in _OPS
        ]
        self._weights = {
            name: parameter.detach().clone()
            for name, parameter in self._module.named_parameters()
            if parameter.dim() > 1
        }
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def seen(self, epoch: int, step: int) -> WatchedStep | None:
        """What was seen in the step just taken; None where it was not looked at."""
        if not self._weights:
            return None
        numbers, names = list[Tensor](), list[str]()
        for name, parameter in self._module.named_parameters():
            gradient: Tensor | None = parameter.grad
            if gradient is None or name not in self._weights:
                continue
            before = self._weights[name]
            names.append(name)
            numbers += [_length(gradient), _length(before), _length(parameter.detach() - before)]
        row = torch.stack([*numbers, *(count for *_, count in self._units)])
        told = cast("list[float]", row.tolist())
        weights = [
            WatchedWeight(
                parameter=name,
                gradient=_finite(told[3 * at]),
                weight=_finite(told[3 * at + 1]),
                update=_finite(told[3 * at + 2] / max(told[3 * at + 1], 1e-30)),
            )
            for at, name in enumerate(names)
        ]
        units = [
            WatchedUnits(
                path=path,
                op=op,
                channels=channels,
                dead=int(count) if op in HARD else 0,
                saturated=0 if op in HARD else int(count),
            )
            for (path, op, channels, _), count in zip(
                self._units, told[3 * len(names) :], strict=True
            )
        ]
        self._weights, self._units = {}, []
        return WatchedStep(epoch=epoch, step=step, weights=tuple(weights), units=tuple(units))

    def _heard(self, path: str, op: str) -> Any:
        def hook(_module: nn.Module, _inputs: object, out: object) -> None:
            if not isinstance(out, Tensor) or out.dim() < 2:
                return
            along = 1 if out.dim() in (2, 4) else out.dim() - 1
            others = [axis for axis in range(out.dim()) if axis != along]
            with torch.no_grad():
                if op in HARD:
                    count = (out.amax(dim=others) <= 0).sum()
                else:
                    low, high = RANGES[op]
                    near = SATURATED * (high - low)
                    ends = (out < low + near) | (out > high - near)
                    count = (ends.float().mean(dim=others) >= MOSTLY).sum()
            self._units.append((path, op, out.shape[along], count.float()))

        return hook


class NoWatch:
    """Looks at nothing: what a process has that does not write."""

    @contextmanager
    def looking(self, step: int) -> Generator[None]:
        """One training step is taken inside."""
        del step
        yield

    def seen(self, epoch: int, step: int) -> None:
        """Nothing was."""
        del epoch, step


def _length(tensor: Tensor) -> Tensor:
    return tensor.detach().float().square().sum().sqrt()


def _finite(value: float) -> float | None:
    """To six figures, which is more than float32 sums agree to."""
    return float(f"{value:.6g}") if math.isfinite(value) else None
