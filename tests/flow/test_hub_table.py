"""Every network that is said to have weights on the hub, against timm's own registry."""

from __future__ import annotations

from types import ModuleType

import pytest
import torch

from peers import import_peer
from striate.arch import zoo, zoo_names
from striate.building import build
from striate.building.weights import convert, fit_weights, layout_of
from striate.flow.hub_table import HOSTED, hosted


def test_names_are_of_the_zoo_and_small_forms_have_the_same() -> None:
    assert set(HOSTED) <= set(zoo_names())
    assert hosted("resnet18-small") == hosted("resnet18") == HOSTED["resnet18"]
    assert hosted("resnet20") is None
    assert hosted("resnet18").page == "https://huggingface.co/timm/resnet18.a1_in1k"


@pytest.fixture(scope="module")
def timm() -> ModuleType:
    try:
        return import_peer("timm")
    except ImportError as error:
        pytest.skip(f"needs timm: {error}")


@pytest.mark.parametrize("name", HOSTED)
def test_timm_says_the_same_of_the_weights(timm: ModuleType, name: str) -> None:
    entry = HOSTED[name]
    known = timm.models.get_pretrained_cfg(entry.repo.removeprefix("timm/"))
    assert known is not None
    assert known.hf_hub_id == entry.repo
    assert (known.mean, known.std) == (entry.mean, entry.std)
    assert known.input_size == (3, entry.side, entry.side)
    assert (known.num_classes, known.license) == (entry.classes, entry.licence)
    assert "nc" not in entry.licence


# The others differ from these, and from those of tests/building/test_weights.py, in depth alone.
OF_EACH_KIND = (
    "vgg11", "vgg19_bn", "resnet34", "wide_resnet101_2", "resnext101_32x8d", "densenet169",
    "efficientnet_b1", "efficientnet_b5", "convnext_small", "vit_base_patch16", "deit_tiny_patch16",
)  # fmt: skip


@pytest.mark.parametrize("name", OF_EACH_KIND)
def test_timms_network_is_ours_tensor_for_tensor(timm: ModuleType, name: str) -> None:
    model = HOSTED[name].repo.removeprefix("timm/").split(".", maxsplit=1)[0]
    with torch.device("meta"):
        state = timm.create_model(model).state_dict()
    arch = zoo(name)
    library = layout_of(arch, state)
    fitted = fit_weights(build(arch, device="meta"), convert(arch, state, library=library))
    assert library == "timm"
    assert fitted.said == ()  # every tensor has its place and its shape
