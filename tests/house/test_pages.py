"""The README and the docs do what they show.

A fenced block is tested by its kind, in the order of its page, in a folder of the page's own:

    ```console               each ``$ striate …`` is run and its output compared; ``…`` stands for
                             whatever is there, alone on a line for any number of lines
    ```python                is run; with ``>>>`` as a doctest, output and all
    ```python title="NAME"   (or toml) is written as the file NAME first
    ```sh                    is not run, but its commands, options and targets must exist

A page that trains runs for seconds; the pages' folder has a ``photos`` folder of small pictures.
"""

from __future__ import annotations

import doctest
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.main import get_command

from striate.cli.main import app

ROOT = Path(__file__).resolve().parents[2]
GENERATED = {"reference"}
PAGES = [
    ROOT / "README.md",
    *(
        path
        for path in sorted((ROOT / "docs").rglob("*.md"))
        if path.relative_to(ROOT / "docs").parts[0] not in GENERATED
    ),
]
PROGRAM = Path(sys.executable).with_name("striate")

_FENCE = re.compile(
    r'^```(?P<kind>\w+)(?: title="(?P<title>[^"]+)")?\n(?P<text>.*?)^```$', re.MULTILINE | re.DOTALL
)
_OPTION = re.compile(r"(?<![\w-])(--[a-z][a-z-]+|-[a-z])(?![\w-])")
_INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")


@dataclass(frozen=True, kw_only=True)
class Block:
    """A fenced block: its kind, the file it is (or an empty string) and its text."""

    kind: str
    title: str
    text: str


def blocks(page: Path) -> list[Block]:
    return [
        Block(kind=found["kind"], title=found["title"] or "", text=found["text"])
        for found in _FENCE.finditer(page.read_text(encoding="utf-8"))
    ]


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


def session(text: str) -> list[tuple[str, str]]:
    """A console block as (command, output that is shown) pairs."""
    pairs: list[tuple[str, list[str]]] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            pairs.append((line[2:], []))
        else:
            pairs[-1][1].append(line)
    return [(command, "\n".join(output).strip("\n")) for command, output in pairs]


def pattern(shown: str) -> re.Pattern[str]:
    """What matches a shown output: ``…`` matches within a line, or any lines where it is alone."""
    parts: list[str] = []
    for line in shown.splitlines():
        if line.strip() == "…":
            parts.append(r"(?:[^\n]*\n)*?")
        else:
            parts.append("[^\n]*?".join(re.escape(bit) for bit in line.rstrip().split("…")) + "\n")
    return re.compile("".join(parts))


def tidy(output: str) -> str:
    """Output without trailing spaces and without empty lines around it."""
    lines = "\n".join(line.rstrip() for line in output.splitlines()).strip("\n")
    return lines + "\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a page's commands run: with two classes of small photographs, as a user has them."""
    for number, name in enumerate(("cat", "dog")):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for index in range(30):
            rows, columns = np.mgrid[0:40, 0:48]
            wave = np.sin((columns if number else rows) * (0.3 + index / 60) + index)
            pixels = np.stack([120 + 90 * wave, 100 + 60 * wave, 90 + 0 * wave], axis=-1)
            Image.fromarray(pixels.astype(np.uint8)).save(
                tmp_path / "photos" / name / f"{index:03d}.png"
            )
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
                _run(command, shown, folder)
        elif block.kind == "python" and ">>>" in block.text:
            _doctest(block.text, names, _name(page))
        elif block.kind == "python":
            exec(compile(block.text, _name(page), "exec"), names)


def _run(command: str, shown: str, folder: Path) -> None:
    words = shlex.split(command)
    assert words[0] == "striate", f"only striate is run in a console block; put {command!r} in sh"
    environment = {**os.environ, "COLUMNS": "80", "TERM": "dumb", "NO_COLOR": "1"}
    environment.pop("FORCE_COLOR", None)
    done = subprocess.run(
        [PROGRAM, *words[1:]],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1, 2), done.stdout
    assert "Traceback" not in done.stdout, done.stdout
    printed = tidy(done.stdout)
    assert pattern(shown).fullmatch(printed), f"$ {command}\nprinted:\n{printed}\nshown:\n{shown}"


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
            lines += block.text.splitlines()
    return [*lines, *_INLINE.findall(_FENCE.sub("", text))]


@pytest.mark.parametrize(
    "page", [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"], ids=_name
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
                wrong += [
                    f"{line}: {o}" for o in _OPTION.findall(line) if o not in COMMANDS[command]
                ]
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
        ("…", "", True),
    ],
)
def test_how_shown_and_printed_are_compared(shown: str, printed: str, same: bool) -> None:
    assert bool(pattern(shown).fullmatch(printed)) is same
