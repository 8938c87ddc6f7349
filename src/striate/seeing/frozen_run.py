"""Computing a graph again, with something in it replaced.

Comes in: a ``Graph``, values to put in place of its own, another way to compute a node.
Goes out: values.  Only what depends on a replaced value is computed; all else is as captured.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from torch import Tensor

from striate.seeing.frozen_graph import Graph, Node, Ref

Values = dict[int, Tensor]
Compute = Callable[[Node, tuple[Any, ...], dict[str, Any], Values], tuple[Tensor, ...]]


def plainly(
    node: Node, args: tuple[Any, ...], kwargs: dict[str, Any], _values: Values
) -> tuple[Tensor, ...]:
    """What the operation itself gives."""
    return outputs(node.func(*args, **kwargs))


def outputs(given: Any) -> tuple[Tensor, ...]:
    """An operation's result as a tuple of tensors."""
    return (given,) if isinstance(given, Tensor) else tuple(given)


def run(
    graph: Graph,
    given: Mapping[int, Tensor],
    *,
    wanted: Iterable[int] | None = None,
    rules: Mapping[int, Compute] | None = None,
    compute: Compute = plainly,
) -> Values:
    """The ``wanted`` values (default: the logits) with ``given`` in place of the graph's own.

    ``rules``: how single nodes, by number, are computed instead.  ``compute``: how all others are.
    A value that depends on nothing replaced is the captured one.
    """
    rules = rules or {}
    asked = [graph.output] if wanted is None else list(wanted)
    values: Values = dict(given)
    last = _last_uses(graph, set(asked), set(given))
    for node in graph.nodes:
        if node.index not in last:
            continue
        ruled = rules.get(node.index)
        if ruled is None and not any(read in values for read in node.reads):
            continue
        args, kwargs = filled(graph, node, values)
        made = (ruled or compute)(node, args, kwargs, values)
        for out, tensor in zip(node.outs, made, strict=True):
            if out not in given:
                values[out] = tensor
        for value in last[node.index]:
            values.pop(value, None)
    return {value: values.get(value, graph.values[value]) for value in asked}


def filled(graph: Graph, node: Node, values: Values) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """A node's arguments, with these values and otherwise the captured ones."""

    def fill(value: Any) -> Any:
        if isinstance(value, Ref):
            return values.get(value.value, graph.values[value.value])
        if isinstance(value, list):
            return [fill(item) for item in value]  # pyright: ignore[reportUnknownVariableType] -- arguments are of any kind
        return value

    return tuple(map(fill, node.args)), {key: fill(value) for key, value in node.kwargs.items()}


def _last_uses(graph: Graph, asked: set[int], given: set[int]) -> dict[int, list[int]]:
    """The nodes to compute, each with the values that none after it reads."""
    found: dict[int, list[int]] = {}
    needed = asked - given
    done = set(asked)
    for node in reversed(graph.nodes):
        if not any(out in needed for out in node.outs):
            continue
        ended = [value for value in (*node.reads, *node.outs) if value not in done]
        found[node.index] = ended
        done.update(ended)
        needed.update(read for read in node.reads if read not in given)
    return found
