"""What tests of building share."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from torch import nn


def _called_with(network: nn.Module) -> dict[tuple[str, str], object]:
    found: dict[tuple[str, str], object] = {}
    for path, module in network.named_modules():
        if isinstance(module, nn.Conv2d):
            for key in ("in_channels", "out_channels", "groups"):
                found[path, key] = getattr(module, key)
            for key in ("kernel_size", "stride", "padding", "dilation"):
                height, width = getattr(module, key)
                assert height == width
                found[path, key] = height
            found[path, "bias"] = module.bias is not None
        elif isinstance(module, nn.Linear):
            found[path, "in_features"] = module.in_features
            found[path, "out_features"] = module.out_features
            found[path, "bias"] = module.bias is not None
        elif isinstance(module, nn.MaxPool2d | nn.AvgPool2d):
            for key in ("kernel_size", "stride", "padding"):
                found[path, key] = getattr(module, key)
        elif (
            isinstance(module, nn.AdaptiveAvgPool2d | nn.AdaptiveMaxPool2d) and path == "head.pool"
        ):
            found[path, "output_size"] = module.output_size
    return found


@pytest.fixture
def called_with() -> Callable[[nn.Module], dict[tuple[str, str], object]]:
    """What the constructors of a network's convolutions, pools and dense layers were given."""
    return _called_with
