"""``hf/…``: classifiers of transformers from their configuration, without the hub."""

from __future__ import annotations

import os
import subprocess
import sys
from types import ModuleType
from typing import Any

import pytest

from peers import import_peer
from striate.errors import TargetError
from striate.flow.targets import resolve
from striate.flow.trace import trace_target


@pytest.fixture(scope="module")
def transformers() -> ModuleType:
    try:
        import_peer("torchvision")  # which transformers would import, broken or not
        return import_peer("transformers")
    except ImportError:
        pytest.skip("transformers is not installed")


TYPES: dict[str, tuple[tuple[int, int, int], int, int]] = {
    "convnext": ((3, 224, 224), 27_821_666, 4_454_764_800),
    "resnet": ((3, 224, 224), 23_512_130, 4_087_140_352),
    "vit": ((3, 224, 224), 85_800_194, 17_563_061_760),
    "levit": ((3, 224, 224), 0, 0),
    "mobilevit": ((3, 256, 256), 4_938_914, 0),
}
"""Image, parameters and (without a head of two classes) MACs; 0 where another count is asked."""


@pytest.mark.usefixtures("transformers")
@pytest.mark.parametrize("kind", TYPES)
def test_a_type_is_built_from_its_default_configuration(kind: str) -> None:
    target = resolve(f"hf/{kind}")
    image, params, macs = TYPES[kind]
    assert (target.image, target.arch) == (image, None)
    found = trace_target(target)
    assert found.complete, found.failure
    assert found.unknown == ()
    assert found.totals.params == sum(p.numel() for p in target.make().parameters())
    assert params in (0, found.totals.params)
    assert macs in (0, found.totals.macs)
    assert found.totals.macs > 0


@pytest.mark.usefixtures("transformers")
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("convnex", "no image classifier of type 'convnex'; did you mean convnext"),
        ("imagegpt", "imagegpt takes colours as numbers of a palette, not pixels; build it"),
    ],
)
def test_a_type_that_there_is_not_or_that_takes_no_image(name: str, said: str) -> None:
    with pytest.raises(TargetError, match=said) as caught:
        resolve(f"hf/{name}")
    assert "\n" not in str(caught.value)


def test_the_hub_out_of_reach_is_one_line(
    transformers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(name: str) -> None:
        raise OSError(f"We couldn't connect to the hub for {name}.\nCheck your connection.")

    monkeypatch.setattr(transformers.AutoConfig, "from_pretrained", unreachable)
    with pytest.raises(TargetError) as caught:
        resolve("hf/facebook/convnext-tiny-224")
    assert str(caught.value) == (
        "hf/facebook/convnext-tiny-224: its configuration cannot be had from the hub (We couldn't "
        "connect to the hub for facebook/convnext-tiny-224); without the hub there is hf/TYPE, "
        "such as hf/convnext, by transformers' own defaults"
    )


def test_a_configuration_of_the_hub_is_what_is_built(
    transformers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = transformers.AutoConfig.for_model("convnext", depths=[1, 1, 1, 1], image_size=96)
    monkeypatch.setattr(transformers.AutoConfig, "from_pretrained", lambda name: config)
    target = resolve("hf/somebody/small")
    assert target.image == (3, 96, 96)
    assert len(trace_target(target).find("conv2d")) == 4 + 4
    config = transformers.AutoConfig.for_model("bert")
    with pytest.raises(TargetError, match="a bert is no image classifier in transformers"):
        resolve("hf/somebody/text")


def test_without_transformers_it_says_so() -> None:
    code = (
        "import importlib.util as u; real = u.find_spec\n"
        "u.find_spec = lambda n, *a: None if n == 'transformers' else real(n, *a)\n"
        "from striate.flow.targets import resolve\n"
        "try: resolve('hf/vit')\nexcept Exception as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, env=os.environ
    )
    assert done.stdout.strip() == (
        "hf/vit: transformers is not installed; run pip install transformers"
    )


def test_a_class_that_cannot_be_imported_says_the_first_cause(
    transformers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: Any, name: str) -> Any:
        raise ModuleNotFoundError(f"Could not import {name}") from RuntimeError(
            "operator torchvision::nms does not exist"
        )

    monkeypatch.delattr(transformers, "CvtForImageClassification", raising=False)
    monkeypatch.setattr(type(transformers), "__getattr__", broken)
    with pytest.raises(TargetError) as caught:
        resolve("hf/cvt")
    said = str(caught.value)
    assert "(operator torchvision::nms does not exist); its torchvision was made for" in said
