"""One operation as it was called, and what a handler says about it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, cast

import torch

from striate.tracing.fields.reach import Reach

Kind = Literal["work", "view", "alias", "make"]
"""``work`` computes; ``view`` rearranges (no layer where only parameters are rearranged);
``alias`` is the same tensor (no layer at all); ``make`` creates one from nothing."""


class Call:
    """An operation with its arguments and its output, all on shapes alone.

    ``reach_of`` gives the Reach of a tensor that depends on the image, else None.
    """

    __slots__ = ("args", "kwargs", "name", "out", "reach_of")

    def __init__(
        self,
        name: str,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        out: Any,
        reach_of: Callable[[Any], Reach | None],
    ) -> None:
        self.name, self.args, self.kwargs, self.out = name, args, kwargs, out
        self.reach_of = reach_of

    def get(self, position: int, name: str, default: Any = None) -> Any:
        """An argument by position or by name."""
        if position < len(self.args):
            return self.args[position]
        return self.kwargs.get(name, default)

    def each_output(self, reach: Reach | None) -> Reach | list[Reach | None] | None:
        """The same Reach for every output."""
        return reach if isinstance(self.out, torch.Tensor) else [reach] * len(self.out)

    @property
    def reach(self) -> Reach | None:
        """Of the first argument."""
        return self.reach_of(self.args[0])

    @property
    def first(self) -> torch.Tensor:
        """The output, or the first of several."""
        out = self.out
        return out if isinstance(out, torch.Tensor) else out[0]


class Effect(NamedTuple):
    """What an operation does: its field, its cost, what it was called with.

    ``reach``: of the output (a list: one for each output); None where it sees no pixel.
    ``macs``: None for an operation that is not understood.  ``name``: what to call it, where that
    is not the table's name.  ``gate``: one operand is a squeeze gate.  ``scratch``: bytes that
    live only while it runs.  ``unknown``: parts of it that are not understood.
    """

    reach: Reach | list[Reach | None] | None = None
    macs: int | None = 0
    activations: int = 0
    attrs: dict[str, Any] | None = None
    name: str | None = None
    gate: bool = False
    scratch: int = 0
    unknown: tuple[str, ...] = ()

    @property
    def first_reach(self) -> Reach | None:
        """Of the first output."""
        if isinstance(self.reach, list):
            return self.reach[0] if self.reach else None
        return self.reach


Handler = Callable[[Call], Effect]


class Op(NamedTuple):
    """An entry of the table: the name a person reads, what it does, what kind it is."""

    name: str
    handler: Handler
    kind: Kind = "work"


OPS: dict[str, Op] = {}
"""By the name of the ATen operator, overloads alike."""


def op(
    *operators: str, name: str | None = None, kind: Kind = "work"
) -> Callable[[Handler], Handler]:
    """Enter a handler into the table; by default under the operator's own name."""

    def enter(handler: Handler) -> Handler:
        for operator in operators:
            OPS[operator] = Op(name or operator.strip("_"), handler, kind)
        return handler

    return enter


def sized(value: Any, n: int) -> tuple[int, ...]:
    """An int or a list as ``n`` ints (torch repeats a single one)."""
    if isinstance(value, int):
        return (value,) * n
    values = tuple(int(v) for v in value)
    return values * n if len(values) == 1 else values


def tensors_in(values: Iterable[Any]) -> Iterator[torch.Tensor]:
    """Every tensor among arguments, lists included."""
    for value in values:
        if isinstance(value, torch.Tensor):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from tensors_in(cast("list[Any]", value))
