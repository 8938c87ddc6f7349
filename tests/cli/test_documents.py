"""``--json``: one document on stdout and nothing else there; text for people goes to stderr."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from striate.arch import from_dict, from_toml, zoo, zoo_names

Striate = Callable[..., Any]
FIT = (
    *("fit", "--arch", "tiny.toml", "--threads", "1", "--setting", "fp32"),
    *("--batch", "64"),
    *("--epochs", "1", "--out", "run"),
)


def document(ended: Any, *, code: int = 0) -> dict[str, Any]:
    """The one document on stdout."""
    assert ended.code == code, ended.err
    assert ended.out.endswith("}\n")
    assert ended.out.count("\n") == 1
    found = json.loads(ended.out)
    assert next(iter(found)) == "striate"
    assert found["striate"] == 1
    return found


def test_fit(striate: Striate) -> None:
    ended = striate(*FIT, "--json")
    found = document(ended)
    assert list(found) == [
        *("striate", "run", "arch", "accuracy", "loss", "ece", "epochs", "seconds"),
        *("images_per_second", "setting", "report"),
    ]
    assert found["run"] == "run"
    assert found["report"] == "run/report.html"
    assert found["arch"] == "tiny"
    assert found["setting"] == "fp32"
    assert found["epochs"] == 1
    assert 0 <= found["accuracy"] <= 1
    assert 0 <= found["ece"] <= 1
    assert found["loss"] > 0
    assert found["seconds"] > 0
    assert found["images_per_second"] > 0
    for part in ("Data", "Network", "Check", "Recipe", "Numeric setting", "Training", "Test"):
        assert f"\n{part}" in "\n" + ended.err


def test_quiet_leaves_the_document_alone(striate: Striate) -> None:
    ended = striate(*FIT, "--json", "--quiet")
    assert document(ended)["arch"] == "tiny"
    assert ended.err == ""


def test_quiet_without_a_document_is_the_result(striate: Striate) -> None:
    ended = striate(*FIT, "--quiet")
    lines = ended.out.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("Test  accuracy ")
    assert " on 359 test images · expected calibration error " in lines[0]
    assert lines[1] == "Report  run/report.html"
    assert ended.err == ""


def test_people_get_their_text_on_stdout(striate: Striate) -> None:
    ended = striate(*FIT)
    assert ended.err == ""
    parts = ("Data", "Network", "Check", "Recipe", "Numeric setting", "Training", "Test", "Report")
    places = [("\n" + ended.out).index(f"\n{part}") for part in parts]
    assert places == sorted(places)  # the order that the user is told of
    for text in (
        "1,797 images: 1,259 train · 179 val · 359 test",
        "10 classes: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9",
        "1×8×8 pixels, values 0 to 16 of 16",
        "no findings",
        "images/s",
        "chosen",
        "1 epoch, 20 steps of up to 64 images with sgd",
        " 1/1 · loss ",
        "on 359 test images · expected calibration error ",
        "run/report.html",
    ):
        assert text in ended.out, text


def test_a_default_that_was_not_taken_is_not_explained(striate: Striate) -> None:
    stop = {"at": "probing", "signal": 2}
    fit = ("fit", "--arch", "tiny.toml")
    asked = {
        "epochs of batches": ("--epochs", "1"),
        "SGD with Nesterov": ("--lr", "0.01"),
        "No image is mirrored": ("--flip",),
    }
    every = striate(*fit, stop=stop).out
    for sentence, option in asked.items():
        assert sentence in every
        without = striate(*fit, *option, stop=stop).out
        assert [s for s in asked if s not in without] == [sentence]


def test_trace(striate: Striate) -> None:
    found = document(striate("trace", "resnet18", "--image", "3x64x64", "--json"))
    assert {"image", "totals", "layers", "complete", "unknown"} <= found.keys()
    assert found["image"] == [3, 64, 64]
    assert found["totals"].keys() >= {
        "params", "macs", "activations", "infer_bytes", "train_bytes",
    }  # fmt: skip
    for layer in found["layers"]:
        assert layer.keys() >= {
            "index", "path", "op", "inputs", "shape", "params", "macs", "out_bytes",
            "saved_bytes", "source", "defined", "field",
        }  # fmt: skip
        if layer["field"] is not None:
            assert layer["field"].keys() >= {"status", "size", "least", "stride", "start"}


def test_check(striate: Striate) -> None:
    ended = striate("check", "resnet18", "mlp", "--image", "3x16x16", "--json")
    found = document(ended, code=1)
    assert [target["target"] for target in found["targets"]] == ["resnet18", "mlp"]
    findings = [finding for target in found["targets"] for finding in target["findings"]]
    assert findings
    for finding in findings:
        assert finding.keys() >= {
            "code", "name", "severity", "path", "source", "message", "measured", "price", "fix",
        }  # fmt: skip
    by_format = striate("check", "resnet18", "mlp", "--image", "3x16x16", "--format", "json")
    assert (by_format.code, by_format.out) == (1, ended.out)


@pytest.mark.parametrize(
    ("options", "code", "found"),
    [
        ([], 1, ["FL201", "RE402"]),
        (["--fail-on", "info"], 1, ["FL201", "RE402"]),
        (["--fail-on", "warning"], 1, ["FL201", "RE402"]),
        (["--fail-on", "error"], 0, ["FL201", "RE402"]),
        (["--ignore", "FL201"], 1, ["RE402"]),
        (["--ignore", "FL", "--ignore", "RE402"], 0, []),
        (["--select", "FL"], 1, ["FL201"]),
        (["--select", "PA301"], 0, []),
    ],
)
def test_exit_code_of_check(
    striate: Striate, options: list[str], code: int, found: list[str]
) -> None:
    ended = striate("check", "plain56", *options)
    assert ended.code == code
    assert sorted(set(re.findall(r"warning ([A-Z]+\d+)", ended.out))) == found
    assert ("no findings" in ended.out) == (found == [])


def test_explain(striate: Striate) -> None:
    found = document(striate("check", "--explain", "FL201", "--json"))
    assert found["code"] == "FL201"
    assert "## " in found["text"] or "# " in found["text"]
    ended = striate("check", "--explain", "FL201")
    assert ended.code == 0
    assert max(map(len, ended.out.splitlines())) <= 80


def test_zoo(striate: Striate) -> None:
    found = document(striate("zoo", "--json"))
    assert [network["name"] for network in found["networks"]] == list(zoo_names())
    one = document(striate("zoo", "resnet20", "--json"))
    assert from_dict(one["arch"], where="zoo") == zoo("resnet20")
    assert from_toml(striate("zoo", "resnet20").out) == zoo("resnet20")


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_the_schema_of_an_architecture(striate: Striate, more: list[str]) -> None:
    ended = striate("zoo", "--schema", *more)
    schema = json.loads(ended.out)
    jsonschema.Draft202012Validator.check_schema(schema)
    arch = json.loads(striate("zoo", "resnet20", "--json").out)["arch"]
    jsonschema.validate(arch, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**arch, "widht": 3}, schema)


def test_conv(striate: Striate) -> None:
    found = document(striate("conv", "--json"))
    assert found["picture"] is None
    assert len(found["positions"]) == 9
    assert found["positions"][0]["text"].endswith(" = 36")


def test_a_feature_map_is_written(striate: Striate, photos: Path) -> None:
    ended = striate("conv", "photos/cat/00.png", "--kernel", "laplacian", "--json")
    found = document(ended)
    assert found["picture"] == "photos/cat/00.laplacian.png"
    assert ended.left == {"photos/cat/00.laplacian.png"}


@pytest.mark.parametrize(
    "command", [["zoo"], ["zoo", "resnet152"], ["trace", "resnet18", "--json"]]
)
def test_a_reader_that_is_gone_is_no_error(striate: Striate, command: list[str]) -> None:
    ended = striate(*command, stdout="pipe without a reader")
    assert (ended.code, ended.err) == (0, "")


def test_a_reader_that_is_gone_stops_a_training_and_says_so(striate: Striate) -> None:
    ended = striate(*FIT, stdout="pipe without a reader")
    assert ended.code == 130
    assert ended.err == (
        "interrupted: the reader of the output has gone: stopped before training began; "
        "nothing was written\n"
    )
