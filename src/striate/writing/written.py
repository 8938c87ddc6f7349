"""A class as text: its docstring, what it holds, what it does."""

from __future__ import annotations

from collections.abc import Sequence

from striate.writing.uses import Uses

WIDTH = 100


def write_class(
    name: str, says: str, uses: Uses, init: Sequence[str], forward: Sequence[str], more: str = ""
) -> str:
    """An ``nn.Module``.  ``init`` and ``forward``: lines without indent; ``more``: methods."""
    lines = [f"class {name}(nn.Module):", *docstring(says, 4), ""]
    lines += wrapped_def(f"    def __init__({uses.signature()}) -> None:")
    lines.append("        super().__init__()")
    lines += [wrapped for line in init for wrapped in _wrapped(f"        {line}")]
    lines += ["", "    def forward(self, x: Tensor) -> Tensor:"]
    lines += [f"        {line}" for line in forward]
    text = "\n".join(lines) + "\n"
    return text + (f"\n{more}" if more else "")


def docstring(says: str, indent: int) -> list[str]:
    """A docstring of one or more lines, which nothing that it says can end."""
    pad = " " * indent
    # A network's name is a user's own text; a quote or a backslash would end or change the string.
    says = says.replace("\\", "\\\\").replace('"', '\\"')
    first, *others = says.strip().split("\n")
    if not others:
        return [f'{pad}"""{first}"""']
    return [f'{pad}"""{first}', *(f"{pad}{line}".rstrip() for line in others), f'{pad}"""']


def wrapped_def(line: str) -> list[str]:
    """A ``def`` whose parameters move to a line of their own where it would be too long."""
    if len(line) <= WIDTH:
        return [line]
    before, _, rest = line.partition("(")
    inside, _, after = rest.rpartition(")")
    return [f"{before}(", f"        {inside}", f"    ){after}"]


def _wrapped(line: str) -> list[str]:
    """An assignment whose arguments move to a line of their own where it would be too long."""
    if len(line) <= WIDTH:
        return [line]
    pad = " " * (len(line) - len(line.lstrip()))
    before, _, rest = line.partition("(")
    return [f"{before}(", f"{pad}    {rest[:-1]}", f"{pad})"]


def call(name: str, arguments: Sequence[str], indent: int, *, after: str = ",") -> str:
    """``name(arguments)`` from column ``indent`` on, an argument a line where it must be.

    An argument may be several lines, written as though it began at ``indent + 4``.
    """
    pad = " " * indent
    line = f"{pad}{name}({', '.join(arguments)}){after}"
    if len(line) <= WIDTH and "\n" not in line:
        return line
    inner = " " * (indent + 4)
    return "\n".join([f"{pad}{name}(", *(f"{inner}{one.lstrip()}," for one in arguments),
                      f"{pad}){after}"])  # fmt: skip
