"""What cannot be built cannot be said: every refusal, with its words."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from striate.arch import Arch, Head, Pool, Stage, Stem, from_dict
from striate.errors import ArchError


def refusal(**changes: Any) -> str:
    """The message with which a small valid network, changed, is refused."""
    data: dict[str, Any] = {
        "name": "n",
        "image": [3, 32, 32],
        "classes": 10,
        "stages": [{"block": "basic", "depth": 1, "width": 8}],
    }
    assert from_dict(data).classes == 10
    with pytest.raises(ArchError) as caught:
        from_dict({**data, **changes})
    return str(caught.value).removeprefix("arch: ")


def stage(**keys: Any) -> dict[str, Any]:
    return {"block": "basic", "depth": 1, "width": 8, **keys}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            stage(block="conv", skip=True),
            (
                "skip = true needs a residual block, and 'conv' is none; "
                "use block = 'basic', 'bottleneck', 'inverted', 'fused', 'convnext' or "
                "'transformer'"
            ),
        ),
        (stage(block="conv", skip=False), "a conv block has no skip; take the key away"),
        (stage(block="conv", expansion=2), "a conv block has no expansion; take the key away"),
        (stage(block="conv", shortcut="pad"), "a conv block has no shortcut; take the key away"),
        (stage(block="dense", kernel=5), "a dense block has no kernel; take the key away"),
        (stage(block="dense", pool={}), "a dense block has no pool; take the key away"),
        (stage(groups=3), "groups 3 does not divide 8 channels"),
        (stage(width=6, expansion=2 / 3, groups=4), "groups 4 does not divide 6 channels"),
        (stage(block="bottleneck", groups=3), "groups 3 does not divide 2 channels"),
        (
            stage(padding=0),
            (
                "kernel 3 with padding 0 changes the map's size, so that it cannot be added to the "
                "block's input; use an odd kernel and leave padding out, or set skip = false"
            ),
        ),
        (
            stage(kernel=4),
            (
                "kernel 4 with padding 1 changes the map's size, so that it cannot be added to the "
                "block's input; use an odd kernel and leave padding out, or set skip = false"
            ),
        ),
    ],
)
def test_a_stage_that_cannot_be_is_refused(row: dict[str, Any], message: str) -> None:
    assert refusal(stages=[row]) == f"stages.0: {message}"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {
                "stages": [stage(block="dense"), stage(block="conv")],
            },
            "stage 2 (conv) follows a dense stage, which has no map",
        ),
        (
            {"stages": [stage(block="dense")]},
            "head.pool 'avg' needs a map, and the last stage is dense; use pool = 'none'",
        ),
        (
            {"stages": [stage(width=16), stage(shortcut="pad")]},
            "stage 2: shortcut 'pad' cannot go from 16 to 8 channels; use 'projection'",
        ),
        (
            {"stages": [stage(block="conv", groups=2)]},
            "stage 1: groups 2 does not divide its 3 input channels",
        ),
        (
            {"stages": [stage(groups=2)]},
            "stage 1: groups 2 does not divide its 3 input channels",
        ),
        (
            {"norm": "none", "zero_init": True},
            "zero_init sets the last norm's scale, and norm is 'none'",
        ),
        (
            {"dirac_init": True},
            "dirac_init is of conv blocks, and there is none; take it away",
        ),
        (
            {"stages": [stage(block="conv", pool_first=True)]},
            "stages.0: pool_first places the stage's pool, and there is none; give it one",
        ),
        (
            {"stages": [stage(pool={}, pool_first=True)]},
            "stages.0: a basic block has no pool_first; take the key away",
        ),
        ({"name": "a\nb"}, "name: 'a\\nb' holds characters that cannot be printed in one line"),
        (
            {"head": {"pool": "none", "size": 7}},
            "head: size 7 is a pool's, and pool is 'none'; take one away",
        ),
        (
            {"stem": {"width": 8, "pool": {"padding": 2}}},
            "stem.pool: padding 2 is more than half of kernel 2; use at most 1",
        ),
    ],
)  # fmt: skip
def test_a_network_that_cannot_be_is_refused(changes: dict[str, Any], message: str) -> None:
    assert refusal(**changes) == message


@pytest.mark.parametrize(
    ("kernel", "dilation", "pad"),
    [(1, 1, 0), (3, 1, 1), (5, 1, 2), (3, 2, 2), (2, 2, 1), (7, 3, 9)],
)
def test_default_padding_keeps_the_size_of_the_map(kernel: int, dilation: int, pad: int) -> None:
    row = Stage(block="conv", depth=1, width=4, kernel=kernel, dilation=dilation)
    assert row.pad == pad
    assert 32 + 2 * row.pad - dilation * (kernel - 1) == 32


def test_channels_inside_a_block() -> None:
    assert Stage(block="bottleneck", depth=1, width=256).inner == 64
    assert Stage(block="basic", depth=1, width=64).inner == 64
    assert Stage(block="bottleneck", depth=1, width=256, expansion=0.5).inner == 128
    assert Stage(block="bottleneck", depth=1, width=2).inner == 1


def test_biases_stand_where_there_is_no_norm() -> None:
    rows = (Stage(block="conv", depth=1, width=4),)
    with_norm = Arch(name="n", image=(1, 8, 8), classes=2, stages=rows)
    without = Arch(name="n", image=(1, 8, 8), classes=2, stages=rows, norm="none")
    asked = Arch(name="n", image=(1, 8, 8), classes=2, stages=rows, bias=True)
    assert (with_norm.conv_bias, without.conv_bias, asked.conv_bias) == (False, True, True)


@pytest.mark.parametrize("value", [3.0, "3", True, None, 0, 65537])
def test_a_number_must_be_that_number(value: object) -> None:
    with pytest.raises(ValidationError):
        Stem.model_validate({"width": value})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "0.5", True, 1.0, -0.1])
def test_a_probability_must_be_one(value: object) -> None:
    with pytest.raises(ValidationError):
        Head.model_validate({"dropout": value})


def test_an_arch_is_a_value() -> None:
    pool = Pool()
    with pytest.raises(ValidationError, match="frozen"):
        pool.kernel = 3  # pyright: ignore[reportAttributeAccessIssue] - what is tested
    assert Pool(kernel=2) == pool
    assert hash(Pool(kernel=2)) == hash(pool)
