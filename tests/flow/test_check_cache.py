"""Remembered results: taken when nothing they came from has changed, and never otherwise."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest

from striate.flow.check import check_targets
from striate.flow.check_cache import recall
from striate.flow.check_sources import drawn_in, is_library, users_modules
from striate.flow.check_types import Asked, Checked

PACKAGE = {
    "nets/__init__.py": "from nets import small\n",
    "nets/small.py": "from nets.parts import *\nfrom . import widths\n\n\nclass Net(Strided):\n"
    "    pass\n",
    "nets/parts.py": "from pathlib import Path\n\nfrom torch import nn\n\nfrom nets import widths\n"
    "\n\n"
    "class Strided(nn.Sequential):\n    def __init__(self):\n        import late\n"
    "        width = int(Path('width.txt').read_text()) * widths.TIMES * late.ONE\n"
    "        super().__init__(nn.Conv2d(3, width, 1, 2), nn.ReLU(), nn.Conv2d(width, 8, 3))\n",
    "nets/widths.py": "TIMES = 2\n",
    "nets/unused.py": "raise ImportError('nobody asked')\n",
    "late.py": "ONE = 1\n",
    "width.txt": "8\n",
    "other.py": "from torch import nn\n\n\nclass Net(nn.Sequential):\n    def __init__(self):\n"
    "        super().__init__(nn.Conv2d(3, 8, 1, 2), nn.ReLU(), nn.Conv2d(8, 8, 3))\n",
    "design.toml": 'name = "n"\nimage = [3, 16, 16]\nclasses = 10\nbias = true\n[[stages]]\n'
    'block = "conv"\ndepth = 1\nwidth = 8\n',
}
TARGETS = ("nets.small:Net", "other.py:Net", "design.toml", "resnet20")
ASKED = Asked(image="3x16x16")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    for name, text in PACKAGE.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.fixture(autouse=True)
def _forget(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(sys.modules):
        if name.split(".")[0] in ("nets", "late", "other") or name.startswith("striate_target_"):
            monkeypatch.delitem(sys.modules, name)


def check_all() -> list[Checked]:
    for name in list(sys.modules):  # as a new process would
        if name.split(".")[0] in ("nets", "late", "other"):
            del sys.modules[name]
    return list(check_targets(TARGETS, dict.fromkeys(TARGETS, ASKED), cache=True))


def test_a_second_run_says_the_same(project: Path) -> None:
    assert [recall(target, ASKED) for target in TARGETS] == [None] * 4
    first = check_all()
    assert [one.error for one in first] == [None] * 4
    assert sum(len(one.findings) for one in first) > 2
    remembered = [recall(target, ASKED) for target in TARGETS]
    for one, other in zip(first, remembered, strict=True):
        assert other is not None
        assert asdict(other) == asdict(one)


@pytest.mark.parametrize(
    ("file", "text", "again"),
    [
        ("nets/small.py", "\n", {0}),
        ("nets/parts.py", "\n", {0}),
        ("nets/widths.py", "TIMES = 3\n", {0}),
        ("nets/__init__.py", "\n", {0}),
        ("late.py", "\n", {0}),
        ("width.txt", "9\n", {0, 1}),  # read on the way to the first; other Python plays safe
        ("nets/unused.py", "\n", set()),
        ("other.py", "\n", {1}),
        ("design.toml", "# hm\n", {2}),
    ],
)
def test_what_has_changed_is_checked_anew(
    project: Path, file: str, text: str, again: set[int]
) -> None:
    check_all()
    path = project / file
    path.write_text(text if file == "width.txt" else PACKAGE[file] + text)
    remembered = [recall(target, ASKED) for target in TARGETS]
    assert {number for number, one in enumerate(remembered) if one is None} == again
    path.write_text(PACKAGE[file])  # it is the content that counts, and no clock
    assert None not in [recall(target, ASKED) for target in TARGETS]
    path.unlink()
    gone = {number for number, target in enumerate(TARGETS) if recall(target, ASKED) is None}
    assert gone == again


@pytest.mark.parametrize(
    "change",
    [
        lambda patch, folder: patch.setenv("PYTHONPATH", str(folder)),
        lambda patch, folder: patch.chdir(folder / "nets"),
        lambda patch, folder: patch.setenv("STRIATE_CACHE", str(folder / "elsewhere")),
    ],
)
def test_what_else_decides(
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[pytest.MonkeyPatch, Path], None],
) -> None:
    check_all()
    assert recall("resnet20", ASKED) is not None
    assert recall("resnet20", Asked(image="3x16x16", ignore=("SH101",))) is None
    assert recall("resnet20", Asked()) is None
    change(monkeypatch, project)
    assert recall("resnet20", ASKED) is None


def test_a_large_file_is_not_read_each_time(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = project / "weights.bin"
    with weights.open("wb") as file:
        file.truncate((1 << 24) + 1)
    text = PACKAGE["other.py"].replace("import nn\n", "import nn\nopen('weights.bin').close()\n")
    (project / "other.py").write_text(text)
    check_all()
    assert recall("other.py:Net", ASKED) is not None
    monkeypatch.setattr(Path, "read_bytes", refuse_weights(Path.read_bytes))
    assert recall("other.py:Net", ASKED) is not None
    with weights.open("ab") as file:
        file.write(b"more")
    assert recall("other.py:Net", ASKED) is None


def refuse_weights(real: Callable[[Path], bytes]) -> Callable[[Path], bytes]:
    def read(path: Path) -> bytes:
        assert path.name != "weights.bin"
        return real(path)

    return read


def test_errors_are_not_remembered(project: Path) -> None:
    (project / "other.py").write_text("raise ValueError('not yet')\n")
    assert "not yet" in str(check_all()[1].error)
    assert recall("other.py:Net", ASKED) is None


def test_a_broken_memory_is_none(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = project / "cache"
    monkeypatch.setenv("STRIATE_CACHE", str(cache))
    check_all()
    for file in (cache / "check").iterdir():
        for broken in ("", "{}", '{"files": {}, "checked": {"target": "x"}}', "[1]"):
            file.write_text(broken)
            assert [recall(target, ASKED) for target in TARGETS].count(None) >= 1
    assert [one.error for one in check_all()] == [None] * 4


def test_a_memory_that_cannot_be_written(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "file").write_text("")
    monkeypatch.setenv("STRIATE_CACHE", str(project / "file"))
    assert [one.error for one in check_all()] == [None] * 4
    assert recall("resnet20", ASKED) is None


def test_what_a_module_draws_in(project: Path) -> None:
    check_all()
    files = {path.relative_to(project).as_posix() for path in drawn_in("nets.small")}
    assert files == {
        "nets/__init__.py", "nets/small.py", "nets/parts.py", "nets/widths.py", "late.py",
    }  # fmt: skip


def test_a_module_that_imports_by_other_means_draws_in_all(project: Path) -> None:
    (project / "late.py").write_text(
        "import importlib\nONE = importlib.import_module('other') and 1\n"
    )
    check_all()
    assert project / "other.py" in drawn_in("nets.small")
    assert set(users_modules().values()) == drawn_in("nets.small")


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        (subprocess.__file__, True),
        (pytest.__file__, True),
        (sys.modules["striate.flow.check"].__file__, True),
        (__file__, False),
        ("/home/me/.venv/lib/python3.12/site-packages/x.py", True),
        ("<string>", True),
    ],
)
def test_what_is_a_library(file: str, expected: bool) -> None:
    assert is_library(file) is expected


def test_a_remembered_run_loads_neither_torch_nor_the_users_code(project: Path) -> None:
    """Twenty targets, the second time: in a process of its own."""
    nets = "\n\n\n".join(
        f"class Net{n}(nn.Sequential):\n    def __init__(self):\n"
        f"        super().__init__(nn.Conv2d(3, {8 + n}, 1, 2))"
        for n in range(17)
    )
    (project / "many.py").write_text(f"from torch import nn\n\n\n{nets}\n")
    targets = [*(f"many.py:Net{n}" for n in range(17)), *TARGETS[1:]]
    asked = dict.fromkeys(targets, ASKED)
    first = list(check_targets(targets, asked, cache=True))
    program = f"""
import sys
from striate.cli.main import outcome
code = outcome(["check", "--image", "3x16x16", *{targets!r}])
loaded = [name for name in ("torch", "libcst", "many", "other") if name in sys.modules]
print(code, loaded, any(name.startswith("striate_target") for name in sys.modules))
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines()[-1] == "1 [] False", done.stderr
    count = sum(len(one.findings) for one in first)
    assert done.stdout.count("kernel-smaller-than-stride") == 18
    assert count >= 18
