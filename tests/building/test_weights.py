"""Other libraries' weights in our networks: the same logits, and every change said aloud."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from peers import import_peer
from striate.arch import adapt, zoo
from striate.building import build
from striate.building.weights import convert, fit_weights, layout_of, names, resize_filters
from striate.errors import ArchError

TIMM = {
    "resnet18": "resnet18",
    "resnet50": "resnet50",
    "resnext50_32x4d": "resnext50_32x4d",
    "wide_resnet50_2": "wide_resnet50_2",
    "seresnet50": "seresnet50",
    "vgg16_bn": "vgg16_bn",
    "densenet121": "densenet121",
    "mobilenetv2": "mobilenetv2_100",
    "efficientnet_b0": "efficientnet_b0",
    "efficientnet_b4": "efficientnet_b4",
    "efficientnetv2_s": "efficientnetv2_s",  # with the eps of the paper's code, 1e-3
    "convnext_tiny": "convnext_tiny",
    "vit_small_patch16": "vit_small_patch16_224",
}
TORCHVISION = {
    "resnet18": "resnet18",
    "vgg11_bn": "vgg11_bn",
    "densenet121": "densenet121",
    "mobilenetv2": "mobilenet_v2",
    "efficientnet_b0": "efficientnet_b0",
    "efficientnetv2_s": "efficientnet_v2_s",
    "convnext_tiny": "convnext_tiny",
    "vit_base_patch16": "vit_b_16",
}
SMALLER = {"efficientnet_b4": 128, "efficientnetv2_s": 128, "vgg16_bn": 224}


def peer(name: str) -> ModuleType:
    try:
        return import_peer(name)
    except ImportError as error:
        pytest.skip(f"needs {name}: {error}")


def their_network(library: str, name: str) -> nn.Module:
    """Built by its library, every weight and statistic at random: no 0 or 1 hides a mistake."""
    module = peer(library)
    if library == "timm":
        options: dict[str, Any] = {"bn_eps": 1e-3} if name == "efficientnetv2_s" else {}
        made = module.create_model(name, **options)
    else:
        made = module.models.get_model(name, weights=None)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for key, tensor in made.state_dict().items():
            if not tensor.is_floating_point():
                continue
            if key.endswith("running_var") or (key.endswith("weight") and tensor.dim() == 1):
                tensor.uniform_(0.5, 1.5, generator=generator)
            elif "gamma" in key or "layer_scale" in key:
                tensor.uniform_(0.1, 0.5, generator=generator)
            elif tensor.dim() == 1:
                tensor.normal_(0, 0.1, generator=generator)
    return made.eval()


@pytest.mark.parametrize(
    ("library", "ours", "theirs"),
    [
        *(("timm", ours, theirs) for ours, theirs in TIMM.items()),
        *(("torchvision", ours, theirs) for ours, theirs in TORCHVISION.items()),
    ],
)
def test_the_same_weights_give_the_same_logits(library: str, ours: str, theirs: str) -> None:
    module = their_network(library, theirs)
    arch = zoo(ours)
    side = SMALLER.get(ours, arch.image[1])
    network = build(arch, device="meta").to_empty(device="cpu").eval()
    state = module.state_dict()
    named = layout_of(arch, state)
    assert named == library or names(arch, named) == names(arch, library)
    network.load_state_dict(convert(arch, state, library=library))
    image = torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        expected, logits = module(image), network(image)
    assert logits.std() > 1e-2
    assert (logits - expected).abs().max() <= 1e-4 * max(1.0, float(expected.abs().max()))


def state_of(name: str) -> dict[str, Tensor]:
    network = build(zoo(name), seed=5)
    return dict(network.state_dict())


def test_our_own_names_are_known() -> None:
    arch = zoo("resnet20")
    state = state_of("resnet20")
    assert layout_of(arch, state) == "striate"
    same = convert(arch, state, library="striate")
    assert all(torch.equal(same[name], tensor) for name, tensor in state.items())


def test_weights_of_another_network_are_refused() -> None:
    arch = zoo("resnet20")
    with pytest.raises(ArchError, match=r"resnet20: these weights are of another network"):
        layout_of(arch, {"a.weight": torch.zeros(1)})
    state = state_of("resnet20")
    state["extra"] = torch.zeros(1)
    with pytest.raises(ArchError, match="resnet20 has no place for 'extra'"):
        convert(arch, state, library="striate")
    del state["extra"], state["stem.conv.weight"], state["head.linear.bias"]
    with pytest.raises(ArchError, match=r"the weights lack 'stem.conv.weight', 'head.linear.bias'"):
        convert(arch, state, library="striate")
    for norm in ("stem.norm", "stages.0.blocks.0.norm1"):
        del state[f"{norm}.weight"]
    with pytest.raises(ArchError, match=r"'stem.norm.weight', '\S+norm1.weight' and 1 more; they"):
        convert(arch, state, library="striate")
    with pytest.raises(ArchError, match="mlp: timm has no network of this kind"):
        names(zoo("mlp"), "timm")


def test_a_gray_image_gives_what_it_gave_in_color() -> None:
    state = state_of("resnet20")
    color = build(zoo("resnet20")).eval()
    color.load_state_dict(state)
    gray = torch.rand(2, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    for channels in (1, 6):
        network = build(adapt(zoo("resnet20"), image=(channels, 32, 32))).eval()
        fitted = fit_weights(network, state)
        network.load_state_dict(fitted.state)
        assert fitted.said == (f"the first convolution's 3 input channels became {channels}",)
        assert fitted.adapted == {"channels"}
        with torch.no_grad():
            expected = color(gray.expand(-1, 3, -1, -1))
            torch.testing.assert_close(network(gray.expand(-1, channels, -1, -1)), expected)


def test_another_number_of_classes_has_a_fresh_last_layer() -> None:
    network = build(adapt(zoo("resnet20"), classes=7), seed=3)
    fresh = network.head.linear.weight.detach().clone()
    fitted = fit_weights(network, state_of("resnet20"))
    network.load_state_dict(fitted.state)
    assert fitted.said == (
        "the last layer is fresh: the weights are of 10 classes, and there are 7",
    )
    assert torch.equal(network.head.linear.weight, fresh)
    assert torch.equal(
        network.state_dict()["stem.conv.weight"], state_of("resnet20")["stem.conv.weight"]
    )


def test_weights_without_a_last_layer_are_taken_without_it() -> None:
    arch = zoo("resnet20")
    state = {name: t for name, t in state_of("resnet20").items() if "head" not in name}
    assert layout_of(arch, state) == "striate"
    network = build(arch, seed=3)
    fresh = network.head.linear.weight.detach().clone()
    fitted = fit_weights(network, convert(arch, state, library="striate"))
    network.load_state_dict(fitted.state)
    assert fitted.said == (
        "the last layer is fresh: the weights have none, and there are 10 classes",
    )
    assert fitted.adapted == {"head"}
    assert torch.equal(network.head.linear.weight, fresh)


def test_other_classes_that_are_as_many_have_a_fresh_last_layer() -> None:
    network = build(zoo("resnet20"), seed=3)
    fresh = network.head.linear.weight.detach().clone()
    fitted = fit_weights(network, state_of("resnet20"), other_classes="others were learnt")
    assert fitted.said == ("the last layer is fresh: others were learnt",)
    assert torch.equal(fitted.state["head.linear.weight"], fresh)


def test_positions_are_resized_with_the_image() -> None:
    arch = zoo("deit_tiny_patch16")
    state = dict(build(arch, seed=1).state_dict())
    name = "stages.0.enter.positions"
    rows = torch.linspace(0, 1, 14)[:, None].expand(14, 14).reshape(1, 196, 1)
    state[name] = torch.cat((torch.full((1, 1, 192), 5.0), rows.expand(1, 196, 192)), dim=1)
    larger = build(adapt(arch, image=(3, 256, 224)), device="meta").to_empty(device="cpu")
    fitted = fit_weights(larger, state)
    assert fitted.said == ("197 positions were interpolated to 225",)
    found = fitted.state[name]
    assert found.shape == (1, 225, 192)
    assert torch.equal(found[:, 0], torch.full((1, 192), 5.0))  # the class token's stays
    grid = found[0, 1:, 0].reshape(16, 14)
    torch.testing.assert_close(grid, grid[:, :1].expand(16, 14))  # columns are all alike
    slope = grid[3:-3, 0].diff()  # stays a slope, 14 / 16 as steep, as far as cubics follow lines
    torch.testing.assert_close(slope, torch.full_like(slope, 14 / 16 / 13), rtol=0.1, atol=0)

    state[name] = state[name][:, :-1]
    with pytest.raises(ArchError, match="the weights' 195 places are no square"):
        fit_weights(larger, state)


@pytest.mark.parametrize(("had", "wanted"), [((7, 7), (3, 3)), ((4, 4), (1, 1)), ((3, 3), (7, 7))])
def test_resized_filters_answer_the_enlarged_image_alike(
    had: tuple[int, int], wanted: tuple[int, int]
) -> None:
    generator = torch.Generator().manual_seed(0)
    filters = torch.randn(5, 2, *had, generator=generator)
    resized = resize_filters(filters, wanted)
    assert resized.shape == (5, 2, *wanted)
    small, large = sorted((had, wanted))
    patch = torch.randn(3, 2, *small, generator=generator)
    enlarged = F.interpolate(patch, size=large, mode="bilinear", align_corners=False)
    views = {small: patch, large: enlarged}
    torch.testing.assert_close(
        F.conv2d(views[wanted], resized), F.conv2d(views[had], filters), rtol=1e-4, atol=1e-4
    )


def test_a_small_form_takes_the_stem_resized() -> None:
    state = dict(build(zoo("resnet18"), seed=1).state_dict())
    network = build(zoo("resnet18-small"))
    fitted = fit_weights(network, state)
    assert fitted.said == (
        "the stem's 7×7 filters became 3×3, each answering an image as it did its enlargement",
    )
    assert fitted.adapted == {"stem"}
    network.load_state_dict(fitted.state)
    first = "stem.conv.weight"
    torch.testing.assert_close(fitted.state[first], resize_filters(state[first], (3, 3)))


def test_any_other_difference_is_refused() -> None:
    wide = build(zoo("wide_resnet16_4"), device="meta")
    state = dict(build(zoo("wide_resnet40_4"), device="meta").state_dict())
    state = {name: state[name] for name in wide.state_dict()}
    state["stages.0.blocks.0.conv1.weight"] = torch.zeros(64, 16, 5, 5)
    with pytest.raises(ArchError, match=r"has shape 64×16×3×3 here and 64×16×5×5 in the weights"):
        fit_weights(wide, state)
