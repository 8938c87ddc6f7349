"""Functions from Arch to Arch."""

from __future__ import annotations

import pytest

from striate.arch import adapt, plain_twin, zoo, zoo_names
from striate.errors import ArchError


@pytest.mark.parametrize("layers", [20, 32, 44, 56])
def test_the_plain_networks_of_the_paper_are_the_twins_of_its_residual_ones(layers: int) -> None:
    assert plain_twin(zoo(f"resnet{layers}"), name=f"plain{layers}") == zoo(f"plain{layers}")


def test_a_twin_has_no_skip_and_keeps_the_rest() -> None:
    arch = zoo("resnet50")
    twin = plain_twin(arch)
    assert twin.name == "resnet50-plain"
    assert arch.zero_init
    assert not twin.zero_init
    for before, after in zip(arch.stages, twin.stages, strict=True):
        assert before.residual
        assert not after.residual
        assert after.model_copy(update={"skip": None}) == before


def test_a_network_without_skips_is_its_own_twin() -> None:
    for name in zoo_names():
        twin = plain_twin(zoo(name))
        assert plain_twin(twin) is twin
    assert plain_twin(zoo("vgg16")) is zoo("vgg16")


def test_a_network_is_adapted() -> None:
    arch = zoo("resnet18")
    grown = adapt(arch, image=(1, 96, 64), classes=7, name="mine")
    assert (grown.image, grown.classes, grown.name) == ((1, 96, 64), 7, "mine")
    assert grown.stages == arch.stages
    assert adapt(arch, image=(96, 64)).image == (3, 96, 64)
    assert adapt(arch) == arch
    assert adapt(grown, image=arch.image, classes=1000, name="resnet18") == arch


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image": (3, 0, 10)}, "vgg16: image.1: 0 is too small; the least is 1"),
        (
            {"image": (16, 16)},
            (
                "vgg16: stage 5 would make a 0x0 map from 1x1; "
                "use an image of at least 32x32, or less stride before it"
            ),
        ),
        (
            {"image": (1, 3, 32, 32)},
            "vgg16: image: [1, 3, 32, 32] is not three numbers; write [channels, height, width]",
        ),
        (
            {"image": (32,)},
            "vgg16: image: [32] is not three numbers; write [channels, height, width]",
        ),
        ({"classes": 1}, "vgg16: classes: 1 is too small; the least is 2"),
        ({"name": ""}, "vgg16: name: '' is empty"),
    ],
)
def test_what_a_network_cannot_be_adapted_to(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ArchError) as caught:
        adapt(zoo("vgg16"), **changes)  # pyright: ignore[reportArgumentType] - one of three keys
    assert str(caught.value) == message
