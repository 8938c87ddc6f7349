"""Pixels to the floats a network takes: the one function that train, evaluate and predict use."""

from __future__ import annotations

from collections.abc import Sequence

import torch


def per_channel(values: Sequence[float], channels: int) -> tuple[float, ...]:
    """A mean or deviation per channel for another number of channels: their mean for one, else
    they come in turns.

    >>> per_channel((0.5, 0.25), 3), per_channel((0.5, 0.25), 1)
    ((0.5, 0.25, 0.5), (0.375,))
    """
    if channels == len(values):
        return tuple(values)
    if channels == 1:
        return (sum(values) / len(values),)
    return tuple(values[at % len(values)] for at in range(channels))


def normalise(
    pixels: torch.Tensor, mean: Sequence[float], std: Sequence[float], scale: float
) -> torch.Tensor:
    """(pixels / scale − mean) / std per channel, as float32.

    ``pixels`` (N, C, H, W), uint8 or uint16, on any device; ``mean`` and ``std`` (C,) are of
    pixels divided by ``scale``.  Computed as pixels · 1/(scale · std) − mean/std, both constants
    rounded once from double precision.
    """
    channels = pixels.shape[1]
    if not len(mean) == len(std) == channels:
        raise ValueError(
            f"{channels} channels met {len(mean)} means and {len(std)} deviations; "
            "give one of each per channel"
        )
    factor = [1 / (scale * s) for s in std]
    shift = [m / s for m, s in zip(mean, std, strict=True)]

    def constant(values: list[float]) -> torch.Tensor:
        row = torch.tensor(values, dtype=torch.float32, device=pixels.device)
        return row.view(1, -1, 1, 1)

    return pixels.to(torch.float32).mul_(constant(factor)).sub_(constant(shift))
