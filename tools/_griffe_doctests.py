"""Doctest examples in docstrings become code blocks on the docs' pages.

The docstrings are plain Markdown with ``>>>`` examples, which Markdown would read as quotations.
"""

from __future__ import annotations

from typing import Any

import griffe


class Doctests(griffe.Extension):
    """Put fences around every run of lines that begins with ``>>>`` and ends at a blank line."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        if obj.docstring:
            obj.docstring.value = fenced(obj.docstring.value)


def fenced(text: str) -> str:
    """The docstring with its examples between fences."""
    out: list[str] = []
    inside, indent = False, 0
    for line in text.splitlines():
        if not inside and line.lstrip().startswith(">>>"):
            out += ["", "```pycon"]
            inside, indent = True, len(line) - len(line.lstrip())
        elif inside and not line.strip():
            out.append("```")
            inside = False
        out.append(line[indent:] if inside else line)
    if inside:
        out.append("```")
    return "\n".join(out)
