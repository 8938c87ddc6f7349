"""``striate check`` as a user runs it: formats, mends, settings, and how it ends."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from pydantic import BaseModel, ValidationError
from sarif_pydantic import Sarif

from striate._version import __version__
from striate.arch import from_toml
from striate.checking import rules

Striate = Callable[..., Any]

NETS = """\
from torch import nn


def block(width):
    return nn.Sequential(nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU())


class Net(nn.Sequential):
    def __init__(self):
        super().__init__(
            nn.Conv2d(3, 8, 3),
            *[block(8) for _ in range(20)],
            nn.Conv2d(8, 8, 1, stride=2), nn.ReLU(),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 10),
        )


class Broken(nn.Module):
    def __init__(self):
        raise ValueError("100 % wrong: yes")
"""
DESIGN = """\
name = "design" # mine
image = [3, 32, 32]
classes = 10
bias = true # why not

[[stages]]
block = "conv"
depth = 2
width = 8
"""


# Sections 3.14.17 and 3.20.21 of SARIF 2.1.0, which the reader does not know.
IN_THE_STANDARD_ALONE = {"log.runs.columnKind", "log.runs.invocations.toolExecutionNotifications"}


def read_sarif(document: dict[str, Any]) -> Sarif:
    """The document as SARIF 2.1.0's own types have it; nothing in it may be unknown to them."""
    log = Sarif.model_validate(document)
    unknown: list[str] = []

    def walk(value: object, where: str) -> None:
        if isinstance(value, BaseModel):
            unknown.extend(f"{where}.{key}" for key in value.model_extra or {})
            for key in type(value).model_fields:
                walk(getattr(value, key), f"{where}.{key}")
        elif isinstance(value, list):
            for one in value:
                walk(one, where)

    walk(log, "log")
    assert set(unknown) <= IN_THE_STANDARD_ALONE
    return log


@pytest.fixture(autouse=True)
def project(tmp_path: Path) -> Path:
    (tmp_path / "my nets.py").write_text(NETS)
    (tmp_path / "nets.py").write_text(NETS)
    (tmp_path / "design.toml").write_text(DESIGN)
    return tmp_path


def check(striate: Striate, *words: str, **more: Any) -> Any:
    return striate("check", *words, "--image", "3x32x32", **more)


def test_findings_of_one_line_are_folded(striate: Striate) -> None:
    ended = check(striate, "nets.py:Net", env={"COLUMNS": "80"})
    assert ended.out.count("PA301") == 1
    assert "  info PA301 1.0 ×20 bias-before-norm\n" in ended.out
    assert "      the same at 2.0, 3.0, 4.0, 5.0, 6.0, 7.0 and 13 more\n" in ended.out
    assert "      price: 160 parameters in all\n" in ended.out
    assert "      nets.py:5\n" in ended.out
    whole = json.loads(check(striate, "nets.py:Net", "--json").out)
    (target,) = whole["targets"]
    assert sum(finding["code"] == "PA301" for finding in target["findings"]) == 20
    assert target["image"] == [3, 32, 32]
    assert (target["error"], target["fixed"]) == (None, None)
    first = next(finding for finding in target["findings"] if finding["code"] == "PA301")
    assert first["edits"] == [{"path": first["path"], "argument": "bias", "value": False}]
    assert first["safe"] is True


def test_the_sum_at_the_end(striate: Striate) -> None:
    ended = check(striate, "nets.py:Net", "design.toml", "resnet20")
    last = ended.out.splitlines()[-1]
    assert re.fullmatch(
        r"(\d+ errors?, )?\d+ warnings?, 22 info in 3 networks; 22 with a mend for --fix, "
        r"\d+ with a mend for --unsafe-fixes",
        last,
    ), last
    assert check(striate, "resnet20", "resnet32").out.endswith("\nno findings in 2 networks\n")
    assert check(striate, "resnet20").out.endswith("  no findings\n")


def test_an_architecture_is_never_found_in_striate_itself(striate: Striate) -> None:
    found = json.loads(check(striate, "design.toml", "plain56", "--json").out)
    places = [
        {finding["source"], finding["defined"]}
        for target in found["targets"]
        for finding in target["findings"]
    ]
    assert places == [{"design.toml:6"}] * 2 + [{None}] * (len(places) - 2)
    assert len(places) > 2
    text = check(striate, "design.toml", "plain56").out
    assert "striate/" not in text
    assert "\n      design.toml:6\n" in text
    assert re.search(r"\n      stage \d, block \d+\n", text)


def test_a_broken_target_is_one_line_and_exit_2(striate: Striate) -> None:
    ended = check(striate, "nets.py:Broken", "nets.py:Net", "nowhere", "--select", "PA301")
    assert ended.code == 2
    first, second = ended.err.splitlines()
    assert first.startswith("error: nets.py:Broken: raised ValueError at ")
    assert second.startswith("error: nowhere: no such network")
    assert ended.out.endswith("20 info in 1 network; 20 with a mend for --fix\n")


