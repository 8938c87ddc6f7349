"""What a classifier makes of an image just before it decides."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

from torch import Tensor, nn

from striate.runs.evaluate import logits_of


def features_and_logits(module: nn.Module, images: Tensor, classes: int) -> tuple[Tensor, Tensor]:
    """Features (N, D) and logits (N, classes), both float32, of ``images`` (N, C, H, W).

    The features are what goes into the last layer that is called of those that make ``classes``
    numbers: a linear layer's input, or the mean over positions of a 1 × 1 convolution's.  A network
    that ends otherwise has its logits for features.  The caller chooses mode and gradients.
    """
    seen: list[Tensor] = []

    def keep(_module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        seen[:] = [inputs[0]]

    with ExitStack() as stack:
        for layer in _deciders(module, classes):
            stack.callback(layer.register_forward_pre_hook(keep).remove)
        logits = logits_of(module, images, "fp32", classes)
    last = seen[0].float() if seen else logits
    if last.dim() == 4:
        last = last.mean(dim=(2, 3))
    elif last.dim() == 3:  # of tokens (N, tokens, D)
        last = last.mean(dim=1)
    return last.flatten(1), logits


def _deciders(module: nn.Module, classes: int) -> Iterator[nn.Module]:
    for part in module.modules():
        linear = isinstance(part, nn.Linear) and part.out_features == classes
        if linear or (isinstance(part, nn.Conv2d) and part.out_channels == classes):
            yield part
