"""Comments, settings per path and baselines: what they leave out, and what is said of them."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from striate.errors import InputError
from striate.flow.check_config import find_config
from striate.flow.check_project import Report, Request, check_project

NETS = """\
from torch import nn


def conv(width):
    return nn.Conv2d(width, 8, 3, padding=1)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            conv(3),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            conv(8),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Conv2d(8, 8, 1, stride=2),
            nn.ReLU(),
        )
        self.last = nn.Linear(8, 10)

    def forward(self, image):
        maps = self.body(image)
        return self.last(maps.mean((2, 3)))


class Other(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8))
"""
CONV, STRIDED = (
    "    return nn.Conv2d(width, 8, 3, padding=1)",
    "            nn.Conv2d(8, 8, 1, stride=2),",
)
CALL = "        maps = self.body(image)"


@pytest.fixture
def nets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nets.py").write_text(NETS)
    monkeypatch.delitem(sys.modules, "nets", raising=False)  # of another test
    known = set(sys.modules)
    yield tmp_path / "nets.py"
    for name in set(sys.modules) - known:
        if name == "nets" or name.startswith("striate_target_"):
            del sys.modules[name]


def checked(*targets: str, **more: Any) -> Report:
    given = {"image": "3x16x16", **more.pop("given", {})}
    return check_project(
        Request(config=find_config(Path.cwd()), targets=targets, given=given, **more)
    )


def found(report: Report) -> list[tuple[str, str]]:
    return [(finding.code, finding.path) for one in report.checked for finding in one.findings]


EVERY = [("PA301", "body.0"), ("PA301", "body.3"), ("FL203", "body.6")]


def test_what_there_is(nets: Path) -> None:
    report = checked("nets.py:Net")
    assert found(report) == EVERY
    assert (report.silenced, report.accepted, report.notes) == (0, 0, ())


@pytest.mark.parametrize(
    ("line", "comment", "left"),
    [
        (CONV, "# striate: ignore[PA301]", EVERY[2:]),
        (CONV, "# striate: ignore[bias-before-norm]", EVERY[2:]),
        (CONV, "# noqa  # striate: ignore[ FL203 , PA ]", EVERY[2:]),
        (STRIDED, "#striate:ignore[FL203]", EVERY[:2]),
        (CALL, "# striate: ignore[FL203, PA301]", []),
    ],
)
def test_comments(nets: Path, line: str, comment: str, left: list[tuple[str, str]]) -> None:
    """At the line that makes the module, or that calls it."""
    nets.write_text(NETS.replace(line, f"{line}  {comment}"))
    report = checked("nets.py:Net")
    assert found(report) == left
    assert report.silenced == len(EVERY) - len(left)
    idle = "ignore[FL203] silences nothing" if "PA ]" in comment else None
    assert [idle in note for note in report.notes if idle] == [True] * bool(idle)


@pytest.mark.parametrize(
    ("line", "comment", "note"),
    [
        (CONV, "# striate: ignore[FL203]", "nets.py:5: ignore[FL203] silences nothing; take it"),
        (CONV, "# striate: ignore[PA310]", "nets.py:5: no rule is called 'PA310'; did you mean"),
        (CONV, "# striate: ignore", "nets.py:5: ignore names no rule; write # striate: ignore["),
        ("        self.last = nn.Linear(8, 10)", "# striate: ignore[PA301]",
         "nets.py:21: ignore[PA301] silences nothing; take it away"),
    ],
)  # fmt: skip
def test_comments_that_do_nothing_are_said_aloud(
    nets: Path, line: str, comment: str, note: str
) -> None:
    nets.write_text(NETS.replace(line, f"{line}  {comment}"))
    report = checked("nets.py:Net")
    assert found(report) == EVERY
    (said,) = report.notes
    assert said.startswith(note)


def test_what_was_not_looked_at_is_not_called_idle(nets: Path) -> None:
    """A comment in another network, or on a rule that was not asked for; and in a string."""
    other = "super().__init__(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8))"
    text = NETS.replace(other, f"{other}  # striate: ignore[PA301]")
    text = text.replace(CONV, f"{CONV}  # striate: ignore[PA301]")
    nets.write_text(text + '\nSAID = "# striate: ignore[FL203]"\n')
    report = checked("nets.py:Net", given={"select": ("FL203",)})
    assert (found(report), report.notes) == (EVERY[2:], ())
    assert checked("nets.py:Net", "nets.py:Other").notes == ()


def test_comments_in_toml(nets: Path) -> None:
    text = """\
