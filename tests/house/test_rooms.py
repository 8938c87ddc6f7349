"""Someone new opens the tree and knows where a thing lives: what every room and file owes them."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src" / "striate"
FILES = sorted(SOURCE.rglob("*.py"))
ROOMS = sorted(path.parent.name for path in SOURCE.glob("*/__init__.py"))


def test_there_are_rooms() -> None:
    assert {"arch", "building", "checking", "cli", "data", "flow"} < set(ROOMS)


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_says_what_comes_in_and_out_and_what_it_may_import(room: str) -> None:
    said = ast.get_docstring(ast.parse((SOURCE / room / "__init__.py").read_text("utf-8"))) or ""
    for word in ("Comes in:", "Goes out:", "May import:"):
        assert word in said, f"the docstring of striate.{room} does not say {word!r}"


def test_every_file_says_what_it_is() -> None:
    silent = [
        str(path.relative_to(SOURCE))
        for path in FILES
        if not ast.get_docstring(ast.parse(path.read_text("utf-8")))
    ]
    assert silent == []


def test_files_can_be_read_at_one_sitting() -> None:
    lines = {
        str(path.relative_to(SOURCE)): len(path.read_text("utf-8").splitlines()) for path in FILES
    }
    assert {name: count for name, count in lines.items() if count > 400} == {}


def test_every_folder_with_code_is_a_package() -> None:
    bare = {
        str(path.parent.relative_to(SOURCE))
        for path in FILES
        if not (path.parent / "__init__.py").exists()
    }
    assert bare == set()


def test_tests_mirror_the_rooms() -> None:
    tests = Path(__file__).resolve().parents[1]
    folders = {path.name for path in tests.iterdir() if path.is_dir() and any(path.glob("*.py"))}
    assert folders - {"house"} <= set(ROOMS)