def test_sarif_is_valid(striate: Striate) -> None:
    ended = check(
        striate, "my nets.py:Net", "my nets.py:Broken", "design.toml", "plain56",
        "--format", "sarif",
    )  # fmt: skip
    assert ended.code == 2
    document = json.loads(ended.out)
    assert read_sarif(document).version == "2.1.0"
    (run,) = document["runs"]
    driver = run["tool"]["driver"]
    assert (driver["name"], driver["semanticVersion"]) == ("striate", __version__)
    assert [rule["id"] for rule in driver["rules"]] == [rule.code for rule in rules()]
    assert run["invocations"][0]["executionSuccessful"] is False
    (note,) = run["invocations"][0]["toolExecutionNotifications"]
    assert "100 % wrong: yes" in note["message"]["text"]
    whole = json.loads(check(striate, "my nets.py:Net", "design.toml", "plain56", "--json").out)
    findings = [finding for target in whole["targets"] for finding in target["findings"]]
    assert len(run["results"]) == len(findings)
    levels = {"error": "error", "warning": "warning", "info": "note"}
    for result, finding in zip(run["results"], findings, strict=True):
        assert driver["rules"][result["ruleIndex"]]["id"] == result["ruleId"] == finding["code"]
        assert result["level"] == levels[finding["severity"]]
        assert finding["message"] in result["message"]["text"]
        (location,) = result["locations"]
        if finding["defined"] is None:
            assert "physicalLocation" not in location
            continue
        physical = location["physicalLocation"]
        line = physical["region"]["startLine"]
        assert physical["artifactLocation"]["uriBaseId"] == "%SRCROOT%"
        assert " " not in physical["artifactLocation"]["uri"]
        assert f"{unquote(physical['artifactLocation']['uri'])}:{line}" == finding["defined"]
    prints = [result["partialFingerprints"]["striate/v1"] for result in run["results"]]
    assert len(set(prints)) == len(prints)


def test_a_schema_that_would_not_accept_anything(striate: Striate) -> None:
    """The schema above can fail."""
    document = json.loads(check(striate, "design.toml", "--format", "sarif").out)
    document["runs"][0]["results"][0]["level"] = "grave"
    with pytest.raises(ValidationError, match="level"):
        read_sarif(document)


def test_a_fingerprint_outlives_lines_that_move(striate: Striate, project: Path) -> None:
    def prints() -> list[str]:
        document = json.loads(check(striate, "nets.py:Net", "--format", "sarif").out)
        results = document["runs"][0]["results"]
        return [result["partialFingerprints"]["striate/v1"] for result in results]

    before = prints()
    (project / "nets.py").write_text(f"# moved\n\n{NETS}")
    assert prints() == before


def test_github_annotations(striate: Striate, project: Path) -> None:
    ended = check(
        striate, "nets.py:Net", "nets.py:Broken", "plain56", "--format", "github",
        env={"GITHUB_WORKSPACE": str(project.parent)},
    )  # fmt: skip
    lines = ended.out.splitlines()
    folder = project.name
    (notice,) = (line for line in lines if "PA301" in line)
    assert notice.startswith(
        f"::notice title=PA301 bias-before-norm,file={folder}/nets.py,line=5::nets.py:Net, 1.0 "
        "(×20): the 8 biases"
    )
    assert any(
        line.startswith(f"::warning title=FL203 kernel-smaller-than-stride,file={folder}/nets.py,")
        for line in lines
    )
    (broken,) = (line for line in lines if line.startswith("::error "))
    assert "100 %25 wrong: yes" in broken
    assert any(
        line.startswith("::warning title=FL201 unproductive-layer::plain56, ") for line in lines
    )
    assert all(re.fullmatch(r"::(notice|warning|error) [^:]*::.*", line) for line in lines)
    assert "%0AMend: " in notice
    assert "nets.py:Net" in ended.err  # what is for people is there too


def test_mends_are_shown_and_written(striate: Striate, project: Path) -> None:
    shown = check(striate, "nets.py:Net", "design.toml", "--diff")
    assert shown.code == 1
    assert (project / "nets.py").read_text() == NETS
    assert shown.out.startswith(
        "would mend nets.py:Net\n  PA301 bias-before-norm ×20\n  parameters "
    )
    ended = check(striate, "nets.py:Net", "design.toml", "--fix")
    assert ended.code == 1  # the stride is left
    assert "mended nets.py:Net\n  PA301 bias-before-norm ×20\n  parameters " in ended.out
    assert "(×" not in ended.out
    changed = "nn.Conv2d(width, width, 3, padding=1, bias=False)"
    assert (project / "nets.py").read_text() == NETS.replace(
        "nn.Conv2d(width, width, 3, padding=1)", changed
    )
    assert f"+    return nn.Sequential({changed}, " in ended.out
    assert (project / "design.toml").read_text() == DESIGN.replace("bias = true", "bias = false")
    assert " MACs " in ended.out
    assert "as before" in ended.out
    assert "PA301" not in check(striate, "nets.py:Net", "design.toml").out


