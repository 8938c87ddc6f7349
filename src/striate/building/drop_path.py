"""Stochastic depth: in training a block's branch is left out for some samples."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from striate.building.randomness import current_key, keep_mask, purpose_word


class DropPath(nn.Module):
    """(N, …) → the same: a block's branch, which in training is zeroed for whole samples, each with
    probability ``rate``, so that their skip alone goes on (Huang et al. 2016, equation 2).

    What is kept is divided by 1 − ``rate``, so that evaluation changes nothing.  Inside
    ``keyed_step`` what a sample loses is a pure function of (seed, step, id, ``purpose``); outside
    it is drawn from torch's generator.  ``rate`` is 0 until ``stochastic_depth`` says otherwise.
    The branch is computed for every sample all the same.
    """

    def __init__(self) -> None:
        super().__init__()
        self.rate = 0.0
        self.word = 0

    def put(self, rate: float, *, purpose: str) -> None:
        """From now on leave out with probability ``rate``; ``purpose`` keys the draws."""
        self.rate = rate
        self.word = purpose_word(f"drop_path:{purpose}")

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.rate == 0:
            return x
        shape = (len(x), *([1] * (x.dim() - 1)))
        key = current_key()
        if key is None:
            keep = torch.rand(shape, device=x.device) >= self.rate
        else:
            keep = keep_mask(key, self.word, shape, self.rate, x.device)
        return torch.where(keep, x / (1 - self.rate), 0.0)

    def extra_repr(self) -> str:
        return f"{self.rate:g}" if self.rate else ""
