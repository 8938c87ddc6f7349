"""What the methods promise, held to on other people's networks and ours, in double precision.

Norms, their statistics and layer scales are drawn at random first: fresh networks have zeros and
ones there, and would pass with nothing in them.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from peers import import_peer
from striate.arch import adapt, zoo
from striate.building import build
from striate.seeing.linear_head import head_bias
from striate.seeing.places import Place, map_places
from striate.seeing.saliency import gradcam, handed_on, hirescam, integrated_gradients
from striate.seeing.subject import Subject

SIDE = 64


SMALL = {"resnet20", "preact_resnet20", "wide_resnet16_4", "plain20"}
HALF = {"timm/vit_tiny_patch16_224", "timm/convnext_atto", "convnext_tiny"}


def ours(name: str) -> Callable[[], nn.Module]:
    side = side_of(name)
    return lambda: build(adapt(zoo(name), image=(3, side, side), classes=7), seed=1)


def side_of(name: str) -> int:
    return 16 if name in SMALL else 32 if name in HALF else SIDE


def timms(name: str, **options: object) -> Callable[[], nn.Module]:
    def make() -> nn.Module:
        try:
            timm = import_peer("timm")
        except ImportError:
            pytest.skip("needs timm")
        torch.manual_seed(0)
        return timm.create_model(name, num_classes=7, **options)

    return make


# Global average pooling feeds a linear head, and it alone.
POOLED = {
    "resnet20": ours("resnet20"),
    "preact_resnet20": ours("preact_resnet20"),
    "wide_resnet16_4": ours("wide_resnet16_4"),
    "plain20": ours("plain20"),
    "seresnet18": ours("seresnet18"),
    "mobilenetv2": ours("mobilenetv2"),
    "efficientnet_b0": ours("efficientnet_b0"),
    "timm/resnet18": timms("resnet18"),
    "timm/resnet50": timms("resnet50"),
    "timm/resnetv2_50": timms("resnetv2_50"),
    "timm/seresnet50": timms("seresnet50"),
    "timm/efficientnet_b0": timms("efficientnet_b0"),
    "timm/regnety_002": timms("regnety_002"),
}
OTHERS = {
    "vgg11_bn": ours("vgg11_bn"),
    "convnext_tiny": ours("convnext_tiny"),
    "timm/convnext_atto": timms("convnext_atto"),
    "timm/vit_tiny_patch16_224": timms("vit_tiny_patch16_224", img_size=32),
}
# Small enough for many gradients each.
LIGHT = [
    "resnet20", "preact_resnet20", "plain20", "seresnet18", "mobilenetv2", "efficientnet_b0",
    "timm/resnet18", "timm/efficientnet_b0", "timm/regnety_002", "wide_resnet16_4",
    "timm/convnext_atto", "timm/vit_tiny_patch16_224",
]  # fmt: skip


def stirred(module: nn.Module) -> nn.Module:
    """Every vector and running statistic drawn at random, in float64 and evaluation mode."""
    generator = torch.Generator().manual_seed(3)
    module = module.double().eval()
    with torch.no_grad():
        for name, tensor in module.named_parameters():
            if tensor.dim() <= 1 or "gamma" in name or "scale" in name:
                drawn = torch.rand(tensor.shape, generator=generator, dtype=torch.float64)
                tensor.copy_(0.5 + drawn if name.endswith("weight") else drawn - 0.5)
        for name, tensor in module.named_buffers():
            drawn = torch.rand(tensor.shape, generator=generator, dtype=torch.float64)
            if name.endswith("running_mean"):
                tensor.copy_(drawn - 0.5)
            elif name.endswith("running_var"):
                tensor.copy_(0.5 + drawn)
    return module


def last_place(module: nn.Module, inputs: torch.Tensor) -> Place:
    """The last map, found as ``see`` finds it."""

    class Held(Subject):
        def inputs(self, indices):
            return inputs[:1]

        def logits(self, module, inputs, setting="fp32"):
            return module(inputs)

    held = object.__new__(Held)
    object.__setattr__(held, "module", module)
    object.__setattr__(held, "said", [0])
    object.__setattr__(held, "looked_at", torch.zeros(1).long().numpy())
    return map_places(held)[-1]


@pytest.fixture
def image(name: str) -> torch.Tensor:
    side = side_of(name)
    return torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(0)).double()


@pytest.mark.parametrize("name", POOLED)
def test_hirescam_adds_up_to_the_logit_without_its_bias(name: str, image: torch.Tensor) -> None:
    module = stirred(POOLED[name]())
    place = last_place(module, image)
    classes = torch.tensor([2, 5])
    handed = handed_on(module, place, module, image, classes)
    assert max(place.size) > 1
    assert float(handed.maps.abs().max()) > 0
    # The oracle: the last linear layer's own bias, which the attribution never sees.
    bias = [p for n, p in module.named_parameters() if n.endswith("bias") and len(p) == 7][-1]
    expected = handed.logits.gather(1, classes[:, None])[:, 0] - bias[classes]
    torch.testing.assert_close(
        hirescam(handed).sum(dim=(1, 2)), expected.detach(), rtol=1e-9, atol=1e-12
    )
    # Behind global average pooling the gradient is the same everywhere, so both methods agree.
    torch.testing.assert_close(gradcam(handed), hirescam(handed))
    found = head_bias(module, place, module, image)
    assert found is not None
    torch.testing.assert_close(found, bias.detach())


@pytest.mark.parametrize("name", OTHERS)
def test_where_the_head_is_not_linear_no_sum_is_claimed(name: str, image: torch.Tensor) -> None:
    module = stirred(OTHERS[name]())
    assert head_bias(module, last_place(module, image), module, image) is None


@pytest.mark.parametrize("name", LIGHT)
def test_integrated_gradients_are_complete(name: str, image: torch.Tensor) -> None:
    module = stirred({**POOLED, **OTHERS}[name]())
    image = image[:, :, :32, :32]
    found = integrated_gradients(module, image[0], torch.zeros_like(image[0]), 2)
    with torch.no_grad():
        ends = module(torch.stack([image[0], torch.zeros_like(image[0])]))[:, 2]
    difference = float(ends[0] - ends[1])
    assert abs(found.difference - difference) < 1e-9 * max(1, abs(difference))
    assert abs(float(found.parts.sum()) - difference) < 1e-2 * abs(difference)


def test_a_straight_network_needs_no_refinement() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Flatten(), nn.Linear(48, 3)).double()
    image = torch.randn(3, 4, 4).double()
    found = integrated_gradients(module, image, torch.zeros_like(image), 1)
    expected = image * module[1].weight[1].detach().reshape(3, 4, 4)
    torch.testing.assert_close(found.parts, expected)
    assert found.steps == 16
    assert found.error < 1e-12
