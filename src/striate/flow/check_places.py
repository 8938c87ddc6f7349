"""Where a finding is shown to be: the user's own line, never one of striate's.

A network built from an architecture was made by lines of striate's building room.  What a user can
change is the TOML, so its findings are put there; those of a zoo name have no line at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from striate.arch.lines import line_of, part_lines
from striate.flow.targets import Target
from striate.records import Finding


def placed(
    findings: Sequence[Finding], target: Target, text: str | None = None
) -> tuple[Finding, ...]:
    """``findings`` of ``target``, each at a line that the user can change, or at none.

    ``text``: of the TOML, where it is not that of the file.
    """
    if target.arch is None:
        return tuple(findings)
    if not target.text.endswith(".toml"):
        return tuple(replace(finding, source=None, defined=None) for finding in findings)
    path = Path(target.text)
    lines = part_lines(path.read_text(encoding="utf-8") if text is None else text)
    return tuple(
        replace(finding, source=place, defined=place)
        for finding in findings
        for place in [f"{path}:{line_of(lines, finding.path)}"]
    )


def toml_lines(target: Target) -> set[str]:
    """The lines of an architecture's file that make its parts; none for a zoo name."""
    if not target.text.endswith(".toml"):
        return set()
    path = Path(target.text)
    lines = part_lines(path.read_text(encoding="utf-8"))
    return {f"{path}:{line}" for line in {1, *lines.values()}}


def part_of(path: str) -> str:
    """The part of an architecture that a module belongs to, by its key; else the module itself.

    >>> part_of("stages.2.blocks.0.conv1"), part_of("stem.pool"), part_of("layer1.0.conv1")
    ('stages.2', 'stem', 'layer1.0.conv1')
    """
    words = path.split(".")
    if place_name(path) is None:
        return path
    return ".".join(words[:2]) if words[0] == "stages" else words[0]


def place_name(path: str) -> str | None:
    """The part of an architecture that a module belongs to, in words; None where it is in none.

    >>> place_name("stages.2.blocks.0.conv1"), place_name("stem.pool"), place_name("")
    ('stage 3, block 1', 'stem', None)
    """
    words = path.split(".")
    if words[0] in ("stem", "head"):
        return words[0]
    if words[0] != "stages" or len(words) < 2 or not words[1].isdigit():
        return None
    stage = f"stage {int(words[1]) + 1}"
    if len(words) > 3 and words[2] == "blocks" and words[3].isdigit():
        return f"{stage}, block {int(words[3]) + 1}"
    return stage
