"""Architectures that no paper has: every option, written as source, gives the same logits."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from striate.arch import Arch, Head, Pool, Stage, Stem
from striate.building import build
from striate.writing import class_name, write_code


def arch(*stages: Stage, name: str = "odd", **more: Any) -> Arch:
    return Arch(**{"name": name, "image": (3, 16, 16), "classes": 4, "stages": stages, **more})


def row(block: Any, width: int = 8, depth: int = 2, **more: Any) -> Stage:
    return Stage(block=block, depth=depth, width=width, **more)


ODD = {
    "group norm": arch(row("basic", 12), row("basic", 24, stride=2), norm="group"),
    "layer norm": arch(row("conv"), norm="layer", activation="tanh", stem=Stem(width=6)),
    "channel norm": arch(row("conv"), norm="channel", eps=1e-6),
    "no norm, biases": arch(row("basic"), row("bottleneck", 16), norm="none"),
    "norm and biases": arch(row("basic"), bias=True, activation="gelu"),
    "plain and residual": arch(row("basic"), row("basic", 16, stride=2, skip=False)),
    "plain preact": arch(row("basic", skip=False), row("basic"), preact=True),
    "both shortcuts": arch(row("basic", 16), row("basic", 32, stride=2, shortcut="pad")),
    "gated and not": arch(row("basic", squeeze=0.25), row("basic", 16, stride=2)),
    "preact bottleneck, gated": arch(row("bottleneck", 16, squeeze=0.5), preact=True),
    "groups": arch(row("conv", groups=1), row("conv", groups=4), row("bottleneck", 32, groups=2)),
    "dilation": arch(row("basic", dilation=2), row("conv", dilation=3, kernel=5), row("conv")),
    "padding": arch(row("conv", padding=0, depth=1), row("conv", kernel=5, padding=1)),
    "gated conv": arch(row("conv", squeeze=0.5), row("conv")),
    "inverted": arch(
        row("inverted", expansion=1.0, squeeze=0.25), row("inverted", 12, stride=2, squeeze=0.25),
        row("inverted", 12, skip=False, kernel=5),
    ),
    "fused": arch(row("fused", 3, expansion=1.0), row("fused", 12, stride=2, squeeze=0.25)),
    "fused narrow, gated": arch(row("fused", 8, expansion=1.0, squeeze=0.5)),
    "convnext": arch(
        row("convnext", kernel=7, layer_scale=1e-6), row("convnext", 16, stride=2, layer_scale=0.1),
        norm="channel", activation="gelu", head=Head(norm="pooled"),
    ),
    "convnext without skip": arch(row("convnext", skip=False), norm="batch"),
    "densenet": arch(
        row("densenet", 4, depth=5, transition=0.5, pool=Pool(kind="avg")), row("densenet", 4),
        stem=Stem(width=8), head=Head(norm="map", activation=True),
    ),
    "tokens, mean": arch(
        row("transformer", 8, heads=2, layer_scale=0.1), row("transformer", 8, heads=4),
        stem=Stem(width=8, kernel=4, stride=4, padding=0, norm=False, activation=False),
        norm="channel", activation="gelu", head=Head(norm="pooled"),
    ),
    "class token": arch(
        row("transformer", 8, heads=2, skip=False), norm="channel", stem=Stem(width=8, stride=4),
        head=Head(pool="token", norm="map"),
    ),
    "dense": arch(row("dense", 8), row("dense", 6), norm="none", head=Head(pool="none")),
    "pools": arch(
        row("conv", pool=Pool(kind="avg", kernel=3, stride=2, padding=1)),
        row("conv", pool=Pool()), row("conv"),
        stem=Stem(width=4, pool=Pool(kernel=3, stride=1, padding=1)),
    ),
    "heads": arch(row("conv"), head=Head(pool="max", size=2, hidden=(12, 8), dropout=0.5)),
    "flat head": arch(row("conv"), head=Head(pool="none", dropout=0.2, hidden=(7,))),
    "wide head": arch(row("conv"), head=Head(width=24, dropout=0.3, norm="map")),
    "stem without norm": arch(row("conv"), stem=Stem(width=5, norm=False)),
    "a class's name": arch(row("conv"), name="stage"),
    "no name at all": arch(row("conv"), name="été 7 été"),
    "digits first": arch(row("conv"), name="20 layers"),
}  # fmt: skip


@pytest.mark.parametrize("kind", ODD)
def test_the_same_logits(kind: str) -> None:
    made = ODD[kind]
    names: dict[str, Any] = {"__name__": "written"}
    text = write_code(made)
    assert max(map(len, text.splitlines())) <= 100
    exec(compile(text, kind, "exec"), names)
    theirs, ours = names[class_name(made)]().eval(), build(made).eval()
    generator = torch.Generator().manual_seed(0)
    for name, tensor in ours.state_dict().items():
        if tensor.is_floating_point():
            tensor.uniform_(0.1 if name.endswith("var") else -0.3, 0.5, generator=generator)
    theirs.load_state_dict(ours.state_dict())
    images = torch.randn(3, *made.image, generator=generator)
    with torch.no_grad():
        assert torch.equal(ours(images), theirs(images))


def test_a_person_reads_it() -> None:
    """What is the same in all blocks is a number, what differs is a parameter; no dead options."""
    text = write_code(arch(row("basic", 16), row("basic", 32, stride=2), name="two stages"))
    assert "class TwoStages(nn.Module):" in text
    assert "def __init__(self, channels_in: int, width: int, stride: int = 1) -> None:" in text
    assert "Stage(BasicBlock(3, 16), BasicBlock(16, 16))," in text
    assert "Stage(BasicBlock(16, 32, stride=2), BasicBlock(32, 32))," in text
    for absent in ("dilation", "groups", "SqueezeExcite", "Dropout", "pool:", "ZeroPad", "eps"):
        assert absent not in text


def test_the_number_of_classes_is_an_argument() -> None:
    names: dict[str, Any] = {"__name__": "written"}
    exec(write_code(arch(row("conv"))), names)
    assert names["Odd"](classes=9).eval()(torch.zeros(1, 3, 16, 16)).shape == (1, 9)


@pytest.mark.parametrize(
    "name",
    [
        'x""" ; raise SystemExit("run") #',
        '\\""" ; raise SystemExit("run") #',
        "ends with a backslash\\",
        'ends with a quote"',
        "\\N{DIGIT ONE} \\x00 {braces} %s",
    ],
)
def test_a_name_is_text_and_never_code(name: str) -> None:
    """A network's name may come with somebody else's TOML, and the source is run to be checked."""
    written = write_code(arch(row("conv"), name=name))
    names: dict[str, Any] = {"__name__": "written"}
    exec(compile(written, "written", "exec"), names)
    assert names["__doc__"].startswith(f"{name}: images of 3 × 16 × 16, 4 classes.")
