"""Where in an architecture's TOML each of its parts is written."""

from __future__ import annotations

import re

_STAGE = re.compile(r"^\s*\[\[\s*stages\s*\]\]")
_TABLE = re.compile(r"^\s*\[\s*(stem|head)\s*[\].]")
_KEY = re.compile(r"^\s*(stem|head|stages)\s*[.=]")


def part_lines(text: str) -> dict[str, int]:
    r"""The line (from 1) of ``stem``, ``head`` and each ``stages.N`` that the text writes.

    A part written as an inline table is at its key; stages in one inline list share its line,
    under ``stages``.

    >>> part_lines('name = "n"\n[stem]\nwidth = 8\n[[stages]]\n[[stages]]\n')
    {'stem': 2, 'stages.0': 4, 'stages.1': 5}
    """
    found: dict[str, int] = {}
    stages = 0
    for number, line in enumerate(text.splitlines(), 1):
        if _STAGE.match(line):
            found[f"stages.{stages}"] = number
            stages += 1
        elif (match := _TABLE.match(line) or _KEY.match(line)) is not None:
            found.setdefault(match[1], number)
    return found


def line_of(lines: dict[str, int], path: str) -> int:
    """The line of the part that makes the module at ``path``; 1 for what no part does.

    >>> line_of({"stem": 2, "stages.0": 4}, "stages.0.blocks.1.conv1")
    4
    >>> line_of({"stem": 2, "stages.0": 4}, "head.linear")
    1
    """
    first, _, rest = path.partition(".")
    part = f"stages.{rest.split('.', maxsplit=1)[0]}" if first == "stages" else first
    return lines.get(part) or lines.get(first) or 1
