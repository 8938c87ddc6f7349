"""A network's source file as something to edit, call by call, and the lines an edit touched."""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

HEALTHY = Path(__file__).resolve().parent / "healthy"

PARAMETERS = {
    "Conv2d": [
        "in_channels",
        "out_channels",
        "kernel_size",
        "stride",
        "padding",
        "dilation",
        "groups",
        "bias",
        "padding_mode",
    ],
    "ConvTranspose2d": [
        "in_channels",
        "out_channels",
        "kernel_size",
        "stride",
        "padding",
        "output_padding",
        "groups",
        "bias",
        "dilation",
    ],
    "MaxPool2d": ["kernel_size", "stride", "padding", "dilation", "return_indices", "ceil_mode"],
    "AvgPool2d": ["kernel_size", "stride", "padding", "ceil_mode", "count_include_pad"],
    "AdaptiveAvgPool2d": ["output_size"],
    "Linear": ["in_features", "out_features", "bias"],
    "BatchNorm2d": ["num_features", "eps", "momentum", "affine", "track_running_stats"],
    "GroupNorm": ["num_groups", "num_channels", "eps", "affine"],
}
ACTIVATIONS = ("F.relu", "F.silu", "F.gelu", "self.relu", "self.act", "self.act1", "self.act2")


@dataclass(frozen=True)
class Mutant:
    """A healthy network with one fault.

    ``kind``: its name in ``kinds.py``.  ``net``: the healthy network's.  ``where``: what was
    planted, in words.  ``text``: the whole source.  ``image``: what it is given.  ``lines``: the
    lines of ``text`` that were touched, or next to which something was taken away.  ``paths``:
    modules that were touched where no line says so.  ``before``: layers before the touched ones
    are as good a place (a gradient that is cut).  ``batch``: images in a training step.  ``gone``:
    the class and name of every module that a line changed or taken away spoke of.
    """

    kind: str
    net: str
    where: str
    text: str
    image: tuple[int, int, int]
    lines: frozenset[int] = frozenset()
    paths: tuple[str, ...] = ()
    before: bool = False
    batch: int | None = None
    gone: frozenset[tuple[str, str]] = frozenset()


@dataclass
class Program:
    """One healthy file.  Edits give new text; the file stays as it is."""

    name: str
    text: str = ""
    tree: ast.Module = field(init=False)

    def __post_init__(self) -> None:
        self.text = self.text or (HEALTHY / f"{self.name}.py").read_text("utf-8")
        self.tree = ast.parse(self.text)

    @property
    def image(self) -> tuple[int, int, int]:
        """``IMAGE``, read without running the file."""
        for node in self.tree.body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "IMAGE":
                return tuple(ast.literal_eval(node.value))
        raise ValueError(f"{self.name}: no IMAGE")

    def calls(self, *names: str) -> Iterator[ast.Call]:
        """Calls of ``nn.<name>`` in the order of the file."""
        wanted = {f"nn.{name}" for name in names}
        return (call for call in self._calls() if ast.unparse(call.func) in wanted)

    def activations(self) -> Iterator[ast.Call]:
        """Calls of an activation on one value, inside a ``forward``."""
        return (
            call
            for call in self._calls()
            if ast.unparse(call.func) in ACTIVATIONS and len(call.args) == 1
        )

    def _calls(self) -> Iterator[ast.Call]:
        found = [node for node in ast.walk(self.tree) if isinstance(node, ast.Call)]
        return iter(sorted(found, key=lambda call: (call.lineno, call.col_offset)))

    def argument(self, call: ast.Call, name: str) -> str | None:
        """The source of an argument, or None where its default stands."""
        kind = ast.unparse(call.func).removeprefix("nn.")
        order = PARAMETERS[kind]
        if order.index(name) < len(call.args):
            return ast.unparse(call.args[order.index(name)])
        for word in call.keywords:
            if word.arg == name:
                return ast.unparse(word.value)
        return None

    def with_arguments(self, call: ast.Call, **changes: str | None) -> str:
        """The text with some of a call's arguments changed; None takes one back to its default."""
        kind = ast.unparse(call.func).removeprefix("nn.")
        order = PARAMETERS[kind]
        positional = [ast.unparse(one) for one in call.args]
        named = {word.arg: ast.unparse(word.value) for word in call.keywords if word.arg}
        rest = [f"**{ast.unparse(word.value)}" for word in call.keywords if word.arg is None]
        for name, value in changes.items():
            at = order.index(name)
            if at < len(positional) and value is not None:
                positional[at] = value
            elif at < len(positional):
                named.update(zip(order[at + 1 :], positional[at + 1 :], strict=False))
                del positional[at:]
            elif value is None:
                named.pop(name, None)
            else:
                named[name] = value
        said = [*positional, *(f"{name}={value}" for name, value in named.items()), *rest]
        return self.replaced(call, f"nn.{kind}({', '.join(said)})")

    def replaced(self, node: ast.expr, new: str) -> str:
        """The text with an expression replaced."""
        return (
            self.text[: self._offset(node.lineno, node.col_offset)]
            + new
            + self.text[self._offset(node.end_lineno or 0, node.end_col_offset or 0) :]
        )

    def source(self, node: ast.expr) -> str:
        """An expression's source."""
        return ast.get_source_segment(self.text, node) or ""

    def swapped(self, *pairs: tuple[str, str], times: int = 1) -> str:
        """The text with each first string replaced by the second; it must occur ``times``."""
        text = self.text
        for old, new in pairs:
            if text.count(old) != times:
                raise ValueError(f"{self.name}: {old!r} occurs {text.count(old)} times")
            text = text.replace(old, new)
        return text

    def mutant(self, kind: str, where: str, text: str, **more: object) -> Mutant:
        """A mutant of this program, with the lines that differ noted."""
        image = more.pop("image", None) or self.image
        return Mutant(
            kind=kind,
            net=self.name,
            where=where,
            text=text,
            image=image,  # pyright: ignore[reportArgumentType]  # handed through
            lines=changed_lines(self.text, text),
            gone=frozenset(self._spoken_of(changed_lines(text, self.text))),
            **more,  # pyright: ignore[reportArgumentType]  # handed through
        )

    def _spoken_of(self, lines: Iterable[int]) -> Iterator[tuple[str, str]]:
        rows = self.text.splitlines()
        for node in ast.walk(self.tree):
            if isinstance(node, ast.ClassDef):
                for line in lines:
                    if node.lineno <= line <= (node.end_lineno or 0):
                        for name in re.findall(r"self\.(\w+)", rows[line - 1]):
                            yield node.name, name

    def _offset(self, line: int, column: int) -> int:
        lines = self.text.splitlines(keepends=True)
        return sum(len(one) for one in lines[: line - 1]) + len(
            lines[line - 1].encode()[:column].decode()
        )


def changed_lines(old: str, new: str) -> frozenset[int]:
    """Lines of ``new`` that differ; for lines taken away, those on both sides of the gap."""
    before, after = old.splitlines(), new.splitlines()
    found: set[int] = set()
    matcher = difflib.SequenceMatcher(a=before, b=after, autojunk=False)
    for tag, _, _, first, last in matcher.get_opcodes():
        if tag in ("replace", "insert"):
            found.update(range(first + 1, last + 1))
        elif tag == "delete":
            found.update((first, first + 1))
    return frozenset(line for line in found if 1 <= line <= len(after))


def programs() -> dict[str, Program]:
    """Every healthy file by its name."""
    names: Iterable[str] = sorted(path.stem for path in HEALTHY.glob("[a-z]*.py"))
    return {name: Program(name) for name in names}
