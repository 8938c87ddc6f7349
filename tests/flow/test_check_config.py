"""``[tool.striate]``: what it says holds, the command line goes before it, and slips are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from striate.errors import InputError
from striate.flow.check_config import Config, find_config
from striate.flow.check_types import Asked

WHOLE = """\
[project]
name = "mine"

[tool.striate]
targets = ["nets/deep.py:Net", "package.nets:Net", "designs/a.toml", "resnet18"]
image = "3x32x32"
memory = "16GiB"
batch = 64
select = ["FL", "PA301"]
ignore = ["fl203"]
fail-on = "error"
baseline = "accepted.json"

[tool.striate.per-target]
"nets/*" = { image = "1x28x28" }
"nets/deep.py:*" = { ignore = ["PA"] }

[tool.striate.per-path]
"legacy/*.py" = ["FL201"]
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").write_text(WHOLE)
    return tmp_path


def test_what_it_says(project: Path) -> None:
    config = find_config(project)
    assert config.targets == (
        "nets/deep.py:Net", "package.nets:Net", "designs/a.toml", "resnet18",
    )  # fmt: skip
    assert (config.fail_on, config.baseline) == ("error", project / "accepted.json")
    assert config.per_path == (("legacy/*.py", ("FL201",)),)
    asked = config.asked_of("resnet18", {})
    assert asked == Asked(
        image="3x32x32", memory="16GiB", batch=64, select=("FL", "PA301"), ignore=("fl203",)
    )
    assert config.asked_of("nets/other.py:Net", {}).image == "1x28x28"
    assert config.asked_of("nets/deep.py:Net", {}).ignore == ("PA",)
    assert config.asked_of("./nets/deep.py:Net", {}).image == "1x28x28"


def test_the_command_line_goes_before(project: Path) -> None:
    asked = find_config(project).asked_of("nets/deep.py:Net", {"image": "8x8", "ignore": ("FL",)})
    assert asked == Asked(
        image="8x8", memory="16GiB", batch=64, select=("FL", "PA301"), ignore=("FL",)
    )


def test_from_a_folder_below(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    below = project / "nets" / "more"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    config = find_config(below)
    assert config.targets[0] == "../deep.py:Net"
    assert config.targets[2] == "../../designs/a.toml"
    assert config.in_project("../deep.py:Net") == "nets/deep.py:Net"
    assert config.asked_of("../deep.py:Net", {}).image == "1x28x28"


def test_the_nearest_that_has_it(project: Path) -> None:
    below = project / "nets"
    below.mkdir()
    (below / "pyproject.toml").write_text("[tool.other]\nx = 1\n")
    assert find_config(below).file == project / "pyproject.toml"
    (below / "pyproject.toml").write_text('[tool.striate]\nimage = "8x8"\n')
    assert find_config(below).file == below / "pyproject.toml"
    assert find_config(below).targets == ()


def test_none_at_all(tmp_path: Path) -> None:
    found = find_config(tmp_path)
    assert found == Config()
    assert found.in_project("nets.py:Net") == "nets.py:Net"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("ingore = []", "tool.striate: unknown key 'ingore'; did you mean ignore?"),
        ("targets = 'a.py:N'", "tool.striate.targets: 'a.py:N' is not a list; write ['a.py:N']"),
        ("targets = [3]", "tool.striate.targets: 3 is not text"),
        ("select = ['XY9']", "tool.striate.select: no rule is called 'XY9'"),
        ("fail-on = 'warn'", "fail-on: unknown value 'warn'; did you mean warning?"),
        ("image = 'big'", "tool.striate.image: big: not a size; write 3x224x224"),
        ("image = [3, 8, 8]", "tool.striate.image: [3, 8, 8] is not a size"),
        ("memory = 'much'", "tool.striate.memory: much: not a size; write 16GiB, 24GB or 512MiB"),
        ("memory = 16", 'tool.striate.memory: 16 is not a size; write "16GiB"'),
        ("batch = 0", "tool.striate.batch: 0 is not a number of images; write 64"),
        ("batch = true", "tool.striate.batch: True is not a number of images; write 64"),
        ("baseline = 3", "tool.striate.baseline: 3 is not a file's name"),
        ("per-path = []", "tool.striate.per-path: [] is not a table"),
        ("per-path = {a = ['Q']}", "tool.striate.per-path.\"a\": no rule is called 'Q'"),
        (
            "per-target = {a = {imag = '8x8'}}",
            "tool.striate.per-target.\"a\": unknown key 'imag'; did you mean image?",
        ),
        ("= 3", "cannot be read: "),
    ],
)
def test_slips(tmp_path: Path, text: str, error: str) -> None:
    (tmp_path / "pyproject.toml").write_text(f"[tool.striate]\n{text}\n")
    with pytest.raises(InputError) as raised:
        find_config(tmp_path)
    said = str(raised.value)
    assert said.startswith(f"{tmp_path}/pyproject.toml: ")
    assert error in said
    assert "\n" not in said
