"""The README and the docs do what they show: ``tools/_pages.py`` says how their blocks are read."""

from __future__ import annotations

import doctest
import re
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from _pages import FENCE, agrees, blocks, make_photographs, run, session, shortened
from striate.cli.main import app

ROOT = Path(__file__).resolve().parents[2]
GENERATED = {"reference", "walk"}  # the walk is run by tools/_walk.py
PAGES = [
    ROOT / "README.md",
    *(
        path
        for path in sorted((ROOT / "docs").rglob("*.md"))
        if path.relative_to(ROOT / "docs").parts[0] not in GENERATED
    ),
]

_OPTION = re.compile(r"(?<![\w-])(--[a-z][a-z-]+|-[a-z])(?![\w-])")
_INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")


def _name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def _commands() -> dict[str, set[str]]:
    """Every command's options."""
    commands: dict[str, Any] = get_command(app).commands
    return {
        name: {o for p in command.params for o in [*p.opts, *p.secondary_opts] if o[0] == "-"}
        | {"--help", "-h"}
        for name, command in commands.items()
    }


COMMANDS = _commands()
TOP = {"--version", "--help", "-h", "--install-completion", "--show-completion"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a page's commands run: with two classes of small photographs, as a user has them."""
    make_photographs(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_a_page_does_what_it_shows(page: Path, folder: Path) -> None:
    names: dict[str, Any] = {"__name__": page.stem}
    for block in blocks(page):
        if block.title:
            (folder / block.title).write_text(block.text, encoding="utf-8")
        elif block.kind == "console":
            for command, shown in session(block.text):
                printed = run(command, folder)
                assert agrees(shown, printed), f"$ {command}\nprinted:\n{printed}\nshown:\n{shown}"
        elif block.kind == "python" and ">>>" in block.text:
            _doctest(block.text, names, _name(page))
        elif block.kind == "python":
            exec(compile(block.text, _name(page), "exec"), names)


def _doctest(text: str, names: dict[str, Any], where: str) -> None:
    test = doctest.DocTestParser().get_doctest(text, names, where, where, 0)
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    said: list[str] = []
    result = doctest.DocTestRunner(optionflags=flags).run(test, out=said.append, clear_globs=False)
    names.update(test.globs)
    assert result.failed == 0, "".join(said)


def _shell_lines(page: Path) -> list[str]:
    """Every command line on a page: in console and sh blocks, and in the text's code spans."""
    text = page.read_text(encoding="utf-8")
    lines = [command for b in blocks(page) if b.kind == "console" for command, _ in session(b.text)]
    for block in blocks(page):
        if block.kind in ("sh", "yaml"):
            lines += block.text.replace("\\\n", "").splitlines()
    return [*lines, *_INLINE.findall(FENCE.sub("", text))]


@pytest.mark.parametrize(
    "page",
    [
        *PAGES,
        *sorted((ROOT / "docs" / "walk").glob("*.md")),
        ROOT / "CONTRIBUTING.md",
        ROOT / "CHANGELOG.md",
    ],
    ids=_name,
)
def test_commands_options_and_targets_that_are_named_exist(page: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    every = set[str]().union(TOP, *COMMANDS.values())
    wrong: list[str] = []
    for line in _shell_lines(page):
        words = line.split("#")[0].split()
        if words[:1] == ["make"]:
            wrong += [word for word in words[1:] if "=" not in word and word not in targets]
        elif "striate" in words:
            rest = words[words.index("striate") + 1 :]
            command = rest[0] if rest else ""
            if command in COMMANDS:
                options = _OPTION.findall(" ".join(rest))
                wrong += [f"{line}: {o}" for o in options if o not in COMMANDS[command]]
            elif command and not command.startswith("-"):
                wrong.append(f"{line}: no command {command}")
        elif line.startswith("-"):
            wrong += [f"{line}: {o}" for o in _OPTION.findall(line) if o not in every]
    assert wrong == []


def test_every_command_is_in_the_readme() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [name for name in COMMANDS if f"striate {name}" not in text] == []


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_option_is_documented(command: str) -> None:
    page = (ROOT / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")
    section = page.split(f"## striate {command}\n")[1].split("\n## ")[0]
    assert [o for o in COMMANDS[command] - {"--help", "-h"} if f"`{o}`" not in section] == []


def test_links_between_files_of_the_readme_exist() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#]+)", text) if "://" not in link]
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ("a … c", "a b c\n", True),
        ("a … c", "a b\nb c\n", False),
        ("a\n…\nd", "a\nb\nc\nd\n", True),
        ("a\n…\nd", "a\nd\n", True),
        ("a\nd", "a\nb\nd\n", False),
        ("a (1+1)", "a (1+1)\n", True),
        ("loss 0.1 · 2,000 images/s", "loss 12.345 · 7 images/s\n", True),
        ("loss 0.1 · 2,000 images", "loss 0.1 · 7 images\n", False),
        ("…", "", True),
    ],
)
def test_how_shown_and_printed_are_compared(shown: str, printed: str, same: bool) -> None:
    assert agrees(shown, printed) is same


def test_a_page_that_is_written_anew_leaves_out_what_it_left_out() -> None:
    shown = "Data\n  10 images\n…\n\nTest  accuracy 90% on 10 images\n…"
    printed = "Data\n  12 images\n  new\n  newer\n\nTest  accuracy 91% on 12 images\nReport\n"
    written = shortened(printed, shown)
    assert written == "Data\n  12 images\n…\n\nTest  accuracy 91% on 12 images\nReport\n"
    assert agrees(written, printed)
