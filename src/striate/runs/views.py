"""Test-time augmentation: a network that looks at each image more than once.

The recipe says in which views, and whatever judges with the run's weights keeps to it: the last
evaluation, the temperature, predictions, an exported file.
"""

from __future__ import annotations

from typing import Literal, cast, get_args

from torch import Tensor, nn
from torch.nn import functional as F

from striate.errors import RecipeError, choices

Tta = Literal["none", "flip", "views"]

SEEN: dict[Tta, str] = {
    "none": "once",
    "flip": "twice, mirrored too",
    "views": "six times, mirrored and shifted",
}
"""How often each image is seen, in words."""


def known_tta(name: object) -> Tta:
    """``name`` as a way; RecipeError names the choices."""
    if name not in get_args(Tta):
        raise RecipeError(f"tta = {name!r}: no such way; {choices(str(name), get_args(Tta))}")
    return cast(Tta, name)


class Views(nn.Module):
    """(N, C, H, W) → (N, classes): the mean of ``module``'s logits over an image's views.

    ``flip``: the image and its mirror image, half each.  ``views``: both of these a quarter each,
    and both of the image shifted by one pixel up and left, and down and right, an eighth each; what
    comes in is the reflection about the edge (the multi-crop evaluation of airbench94: Jordan 2024,
    "94 % on CIFAR-10 in 3.29 seconds on a single GPU").
    """

    def __init__(self, module: nn.Module, tta: Tta) -> None:
        super().__init__()
        self.module = module
        self.tta = tta

    def forward(self, x: Tensor) -> Tensor:
        upright = self._both(x)
        if self.tta == "flip":
            return upright
        height, width = x.shape[-2:]
        padded = F.pad(x, (1, 1, 1, 1), mode="reflect")
        down_right = self._both(padded[..., :height, :width])
        up_left = self._both(padded[..., 2:, 2:])
        return 0.5 * upright + 0.25 * (down_right + up_left)

    def _both(self, x: Tensor) -> Tensor:
        """The mean over an image and its mirror image."""
        return 0.5 * (self._logits(x) + self._logits(x.flip(-1)))

    def _logits(self, x: Tensor) -> Tensor:
        output = self.module(x)
        return output if isinstance(output, Tensor) else output.logits

    def extra_repr(self) -> str:
        return self.tta


def in_views(module: nn.Module, tta: Tta) -> nn.Module:
    """``module`` as it sees the views of ``tta``; itself where that is the image alone."""
    return module if tta == "none" else Views(module, tta)