def test_unsafe_mends(striate: Striate, project: Path) -> None:
    ended = check(striate, "nets.py:Net", "--unsafe-fixes", "--json")
    (target,) = json.loads(ended.out)["targets"]
    fixed = target["fixed"]
    assert fixed["written"]
    assert {(one["code"], one["safe"]) for one in fixed["mended"]} == {
        ("PA301", True), ("FL203", False),
    }  # fmt: skip
    old, new = fixed["gain"]["params"]
    assert new - old == 8 * 8 * 8 - 20 * 8  # a 3×3 kernel for a 1×1, and no biases
    assert fixed["diff"].count("\n+ ") == 2
    codes = {finding["code"] for finding in target["findings"]}
    assert not codes & {"PA301", "FL203"}
    assert (
        "nn.Conv2d(8, 8, 3, stride=2, padding=1), nn.ReLU()," in (project / "nets.py").read_text()
    )


def test_the_mend_of_a_zoo_name_goes_elsewhere(striate: Striate, project: Path) -> None:
    ended = check(striate, "plain56", "--unsafe-fixes")
    assert "not written: plain56 is a name of the zoo and has no file; --out FILE.toml" in ended.out
    ended = check(striate, "plain56", "--unsafe-fixes", "--out", "mended.toml")
    assert "mended plain56\n  FL201 unproductive-layer\n" in ended.out
    assert from_toml((project / "mended.toml").read_text()).name == "plain56"
    assert "FL201" not in check(striate, "mended.toml").out


def test_settings_of_a_project(striate: Striate, project: Path) -> None:
    (project / "pyproject.toml").write_text(
        '[tool.striate]\ntargets = ["nets.py:Net", "design.toml"]\nimage = "3x32x32"\n'
        'fail-on = "error"\nignore = ["NA"]\n'
    )
    ended = striate("check")
    assert ended.code == 0
    assert "nets.py:Net 3×32×32\n" in ended.out
    assert "design.toml 3×32×32\n" in ended.out
    assert striate("check", "--fail-on", "info").code == 1
    (project / "pyproject.toml").write_text("[tool.striate]\ntarget = []\n")
    error = striate("check").error
    assert error.endswith(
        "pyproject.toml: tool.striate: unknown key 'target'; did you mean targets?"
    )


def test_a_baseline(striate: Striate, project: Path) -> None:
    accepted = ("nets.py:Net", "--baseline", "known.json", "--fail-on", "info")
    ended = check(striate, *accepted, "--write-baseline")
    assert ended.code == 0
    assert re.search(r"note: known\.json: holds \d+ accepted findings now\n", ended.err)
    ended = check(striate, *accepted)
    assert ended.code == 0
    assert re.search(r"no findings in 1 network; \d+ accepted by the baseline\n$", ended.out)


def test_notes_are_said_aside(striate: Striate, project: Path) -> None:
    text = DESIGN.replace("[[stages]]", "[[stages]] # striate: ignore[PA301, FL203]")
    (project / "design.toml").write_text(text)
    ended = check(striate, "design.toml")
    assert ended.err == "note: design.toml:6: ignore[FL203] silences nothing; take it away\n"
    assert ended.out.endswith("no findings in 1 network; 2 silenced\n")
    assert check(striate, "design.toml", "--quiet").err == ""


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["--json", "--format", "sarif"], "--json --format sarif: two ways to write one thing"),
        (["resnet20", "--out", "x.toml"], "--out x.toml: is where a mend goes; add --fix or"),
        (["resnet20", "--format", "xml"], "'xml' is not one of 'text', 'json', 'sarif', 'github'"),
        (["resnet20", "--write-baseline"], "--write-baseline: says nowhere to write; add --base"),
        (["resnet20", "--baseline", "none.json"], "none.json: no such baseline"),
        (["plain20", "plain56", "--fix", "--out", "x"], "--out x: holds one network"),
        ([], "no TARGET; name one, for example striate check resnet18, or list them as targets"),
    ],
)
def test_wrong_words(striate: Striate, words: list[str], error: str) -> None:
    assert error in striate("check", *words).error


def test_colours_and_widths(striate: Striate, project: Path) -> None:
    ended = check(striate, "nets.py:Net", "--diff", columns=80)
    assert "\x1b[32m+    return nn.Sequential(" in ended.out
    assert "\x1b[31m-    return nn.Sequential(" in ended.out


def test_tab_completes_codes(striate: Striate) -> None:
    line = "striate check --select FL20"
    protocol = {"COMP_WORDS": line, "COMP_CWORD": "3", "_STRIATE_COMPLETE": "complete_bash"}
    offered = striate(env=protocol).out.split()
    assert offered == [rule.code for rule in rules() if rule.code.startswith("FL20")]
