"""Dropout whose mask is a function of the sample, not of a generator's state."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from striate.building.randomness import current_key, keep_mask, purpose_word


class Dropout(nn.Module):
    """(N, …) → the same: in training each element is zeroed with probability ``drop``.

    What is kept is divided by 1 − ``drop`` (Srivastava et al. 2014, section 10), so that evaluation
    changes nothing.  Inside ``keyed_step`` the mask of a sample is a pure function of
    (seed, step, id, ``purpose``); outside, in someone else's loop, it is torch's own dropout.
    """

    def __init__(self, drop: float, *, purpose: str) -> None:
        super().__init__()
        self.drop = drop
        self.purpose = f"dropout:{purpose}"
        self.word = purpose_word(self.purpose)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.drop == 0:
            return x
        key = current_key()
        if key is None:
            return F.dropout(x, self.drop, training=True)
        keep = keep_mask(key, self.word, x.shape, self.drop, x.device)
        return torch.where(keep, x / (1 - self.drop), 0.0)

    def extra_repr(self) -> str:
        return f"{self.drop}, purpose={self.purpose!r}"
