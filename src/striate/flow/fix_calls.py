"""Calls in Python source, changed at their line; every other byte stays as it was (LibCST)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider

from striate.errors import InputError

Value = bool | float | str | tuple[int, ...] | None


@dataclass(frozen=True, kw_only=True)
class CallEdit:
    """What the calls of ``name`` that begin on ``line`` become.

    ``modules``: how many modules were made there; ``index``: which of as many calls is meant, in
    the order they are written, or None for all.  ``arguments``: those to set.  ``away``: the call
    goes: the end of an ``nn.Sequential`` is cut, anything else becomes ``nn.Identity()``, so that
    what follows keeps its name and its place.
    """

    line: int
    name: str
    modules: int = 1
    index: int | None = None
    arguments: Mapping[str, Value] = field(default_factory=dict[str, Value])
    away: bool = False


def changed_calls(
    source: bytes, edits: Sequence[CallEdit], parameters: Callable[[str], Sequence[str] | None]
) -> bytes:
    """``source`` with its calls changed.

    ``parameters``: the names of a class's parameters in order, or None where they are not known.
    InputError, one line without the file's name, for a call that is not there or not literal.
    """
    try:
        wrapper = MetadataWrapper(cst.parse_module(source), unsafe_skip_copy=True)
    except cst.ParserSyntaxError as error:
        raise InputError(f"line {error.raw_line}: LibCST cannot read it") from error
    visitor = _Changes(edits, parameters, _identity_of(wrapper.module))
    changed = wrapper.visit(visitor)
    for edit in edits:
        calls = visitor.seen[edit.line, edit.name]
        if not calls:
            raise InputError(f"line {edit.line}: no call of {edit.name} begins there")
        if edit.index is not None and calls != edit.modules:
            raise InputError(
                f"line {edit.line} makes {edit.modules} modules of {edit.name}, of which some do "
                "not ask for this"
            )
        if calls > 1 and calls != edit.modules:
            raise InputError(
                f"line {edit.line}: {calls} calls of {edit.name} begin there, and {edit.modules} "
                "of its modules came of them; give each a line of its own"
            )
    return changed.bytes


class _Changes(cst.CSTTransformer):
    METADATA_DEPENDENCIES = (PositionProvider,)

    def __init__(
        self,
        edits: Sequence[CallEdit],
        parameters: Callable[[str], Sequence[str] | None],
        identity: cst.BaseExpression | None,
    ) -> None:
        super().__init__()
        self.edits = edits
        self.numbers: dict[cst.Call, int] = {}
        self.parameters, self.identity = parameters, identity
        self.seen: Counter[tuple[int, str]] = Counter()
        self.away: set[cst.Call] = set()

    def visit_Call(self, node: cst.Call) -> None:  # noqa: N802  # LibCST's name
        place = self._place(node)
        self.numbers[node] = self.seen[place]
        self.seen[place] += 1

    def leave_Call(  # noqa: N802  # LibCST's name
        self, original_node: cst.Call, updated_node: cst.Call
    ) -> cst.BaseExpression:
        line, name = self._place(original_node)
        if name == "Sequential":
            updated_node = self._shortened(original_node, updated_node)
        for edit in self.edits:
            meant = edit.index is None or edit.index == self.numbers[original_node]
            if (edit.line, edit.name) != (line, name) or not meant:
                continue
            if edit.away:
                self.away.add(original_node)
                return self._identity(original_node, edit)
            for argument, value in edit.arguments.items():
                updated_node = self._with(updated_node, edit, argument, value)
        return updated_node

    def _place(self, call: cst.Call) -> tuple[int, str]:
        position = cast("Any", self.get_metadata(PositionProvider, call))
        return position.start.line, _last_name(call.func)

    def _identity(self, call: cst.Call, edit: CallEdit) -> cst.BaseExpression:
        if isinstance(call.func, cst.Attribute) and _last_name(call.func.value) == "nn":
            func: cst.BaseExpression = call.func.with_changes(attr=cst.Name("Identity"))
        elif self.identity is not None:
            func = self.identity
        else:
            raise InputError(f"line {edit.line}: the file has no name for nn.Identity")
        if _has_comment(call):  # which must not be lost, and Identity takes any arguments
            return call.with_changes(func=func)
        return cst.Call(func=func, lpar=call.lpar, rpar=call.rpar)

    def _shortened(self, original: cst.Call, updated: cst.Call) -> cst.Call:
        """A Sequential without the modules at its end that are to go."""
        args = list(updated.args)
        for before in reversed(original.args):
            goes = before.value in self.away and not before.star and before.keyword is None
            if not goes or len(args) == 1 or _has_comment(before):
                break
            last = args.pop()
            args[-1] = args[-1].with_changes(
                comma=last.comma, whitespace_after_arg=last.whitespace_after_arg
            )
        return updated.with_changes(args=args)

    def _with(self, call: cst.Call, edit: CallEdit, argument: str, value: Value) -> cst.Call:
        where = f"line {edit.line}: {edit.name}"
        names = self.parameters(edit.name)
        if names is None:
            raise InputError(f"{where} is no class of torch.nn; its parameters are not known")
        if argument not in names:
            raise InputError(f"{where} has no parameter {argument}")
        for index, arg in enumerate(call.args):
            by_name = arg.keyword is not None and arg.keyword.value == argument
            starred = any(one.star for one in call.args[: index + 1])
            by_place = arg.keyword is None and not starred and names.index(argument) == index
            if by_name or by_place:
                if not _is_literal(arg.value):
                    written = cst.Module([]).code_for_node(arg.value)
                    raise InputError(f"{where}: {argument} is {written}, which is not a literal")
                new = arg.with_changes(value=_written(value, arg.value))
                return call.with_changes(args=[*call.args[:index], new, *call.args[index + 1 :]])
        if any(arg.star for arg in call.args):
            raise InputError(f"{where}: {argument} may be among its starred arguments")
        return call.with_changes(args=_appended(call.args, argument, _written(value, None)))


def _appended(args: Sequence[cst.Arg], argument: str, value: cst.BaseExpression) -> list[cst.Arg]:
    """``args`` and ``argument=value`` behind them, set as the others are."""
    tight = cst.AssignEqual(
        whitespace_before=cst.SimpleWhitespace(""), whitespace_after=cst.SimpleWhitespace("")
    )
    new = cst.Arg(keyword=cst.Name(argument), value=value, equal=tight)
    if not args:
        return [new]
    last = args[-1]
    between: Any = cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))
    if len(args) > 1 and isinstance(args[-2].comma, cst.Comma):
        between = _without_comment(args[-2].comma)
    new = new.with_changes(comma=last.comma, whitespace_after_arg=last.whitespace_after_arg)
    last = last.with_changes(comma=between, whitespace_after_arg=cst.SimpleWhitespace(""))
    return [*args[:-1], last, new]


def _without_comment(comma: cst.Comma) -> cst.Comma:
    """The same separator, its line break kept."""
    space = comma.whitespace_after
    if isinstance(space, cst.ParenthesizedWhitespace):
        space = space.with_changes(
            first_line=cst.TrailingWhitespace(newline=space.first_line.newline), empty_lines=()
        )
    return cst.Comma(whitespace_after=space)


def _written(value: Value, old: cst.BaseExpression | None) -> cst.BaseExpression:
    """A literal, as a pair where a pair stood."""
    if isinstance(old, cst.Tuple) and isinstance(value, int):
        value = (value,) * len(old.elements)
    elif isinstance(value, tuple) and len(set(value)) == 1 and not isinstance(old, cst.Tuple):
        value = value[0]
    return cst.parse_expression(repr(value))


def _is_literal(node: cst.BaseExpression) -> bool:
    if isinstance(node, cst.Tuple):
        return all(
            isinstance(element, cst.Element) and _is_literal(element.value)
            for element in node.elements
        )
    if isinstance(node, cst.UnaryOperation):
        return isinstance(node.operator, cst.Minus) and _is_literal(node.expression)
    if isinstance(node, cst.Name):
        return node.value in ("True", "False", "None")
    return isinstance(node, cst.Integer | cst.Float | cst.SimpleString)


def _last_name(node: cst.BaseExpression) -> str:
    if isinstance(node, cst.Attribute):
        return node.attr.value
    return node.value if isinstance(node, cst.Name) else ""


def _identity_of(module: cst.Module) -> cst.BaseExpression | None:
    """How the file can say ``nn.Identity``, by what it imports at its top; None if it cannot."""
    for statement in module.body:
        if not isinstance(statement, cst.SimpleStatementLine):
            continue
        text = " ".join(module.code_for_node(statement).split())
        for imported, said in (
            ("from torch import nn", "nn.Identity"),
            ("import torch.nn as nn", "nn.Identity"),
            ("import torch", "torch.nn.Identity"),
        ):
            if text == imported:
                return cst.parse_expression(said)
    return None


class _Comments(cst.CSTVisitor):
    found = False

    def visit_Comment(self, node: cst.Comment) -> None:  # noqa: N802  # LibCST's name
        del node
        self.found = True


def _has_comment(node: cst.CSTNode) -> bool:
    visitor = _Comments()
    node.visit(visitor)
    return visitor.found
