"""Edits of modules as a change of the architecture, held to the networks that are built of it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from torch import nn

from striate.arch import Arch, Pool, Stage, Stem, from_dict, from_toml, to_toml, zoo, zoo_names
from striate.arch.literals import literals
from striate.arch.mending import mended
from striate.arch.patching import patched_toml
from striate.building import build
from striate.errors import ArchError
from striate.records import Edit

Call = dict[tuple[str, str], Any]

CONV = ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups")
POOL = ("kernel_size", "stride", "padding")


def built(arch: Arch) -> Call:
    """What the modules of the built network say they were made with."""
    found: Call = {}
    for path, module in build(arch, device="meta").named_modules():
        match module:
            case nn.Conv2d():
                found |= {(path, name): _one(getattr(module, name)) for name in CONV}
                found[path, "bias"] = module.bias is not None
            case nn.Linear():
                found[path, "in_features"] = module.in_features
                found[path, "out_features"] = module.out_features
                found[path, "bias"] = module.bias is not None
            case nn.MaxPool2d() | nn.AvgPool2d():
                found |= {(path, name): _one(getattr(module, name)) for name in POOL}
            case nn.AdaptiveAvgPool2d() | nn.AdaptiveMaxPool2d() if path == "head.pool":
                found[path, "output_size"] = _one(module.output_size)
            case _:
                pass
    return found


def _one(value: Any) -> Any:
    """A square as one number."""
    return value[0] if isinstance(value, tuple) and len(set(value)) == 1 else value


@st.composite
def archs(draw: st.DrawFn) -> Arch:
    """Small networks of every block, with pools, groups, squeeze gates, plain ones and dense."""
    rows: list[dict[str, Any]] = []
    for _ in range(draw(st.integers(1, 3))):
        block = draw(st.sampled_from(["conv", "basic", "bottleneck"]))
        row = {
            "block": block,
            "depth": draw(st.integers(1, 3)),
            "width": draw(st.sampled_from([8, 16])),
            "stride": draw(st.integers(1, 2)),
            "kernel": draw(st.sampled_from([1, 3, 5])),
            "groups": draw(st.sampled_from([1, 1, 2])),
            "squeeze": draw(st.sampled_from([0.0, 0.25])),
            "pool": draw(st.sampled_from([None, {}, {"kernel": 3, "padding": 1}])),
        }
        if block != "conv":
            row["skip"] = draw(st.sampled_from([None, False]))
        rows.append(row)
    head: dict[str, Any] = {
        "size": draw(st.integers(1, 2)),
        "hidden": draw(st.sampled_from([[], [12]])),
    }
    if draw(st.booleans()):
        rows.append({"block": "dense", "depth": draw(st.integers(1, 2)), "width": 8})
        head = {"pool": "none"}
    data: dict[str, Any] = {
        "name": "n", "image": [draw(st.sampled_from([2, 4])), 40, 48], "classes": 10,
        "stages": rows, "head": head, "bias": draw(st.sampled_from([None, True, False])),
    }  # fmt: skip
    if draw(st.booleans()):
        data["stem"] = {"width": 8, "kernel": draw(st.sampled_from([3, 7])), "stride": 2}
    try:
        return from_dict(data)
    except ArchError:
        assume(False)
        raise


@pytest.mark.parametrize("name", zoo_names())
def test_literals_are_those_of_the_built_network(name: str) -> None:
    assert literals(zoo(name)) == built(zoo(name))


@settings(max_examples=60, deadline=None)
@given(archs())
def test_literals_of_any_network(arch: Arch) -> None:
    assert literals(arch) == built(arch)


@settings(max_examples=150, deadline=None)
@given(archs(), st.data())
def test_an_edit_is_made_and_no_other(arch: Arch, data: st.DataObject) -> None:
    """Of one argument in a stage, in every block or in one: made as asked, or refused."""
    before = built(arch)
    path, argument = data.draw(st.sampled_from(sorted(before)))
    value = data.draw(st.booleans() if argument == "bias" else st.integers(1, 8))
    together = data.draw(st.booleans())
    places = [
        place
        for place in before
        if place[1] == argument and (place[0] == path or (together and _alike(place[0], path)))
    ]
    edits = [Edit(path=place, argument=name, value=value) for place, name in places]
    try:
        after = built(mended(arch, edits))
    except ArchError:  # whose words are tested below
        return
    assert {after[place] for place in places} == {value}
    changed = {place for place in after if place in before and after[place] != before[place]}
    for place, name in changed - set(places):
        follows = (
            name in ("in_channels", "in_features")
            or (name == "padding" and argument in ("kernel_size", "dilation") and place == path)
            or (name == "padding" and (place, argument) in places)
            or (name == "stride" and place.endswith("shortcut.conv"))
        )
        assert follows, (place, name)


def _alike(one: str, other: str) -> bool:
    """Whether two modules are written by one key: of one stage, or all convolutions of a bias."""
    return one.split(".")[:2] == other.split(".")[:2] or one.startswith(("stem", "stages"))


ROW = Stage(block="conv", depth=3, width=16)
NET = Arch(
    name="n",
    image=(3, 32, 32),
    classes=10,
    bias=True,
    stem=Stem(width=8, kernel=7, stride=2, pool=Pool(kernel=3, padding=1)),
    stages=(
        ROW.model_copy(update={"pool": Pool()}),
        Stage(block="basic", depth=2, width=32, stride=2),
        Stage(block="conv", depth=2, width=32),
    ),
)


def edit(path: str, argument: str | None, value: Any = None) -> Edit:
    return Edit(path=path, argument=argument, value=value)


CONVS = [
    path for path, argument in literals(NET) if argument == "kernel_size" and "pool" not in path
]

MENDS: dict[str, tuple[list[Edit], dict[str, Any]]] = {
    "biases": ([edit(path, "bias", False) for path in CONVS], {"bias": False}),
    "a stage's stride": (
        [edit("stages.1.blocks.0.conv1", "stride", 1)],
        {"stages.1.stride": 1},
    ),
    "the ImageNet stem": (
        [
            edit("stem.conv", "kernel_size", 3), edit("stem.conv", "stride", (1, 1)),
            edit("stem.conv", "padding", 1), edit("stem.pool", None),
        ],
        {"stem.kernel": 3, "stem.stride": 1, "stem.pool": None},
    ),
    "a pool": ([edit("stages.0.pool", None)], {"stages.0.pool": None}),
    "the pool's kernel": ([edit("stages.0.pool", "kernel_size", 3)], {"stages.0.pool.kernel": 3}),
    "kernels of a stage": (
        [edit(f"stages.0.blocks.{block}.conv", "kernel_size", 5) for block in range(3)],
        {"stages.0.kernel": 5},
    ),
    "padding that is no default": (
        [edit(f"stages.0.blocks.{block}.conv", "padding", 0) for block in range(3)],
        {"stages.0.padding": 0},
    ),
    "the last block": ([edit("stages.2.blocks.1", None)], {"stages.2.depth": 1}),
    "a block in the middle": ([edit("stages.0.blocks.1.conv", None)], {"stages.0.depth": 2}),
    "a whole stage": (
        [edit("stages.2.blocks.0.conv", None), edit("stages.2.blocks.1", None)],
        {"stages.2": None},
    ),
    "head": ([edit("head.pool", "output_size", 2)], {"head.size": 2}),
}  # fmt: skip


def with_keys(arch: Arch, keys: dict[str, Any]) -> Arch:
    """The Arch whose keys are set by hand."""
    data = arch.model_dump()
    for key, value in keys.items():
        *way, last = key.split(".")
        part: Any = data
        for step in way:
            part = part[int(step)] if step.isdigit() else part[step]
        if last.isdigit():
            part = list(part)
            del part[int(last)]
            data["stages"] = part
        else:
            part[last] = value
    return Arch.model_validate(data)


@pytest.mark.parametrize("case", MENDS.values(), ids=MENDS)
def test_mends(case: tuple[list[Edit], dict[str, Any]]) -> None:
    edits, keys = case
    after = with_keys(NET, keys)
    assert mended(NET, edits) == after
    assert from_toml(patched_toml(to_toml(NET), after)) == after


@pytest.mark.parametrize(
    ("edits", "error"),
    [
        ([edit("stem.conv", "bias", False)], "stages.0.blocks.0.conv bias: would become False"),
        (
            [edit("stages.0.blocks.1.conv", "kernel_size", 5)],
            "stages.0.blocks.0.conv kernel_size: would become 5 with the rest, since one key",
        ),
        (
            [edit("stages.0.blocks.1.conv", "stride", 2)],
            "stages.0.blocks.1.conv stride: no key of the architecture makes it 2",
        ),
        ([edit("head.linear", "bias", False)], "head.linear bias: an architecture has no key"),
        ([edit("stem.conv", "kernel_size", (3, 1))], "has no key for (3, 1)"),
        ([edit("stem.conv", "padding_mode", "circular")], "has no key for circular"),
        ([edit("stages.0.blocks.0.act", None)], "stages.0.blocks.0.act: an architecture cannot do"),
        ([edit("head.linear", None)], "head.linear: an architecture cannot do without it"),
        ([edit("stages.1.blocks.0.conv1", None)], "stages.1.blocks.0: it changes the map"),
        (
            [edit(f"stages.0.blocks.{block}", None) for block in range(3)],
            "stages.0: it would have no block left, and is not the last",
        ),
        (
            [edit("stem.conv", "stride", 1), edit("stem.conv", "stride", 3)],
            "stem.conv stride: is asked to be two things",
        ),
        (
            [edit("stem.conv", "kernel_size", 40), edit("stem.conv", "padding", 0)],
            "the stem would make a 0x0 map from 32x32",
        ),
    ],
)
def test_what_an_architecture_cannot_say(edits: list[Edit], error: str) -> None:
    with pytest.raises(ArchError) as raised:
        mended(NET, edits)
    assert error in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_densenet_keeps_its_blocks() -> None:
    with pytest.raises(ArchError, match=r"stages\.0: each of its blocks adds channels"):
        mended(zoo("densenet121"), [edit("stages.0.blocks.5", None)])


COMMENTED = """\
# a network of mine
name = "n" # its name
image = [3, 32, 32]
classes   = 10
bias = true   # why not

