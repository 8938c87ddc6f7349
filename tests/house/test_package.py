"""What a user installs: the version it says it is, and every file it needs."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import striate

# What is imported under another name than it is installed.
NAMES = {
    "PIL": "pillow",
    "griffe": "mkdocstrings",
    "pydantic_core": "pydantic",
    "scipy": "scikit-learn",  # which requires it
    "sklearn": "scikit-learn",
    "vl_convert": "vl-convert-python",
    "yaml": "pyyaml",
}


def test_the_changelog_begins_with_this_version(root: Path) -> None:
    found = re.findall(r"^## \[(.+?)\]", (root / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert found[0] == striate.__version__


@pytest.mark.parametrize("module", [False, True], ids=["striate", "python -m striate"])
def test_version_is_printed(module: bool) -> None:
    program = [str(Path(sys.executable).with_name("striate"))]
    program = [sys.executable, "-m", "striate"] if module else program
    done = subprocess.run([*program, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"striate {striate.__version__}\n"


def test_the_wheel_holds_every_file_of_the_package(
    root: Path, own_files: list[Path], tmp_path: Path
) -> None:
    clone, built = tmp_path / "clone", tmp_path / "built"
    for path in own_files:
        (clone / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / path, clone / path)
    built.mkdir()
    program = f"from setuptools import build_meta; build_meta.build_wheel({str(built)!r})"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=clone, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    (wheel,) = built.glob("*.whl")
    assert wheel.name == f"striate-{striate.__version__}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        held = set(archive.namelist())
        meta = next(name for name in held if name.endswith("entry_points.txt"))
        assert b"striate = striate.cli.start:run" in archive.read(meta)
    source = Path("src")
    wanted = {str(p.relative_to(source)) for p in own_files if p.is_relative_to("src/striate")}
    assert "striate/py.typed" in wanted
    assert "striate/arch/zoo/costs.json" in wanted
    assert wanted - held == set()
    assert any(name.endswith("licenses/LICENSE") for name in held)


def test_no_file_names_a_folder_of_the_machine_it_was_written_on(
    root: Path, own_files: list[Path]
) -> None:
    places = [f"{folder}/" for folder in (root.parent, Path.home()) if len(folder.parts) > 1]
    found = [
        f"{path}: {place}"
        for path in own_files
        for place in places
        if place.encode() in (root / path).read_bytes()
    ]
    assert found == []


def test_no_file_names_an_index_of_packages(root: Path, own_files: list[Path]) -> None:
    hosts = re.compile(rb"--(extra-)?index-url|--find-links|files\.pythonhosted|download\.pytorch")
    # A word cannot be looked for without being written down once: here.
    searched = [path for path in own_files if path.name != Path(__file__).name]
    assert [str(path) for path in searched if hosts.search((root / path).read_bytes())] == []


EXTRAS = ("scale", "hub", "export", "log", "web", "stream")
"""What parts of the program ask for by name where it is not there."""


@pytest.mark.parametrize(
    ("folder", "extras"),
    [
        ("src", EXTRAS),
        ("bench", ("dev", "export")),
        ("tools", ("dev",)),
        ("tests", ("dev", *EXTRAS)),
    ],
)
def test_what_is_imported_is_declared(root: Path, folder: str, extras: tuple[str, ...]) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = [*project["dependencies"]]
    for extra in extras:
        wanted += project["optional-dependencies"][extra]
    if folder in ("bench", "tests"):
        for file in (root / "bench").glob("requirements*.txt"):
            wanted += [line for line in file.read_text("utf-8").splitlines() if line[:1] != "#"]
        wanted += re.findall(r"^PEERS := (.*)", (root / "Makefile").read_text("utf-8"), re.M)[
            0
        ].split()
    declared = {re.split(r"[\[<>=]", line)[0].replace("_", "-").lower() for line in wanted}
    own = {"striate"}  # and what a program of the house imports from the house's own folders
    for place in ("bench", "tools", "tests"):
        own |= {
            name for path in (root / place).rglob("*.py") for name in (path.stem, path.parent.name)
        }
    imported: dict[str, str] = {}
    for path in sorted((root / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                names = [node.module]
            for name in names:
                imported.setdefault(name.split(".")[0], str(path.relative_to(root)))
    missing = {
        name: where
        for name, where in imported.items()
        if name not in sys.stdlib_module_names | own
        and NAMES.get(name, name).replace("_", "-").lower() not in declared
    }
    assert missing == {}
