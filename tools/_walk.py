"""The walk through the chapter's subjects: its pages are run when the docs are built.

A page of ``docs/walk/`` holds words and code, and no number that anybody typed.  Read from top to
bottom, all pages after one another in one folder, each with names of its own:

    ```python             is run; what it prints, and what its last line is, is shown behind it
    ```console            each ``$ striate …`` is run, and what it prints is shown
    {{ EXPRESSION }}      in the words: the expression's value (``{{ params:,}}`` as a format says)
    <!-- figure: EXPRESSION | CAPTION -->   an SVG that ``_walk_figures`` draws, and its caption
    <!-- holds: EXPRESSION -->              what the words claim; the build fails where it is false
    <!-- run: STATEMENTS -->                is run, and not shown

``WalkError`` names the page and the line of what failed.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import io
import os
import re
import tempfile
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import _walk_figures
from _pages import run, session

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "walk"
PAGES = ("index", "features", "shapes", "hierarchy", "residual", "growing")
"""In the order they are run, each with what those before it left in the folder."""

_PART = re.compile(
    r"^```(?P<kind>\w+)\n(?P<code>.*?)^```$"
    r"|^<!-- (?P<what>figure|holds|run):\s(?P<said>.*?)\s-->$"
    r"|\{\{ (?P<value>.+?) ?\}\}",
    re.MULTILINE | re.DOTALL,
)


class WalkError(Exception):
    """A page whose code fails, or whose claim does not hold: page, line and reason."""


@functools.cache
def walk(pages: tuple[tuple[str, str], ...]) -> Mapping[str, str]:
    """(name, source) of the pages in their order, as name and Markdown with all that they gave.

    They are run in a folder of their own, with a cache of their own, which are gone afterwards.
    """
    with tempfile.TemporaryDirectory() as name, _in_folder(Path(name)):
        return {page: rendered(source, page) for page, source in pages}


def sources() -> tuple[tuple[str, str], ...]:
    """The pages as they are written."""
    return tuple((name, (FOLDER / f"{name}.md").read_text(encoding="utf-8")) for name in PAGES)


@contextlib.contextmanager
def _in_folder(folder: Path) -> Iterator[None]:
    before, cache = Path.cwd(), os.environ.get("STRIATE_CACHE")
    os.chdir(folder)
    os.environ["STRIATE_CACHE"] = str(folder / "cache")
    try:
        yield
    finally:
        os.chdir(before)
        os.environ.pop("STRIATE_CACHE")
        if cache is not None:
            os.environ["STRIATE_CACHE"] = cache


def rendered(source: str, page: str) -> str:
    """One page, run in the folder that is current."""
    names: dict[str, Any] = {"__name__": page, **_walk_figures.DRAWN}

    def put(part: re.Match[str]) -> str:
        where = f"{page}.md:{source.count(chr(10), 0, part.start()) + 1}"
        try:
            return _put(part, names)
        except (Exception, SystemExit) as error:  # a page's code may raise anything
            raise WalkError(f"{where}: {type(error).__name__}: {error}") from error

    return _PART.sub(put, source)


def _put(part: re.Match[str], names: dict[str, Any]) -> str:
    if part["value"] is not None:
        return str(eval(f"f'''{{{part['value']}}}'''", names))
    if part["kind"] == "python":
        shown = _executed(part["code"], names)
        return part[0] if not shown else f"{part[0]}\n\n{shown}"
    if part["kind"] == "console":
        printed = [
            f"$ {command}\n{run(command, Path.cwd())}" for command, _ in session(part["code"])
        ]
        return f"```console\n{''.join(printed)}```"
    if part["kind"] is not None:
        return part[0]
    said = part["said"]
    if part["what"] == "run":
        exec(textwrap.dedent(said), names)
        return ""
    if part["what"] == "holds":
        assert eval(said, names), f"does not hold: {said}"
        return ""
    drawn, _, caption = (piece.strip() for piece in said.partition(" | "))
    words = str(eval(f"f'''{caption}'''", names))
    return f"<figure>\n{eval(drawn, names)}\n<figcaption>{words}</figcaption>\n</figure>"


def _executed(code: str, names: dict[str, Any]) -> str:
    """Run the block; what it printed and the value of its last line, as Markdown."""
    tree = ast.parse(code)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    said = io.StringIO()
    value = None
    with contextlib.redirect_stdout(said):
        exec(compile(tree, "<walk>", "exec"), names)
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), "<walk>", "eval"), names)
    text = said.getvalue() + ("" if value is None else f"{value}\n")
    return f"```text\n{text.rstrip()}\n```" if text.strip() else ""