name = "n"
image = [3, 16, 16]
classes = 10
bias = true
[[stages]] # striate: ignore[PA301]
block = "conv"
depth = 2
width = 8
[[stages]]
block = "conv"
depth = 1
width = 8
"""
    nets.with_name("a.toml").write_text(text)
    report = checked("a.toml")
    assert found(report) == [("PA301", "stages.1.blocks.0.conv")]
    assert [f.source for one in report.checked for f in one.findings] == ["a.toml:9"]
    assert report.silenced == 2


def test_per_path(nets: Path) -> None:
    settings = '[tool.striate.per-path]\n"net*.py" = ["PA301"]\n"other.py" = ["FL203"]\n'
    nets.with_name("pyproject.toml").write_text(settings)
    report = checked("nets.py:Net")
    assert (found(report), report.silenced) == (EVERY[2:], 2)


def test_targets_of_the_settings(nets: Path) -> None:
    nets.with_name("pyproject.toml").write_text('[tool.striate]\ntargets = ["nets.py:Net"]\n')
    assert [one.target for one in checked().checked] == ["nets.py:Net"]
    assert [one.target for one in checked("resnet20").checked] == ["resnet20"]


def test_a_target_that_is_broken_does_not_stop_the_rest(nets: Path) -> None:
    report = checked("nets.py:Nett", "nets.py:Net", "nowhere.py:Net")
    assert [one.error for one in report.checked] == [
        "nets.py:Nett: nets.py has no 'Nett'; did you mean Net?",
        None,
        "nowhere.py: no such file",
    ]
    assert found(report) == EVERY


def test_a_baseline_outlives_changes(nets: Path) -> None:
    file = Path("accepted.json")
    report = checked("nets.py:Net", baseline=file, accept=True)
    assert (found(report), report.accepted) == ([], 3)
    assert report.notes == ("accepted.json: holds 3 accepted findings now",)
    assert json.loads(file.read_text())["findings"][0] == {
        "target": "nets.py:Net", "code": "FL203", "path": "body.6",
        "line": "nn.Conv2d(8, 8, 1, stride=2),",
    }  # fmt: skip
    assert found(checked("nets.py:Net", baseline=file)) == []
    # Lines move, and one more layer shifts the paths of those behind it.
    moved = NETS.replace(
        "            conv(3),\n", "            conv(3),\n            nn.Identity(),\n"
    )
    nets.write_text(f"\n\n{moved}")
    report = checked("nets.py:Net", baseline=file)
    assert (found(report), report.accepted, report.notes) == ([], 3, ())
    # What is new is found, and an entry is spent once.
    more = "            conv(8),\n            nn.BatchNorm2d(8),\n            nn.ReLU(),\n        )"
    nets.write_text(
        moved.replace("            nn.ReLU(),\n        )", f"            nn.ReLU(),\n{more}")
    )
    report = checked("nets.py:Net", baseline=file)
    assert found(report) == [("PA301", "body.9")]
    # What is mended is said to be gone.
    nets.write_text(NETS.replace("padding=1)", "padding=1, bias=False)"))
    report = checked("nets.py:Net", baseline=file)
    assert (found(report), report.accepted) == ([], 1)
    assert report.notes == (
        "accepted.json: 2 findings of it are found no more; --write-baseline tidies it",
    )


def test_a_baseline_speaks_of_its_targets_alone(nets: Path) -> None:
    file = Path("accepted.json")
    checked("nets.py:Net", "nets.py:Other", baseline=file, accept=True)
    report = checked("nets.py:Other", baseline=file)
    assert (found(report), report.accepted, report.notes) == ([], 1, ())
    assert found(checked("nets:Net", baseline=file)) == EVERY  # another name, another target
    assert found(checked("./nets.py:Net", baseline=file)) == EVERY
    nets.with_name("pyproject.toml").write_text('[tool.striate]\nbaseline = "accepted.json"\n')
    assert found(checked("./nets.py:Net")) == []  # with a project, its own name for the file


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (None, "accepted.json: no such baseline; --write-baseline makes one"),
        ("{", "accepted.json: is no baseline (Expecting"),
        ("{}", "accepted.json: is no baseline; --write-baseline makes one"),
        ('{"striate-baseline": 2}', "accepted.json: is a baseline of version 2, and this striate"),
        ('{"striate-baseline": 1, "findings": [{"x": 1}]}', "accepted.json: is no baseline;"),
    ],
)
def test_a_baseline_that_is_none(nets: Path, text: str | None, error: str) -> None:
    if text is not None:
        Path("accepted.json").write_text(text)
    with pytest.raises(InputError) as raised:
        checked("resnet20", baseline=Path("accepted.json"))
    assert str(raised.value).startswith(error)


def test_nowhere_to_write(nets: Path) -> None:
    with pytest.raises(InputError, match="--write-baseline: says nowhere to write; add --baseline"):
        checked("resnet20", accept=True)


def test_mends_leave_alone_what_is_left_out(nets: Path) -> None:
    nets.write_text(NETS.replace(CONV, f"{CONV}  # striate: ignore[PA301]"))
    report = checked("nets.py:Net", mends="all")
    assert [finding.code for one in report.fixed for finding in one.mended] == ["FL203"]
    assert "bias=False" not in nets.read_text()
    assert found(report) == []  # what is found afterwards is what the file holds now
    assert "nn.Conv2d(8, 8, 3, stride=2, padding=1)" in nets.read_text()
