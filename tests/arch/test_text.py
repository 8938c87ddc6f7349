"""TOML there and back, and what is said of TOML that is wrong."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from striate.arch import (
    Arch,
    from_dict,
    from_toml,
    json_schema,
    load_arch,
    to_dict,
    to_toml,
    zoo,
    zoo_names,
)
from striate.errors import ArchError

GOOD = """\
name = "net"
image = [3, 64, 64]
classes = 10

[stem]
width = 16
kernel = 5
pool = { kind = "max", kernel = 3, stride = 2, padding = 1 }

[[stages]]
block = "basic"
depth = 2
width = 16

[[stages]]
block = "conv"
depth = 1
width = 32
stride = 2
pool = { kind = "avg", kernel = 2, stride = 2 }

[[stages]]
block = "bottleneck"
depth = 1
width = 64
squeeze = 0.25
skip = false

[head]
dropout = 0.1
"""

pools = st.fixed_dictionaries(
    {},
    optional={
        "kind": st.sampled_from(["max", "avg"]),
        "kernel": st.integers(2, 4),
        "stride": st.integers(1, 3),
        "padding": st.integers(0, 1),
    },
)
small = st.integers(1, 8)
ratio = st.floats(0.01, 4)


@st.composite
def stages(draw: st.DrawFn, width_in: int) -> dict[str, Any]:
    block = draw(st.sampled_from(["conv", "basic", "bottleneck"]))
    row = {"block": block, "depth": draw(st.integers(1, 3)), "width": draw(st.integers(1, 64))}
    keys = {
        "stride": small,
        "kernel": small,
        "padding": small,
        "dilation": st.integers(1, 3),
        "squeeze": st.floats(0, 1),
        "pool": pools,
    }
    if block != "conv":
        keys["shortcut"] = st.sampled_from(["projection", "pad"])
        keys["expansion"] = ratio | st.integers(1, 4)
        keys["skip"] = st.booleans()
    row |= {key: draw(values) for key, values in keys.items() if draw(st.integers(0, 3)) == 0}
    if block == "conv":
        common = math.gcd(width_in, row["width"])
        row["groups"] = draw(st.sampled_from([g for g in range(1, 65) if common % g == 0]))
    return row


@st.composite
def archs(draw: st.DrawFn) -> Arch:
    width = draw(st.integers(1, 4))
    data: dict[str, Any] = {
        "name": draw(st.text(min_size=1, max_size=80).filter(str.isprintable)),
        "image": [width, draw(st.integers(8, 300)), draw(st.integers(8, 300))],
        "classes": draw(st.integers(2, 1_000_000)),
    }
    if draw(st.booleans()):
        width = draw(st.integers(1, 64))
        keys = {"kernel": small, "stride": small, "padding": small, "pool": pools}
        data["stem"] = {"width": width} | draw(st.fixed_dictionaries({}, optional=keys))
    data["stages"] = []
    for _ in range(draw(st.integers(1, 4))):
        data["stages"].append(draw(stages(width)))
        width = data["stages"][-1]["width"]
    head: dict[str, Any] = draw(
        st.fixed_dictionaries(
            {},
            optional={
                "hidden": st.lists(st.integers(1, 65536), max_size=3),
                "dropout": st.floats(0, 1, exclude_max=True),
            },
        )
    )
    if draw(st.booleans()):
        data["stages"].append({"block": "dense", "depth": 1, "width": draw(small)})
        head["pool"] = "none"
    whole = {
        "norm": st.sampled_from(["batch", "group", "layer", "none"]),
        "activation": st.sampled_from(["relu", "gelu", "silu", "tanh"]),
        "bias": st.booleans(),
        "zero_init": st.booleans(),
        "dirac_init": st.booleans(),
        "head": st.just(head),
    }
    data |= draw(st.fixed_dictionaries({}, optional=whole))
    if "head" in data or head.get("pool") == "none":
        data["head"] = head
    try:
        return from_dict(data)
    except ArchError:  # a combination that cannot be, as a pad shortcut to fewer channels
        assume(False)
        raise


@settings(
    deadline=None,
    max_examples=200,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
)
@given(arch=archs())
def test_any_arch_comes_back_from_its_toml(arch: Arch) -> None:
    assert from_toml(to_toml(arch)) == arch
    assert from_dict(json.loads(json.dumps(to_dict(arch)))) == arch


def test_the_zoo_comes_back_from_its_toml() -> None:
    for name in zoo_names():
        assert from_toml(to_toml(zoo(name))) == zoo(name)


def test_toml_is_written_as_a_person_would() -> None:
    assert to_toml(from_toml(GOOD)) == GOOD


def broken(old: str, new: str) -> str:
    assert GOOD.count(old) == 1
    return GOOD.replace(old, new)


WRONG = {
    "a misspelt key of a stage": (
        broken("squeeze = 0.25", "kernl = 3"),
        "stages.2: unknown key 'kernl'; did you mean kernel?",
    ),
    "a misspelt key of the whole": (
        broken("classes = 10", "clases = 10"),
        "unknown key 'clases'; did you mean classes? (and 1 more)",
    ),
    "an unknown key of a pool": (
        broken('kind = "avg"', 'way = "avg"'),
        "stages.1.pool: unknown key 'way'; choose from kind, kernel, stride, padding",
    ),
    "a missing key": (broken('name = "net"\n', ""), "missing key 'name'"),
    "a missing key of a stage": (
        broken('block = "conv"\n', ""),
        "stages.1: missing key 'block'",
    ),
    "no image": (
        broken("image = [3, 64, 64]\n", ""),
        "missing key 'image'; write image = [channels, height, width]",
    ),
    "an image of two numbers": (
        broken("[3, 64, 64]", "[64, 64]"),
        "image: [64, 64] is not three numbers; write [channels, height, width]",
    ),
    "an image of four numbers": (
        broken("[3, 64, 64]", "[1, 3, 64, 64]"),
        "image: [1, 3, 64, 64] is not three numbers; write [channels, height, width]",
    ),
    "an image that is text": (
        broken("[3, 64, 64]", '"3x64x64"'),
        "image: '3x64x64' is not a list",
    ),
    "an image without height": (
        broken("[3, 64, 64]", "[3, 0, 64]"),
        "image.1: 0 is too small; the least is 1",
    ),
    "an unknown block": (
        broken('"bottleneck"', '"bottelneck"'),
        "stages.2.block: unknown value 'bottelneck'; did you mean bottleneck?",
    ),
    "a block far from all": (
        broken('"bottleneck"', '"mlp"'),
        (
            "stages.2.block: unknown value 'mlp'; choose from conv, basic, bottleneck, inverted, "
            "fused, convnext, densenet, transformer, dense"
        ),
    ),
    "text for a number": (
        broken("width = 32", 'width = "32"'),
        "stages.1.width: '32' is not an integer",
    ),
    "a fraction for a number": (
        broken("width = 32", "width = 32.0"),
        "stages.1.width: 32.0 is not an integer",
    ),
    "true for a number": (
        broken("width = 32", "width = true"),
        "stages.1.width: true is not an integer",
    ),
    "a number for a flag": (
        broken("skip = false", "skip = 0"),
        "stages.2.skip: 0 is not true or false",
    ),
    "a number for a name": (broken('"net"', "3"), "name: 3 is not a string"),
    "text for a ratio": (
        broken("dropout = 0.1", 'dropout = "high"'),
        "head.dropout: 'high' is not a number",
    ),
    "too large a ratio": (
        broken("dropout = 0.1", "dropout = 1"),
        "head.dropout: 1 is too large; it must be below 1",
    ),
    "not a number": (
        broken("dropout = 0.1", "dropout = nan"),
        "head.dropout: nan: input should be a finite number",
    ),
    "too large a number": (
        broken("classes = 10", f"classes = {10**30}"),
        f"classes: {10**30} is too large; the most is 1000000",
    ),
    "zero": (broken("depth = 2", "depth = 0"), "stages.0.depth: 0 is too small; the least is 1"),
    "one class": (
        broken("classes = 10", "classes = 1"),
        "classes: 1 is too small; the least is 2",
    ),
    "a number for a table": (
        broken('pool = { kind = "avg", kernel = 2, stride = 2 }', "pool = 2"),
        "stages.1.pool: 2 is not a table",
    ),
    "no stage": (
        'name = "n"\nimage = [3, 8, 8]\nclasses = 2\nstages = []\n',
        "stages: [] has too few; write at least one [[stages]] table",
    ),
    "an impossible stage": (
        broken("skip = false", "groups = 7"),
        "stages.2: groups 7 does not divide 16 channels",
    ),
    "a map that vanishes": (
        broken("image = [3, 64, 64]", "image = [3, 3, 64]"),
        (
            "stage 2 would make a 0x8 map from 2x32; "
            "use an image of at least 5x5, or less stride before it"
        ),
    ),
    "several things": (
        broken("classes = 10", 'classes = 1\nnorm = "batsh"\nbias = 3'),
        "classes: 1 is too small; the least is 2 (and 2 more)",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_toml_is_an_error_of_one_line(name: str) -> None:
    text, message = WRONG[name]
    with pytest.raises(ArchError) as caught:
        from_toml(text, where="net.toml")
    assert str(caught.value) == f"net.toml: {message}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name = ", "TOML: not valid TOML: Invalid value (at end of document)"),
        ("a = 1\na = 2\n", "TOML: not valid TOML: Cannot overwrite a value (at line 2, column 6)"),
        ("a = " + "1" * 5000, "TOML: not valid TOML: a number of more digits than can be read"),
        ("a = " + "[" * 100_000, "TOML: not valid TOML: nested too deep"),
    ],
)
def test_what_is_no_toml_is_said_in_one_line(text: str, message: str) -> None:
    with pytest.raises(ArchError) as caught:
        from_toml(text)
    assert str(caught.value) == message


def test_a_long_value_is_cut_in_the_message() -> None:
    with pytest.raises(ArchError) as caught:
        from_toml(broken("width = 32", f'width = "{"x" * 500}"'))
    assert str(caught.value) == f"TOML: stages.1.width: '{'x' * 56}... is not an integer"


def test_plain_data_must_be_a_table() -> None:
    with pytest.raises(ArchError, match=r"^arch: \[\] is not a table$"):
        from_dict([])  # pyright: ignore[reportArgumentType] - what is tested


def test_a_file_is_loaded_and_named_in_errors(tmp_path: Path) -> None:
    path = tmp_path / "net.toml"
    path.write_text(GOOD, encoding="utf-8")
    assert load_arch(path).name == "net"

    path.write_text(broken("width = 32", "width = 0"), encoding="utf-8")
    with pytest.raises(ArchError) as caught:
        load_arch(path)
    assert str(caught.value) == f"{path}: stages.1.width: 0 is too small; the least is 1"


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "missing.toml"
    with pytest.raises(ArchError) as caught:
        load_arch(missing)
    assert str(caught.value) == f"{missing}: no such file; give the path of an architecture's TOML"

    with pytest.raises(ArchError) as caught:
        load_arch(tmp_path)
    assert str(caught.value) == f"{tmp_path}: cannot be read (Is a directory)"

    image = tmp_path / "image.png"
    image.write_bytes(b"\x89PNG\r\n")
    with pytest.raises(ArchError) as caught:
        load_arch(image)
    assert str(caught.value) == f"{image}: not UTF-8 text (byte 0); TOML is"


def _keys(schema: dict[str, Any]) -> dict[str, dict[str, Any]]:
    parts = {"Arch": schema, **schema["$defs"]}
    return {
        f"{part}.{key}": what
        for part, body in parts.items()
        for key, what in body["properties"].items()
    }


def test_every_key_of_the_schema_is_described() -> None:
    schema = json_schema()
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["title"] == "striate architecture"
    keys = _keys(schema)
    assert {key.split(".")[0] for key in keys} == {"Arch", "Stem", "Stage", "Head", "Pool"}
    assert [key for key, what in keys.items() if not what.get("description")] == []


def test_the_schema_accepts_the_zoo_and_refuses_what_is_wrong() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.Draft202012Validator.check_schema(json_schema())
    validator = jsonschema.Draft202012Validator(json_schema())
    for name in zoo_names():
        assert list(validator.iter_errors(to_dict(zoo(name)))) == []
    wrong = to_dict(zoo("resnet20")) | {"clases": 10}
    assert [error.validator for error in validator.iter_errors(wrong)] == ["additionalProperties"]
