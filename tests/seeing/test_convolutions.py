"""Every convolution of a network is found, and equals PyTorch's when worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from striate.errors import InputError
from striate.seeing.convolutions import calls_of, convolution_of


@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": 3},
        {"kernel_size": 3, "stride": 2, "padding": 1},
        {"kernel_size": (3, 5), "stride": (1, 2), "padding": (2, 0)},
        {"kernel_size": 3, "dilation": 2, "padding": 2, "bias": False},
        {"kernel_size": 3, "groups": 4, "padding": 1},
        {"kernel_size": 5, "groups": 2, "stride": 3, "dilation": (1, 2), "padding": (3, 4)},
        {"kernel_size": 5, "padding": "same"},
        {"kernel_size": 3, "padding": 1, "padding_mode": "reflect"},
        {"kernel_size": 1, "stride": 2},
    ],
    ids=str,
)
def test_every_channel_equals_conv2d(options: dict[str, object]) -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Identity(), nn.Conv2d(4, 8, **options)).double()
    image = torch.randn(1, 4, 13, 15).double()
    expected = module(image)[0].detach().numpy()
    found = convolution_of(module, lambda: module(image), "1")
    for channel in range(8):
        worked = found.channel(channel)
        np.testing.assert_allclose(
            worked.output + found.offset(channel), expected[channel], atol=1e-12
        )
        at = worked.at(1, 1)
        assert at.products.sum() == pytest.approx(at.sum)
        assert at.sum + found.offset(channel) == pytest.approx(expected[channel, 1, 1])


class Reused(nn.Module):
    """One module twice, one functional call, and sums in place."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)
        self.up = nn.ConvTranspose2d(3, 3, 2, stride=2)
        self.weight = nn.Parameter(torch.randn(2, 3, 3, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        once = F.relu_(self.conv(x))
        twice = self.conv(once).add_(once)
        return F.conv2d(self.up(twice), self.weight).mul_(0.5)


def test_reused_functional_and_in_place() -> None:
    torch.manual_seed(1)
    module, image = Reused(), torch.randn(1, 3, 8, 8)
    assert calls_of(module, lambda: module(image)) == [("conv", 0), ("conv", 1), ("", 0)]
    first = convolution_of(module, lambda: module(image), "conv", 0)
    second = convolution_of(module, lambda: module(image), "conv", 1)
    with torch.no_grad():
        once = module.conv(image).relu()
        expected = module.conv(once)[0].numpy()
    np.testing.assert_allclose(second.inputs, once[0].numpy(), atol=1e-6)
    np.testing.assert_allclose(second.channel(1).output + second.offset(1), expected[1], atol=1e-5)
    np.testing.assert_array_equal(first.inputs, image[0].double().numpy())
    last = convolution_of(module, lambda: module(image), "")
    np.testing.assert_allclose(last.channel(0).output, last.outputs[0], atol=1e-4)


def test_nothing_is_left_behind_after_an_error() -> None:
    module = nn.Sequential(nn.Conv2d(3, 3, 3), nn.Flatten(), nn.Linear(5, 2)).train()
    with pytest.raises(RuntimeError):
        calls_of(module, lambda: module(torch.zeros(1, 3, 8, 8)))
    assert module.training
    for part in module.modules():
        assert not part._forward_hooks
        assert not part._forward_pre_hooks


def test_what_is_not_there_is_said() -> None:
    module, image = Reused(), torch.zeros(1, 3, 8, 8)
    with pytest.raises(InputError, match=r"--layer cnv: no convolution runs there: .*conv"):
        convolution_of(module, lambda: module(image), "cnv")
    with pytest.raises(InputError, match=r"--layer up: its convolution is transposed"):
        convolution_of(module, lambda: module(image), "up")
    found = convolution_of(module, lambda: module(image), "conv")
    with pytest.raises(InputError, match=r"channel 3: conv puts out 3 channels; use 0 to 2"):
        found.channel(3)