[stem] # 1
width = 8
kernel = 7 # as for ImageNet
stride = 2
pool = {kernel = 3, stride = 2, padding = 1} # 2

# the stages
[[stages]] # 3
block = "conv"
depth = 3
width = 16
[stages.pool] # 4
kernel = 2

[[stages]]
block = "basic"
depth = 2
width = 32
stride = 2 # 5

[[stages]]
block = "conv" # 6
depth = 2 # 7
width = 32
"""


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
@pytest.mark.parametrize("case", MENDS.values(), ids=MENDS)
def test_a_patch_changes_the_lines_that_say_it(
    case: tuple[list[Edit], dict[str, Any]], ends: str
) -> None:
    edits, keys = case
    text = COMMENTED.replace("\n", ends)
    assert from_toml(text) == NET
    new = patched_toml(text, mended(NET, edits))
    assert from_toml(new) == mended(NET, edits)
    old_lines, new_lines = text.splitlines(), new.splitlines()
    gone = [line for line in old_lines if line not in new_lines]
    come = [line for line in new_lines if line not in old_lines]
    names = {key.rpartition(".")[2] for key in keys} | {"kernel"}
    for line in come:
        assert line.split("=")[0].strip() in names | {"[head]"}
    if not any(key.endswith((".pool", "stages.2")) for key in keys):
        assert {line.partition("#")[2] for line in gone if "#" in line} == {
            line.partition("#")[2] for line in come if "#" in line
        }


@example(Arch(name="n", image=(1, 8, 8), classes=2, stages=(ROW, ROW)))
@settings(max_examples=40, deadline=None)
@given(archs())
def test_a_patch_that_changes_nothing(arch: Arch) -> None:
    text = to_toml(arch)
    assert patched_toml(text, arch) == text


def test_stages_in_one_inline_list() -> None:
    head = 'name = "n"\nimage = [3, 8, 8]\nclasses = 2\n'
    text = head + 'stages = [{block = "conv", depth = 2, width = 4}] # all\n'
    after = mended(from_toml(text), [edit("stages.0.blocks.1", None)])
    assert patched_toml(text, after) == text.replace("depth = 2", "depth = 1")


def test_a_stage_is_added_below_the_others_and_comments_stay() -> None:
    text = """\
name = "n" # mine
image = [3, 16, 16]
classes = 4

[[stages]] # the only one
block = "conv"
depth = 1
width = 4

[head] # the end
pool = "max"
"""
    before = from_toml(text)
    pooled = Stage(block="conv", depth=2, width=8, pool=Pool())
    plain = Stage(block="conv", depth=3, width=8)
    after = before.model_copy(update={"stages": (*before.stages, pooled, plain)})
    new = patched_toml(text, after)
    assert from_toml(new) == after
    assert [line for line in text.splitlines() if line not in new.splitlines()] == []
    assert patched_toml(new, before) == text
