"""A training step's memory: what lives at once from the first operation to the last gradient.

The backward pass is gone through in reverse on bytes alone, as autograd would do it: a node's
gradient comes in, gradients of its sources are made (or passed on as they are, where the operation
is a view or a sum), those that meet at a fork are added, and what the node had saved is let go.
Workspace that a library takes for itself while an operation runs is not in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch

from striate.tracing.values import Value

_PASSES = frozenset(
    (
        "view", "reshape", "flatten", "unflatten", "squeeze", "unsqueeze", "permute", "transpose",
        "expand", "add", "contiguous", "alias", "to", "type_as", "clone",
    )
)  # fmt: skip
"""Operations whose gradient is handed on without a copy, where the sizes agree."""

_SPREADS = frozenset(("cat", "stack", "sum"))
"""Operations whose gradient is handed on in parts, or over and over, without a copy."""


class Gradient:
    """The storage of a gradient, and how many wait for it."""

    __slots__ = ("holders", "size")

    def __init__(self, size: int) -> None:
        self.size, self.holders = size, 0


class Node:
    """One operation: what it made of what, and the bytes that are kept for its backward.

    ``sources``: with the bytes of each.
    """

    __slots__ = ("name", "outs", "saved", "sources")

    def __init__(
        self, name: str, outs: list[Value], sources: list[tuple[Value, int]], saved: int
    ) -> None:
        self.name, self.outs, self.sources, self.saved = name, outs, sources, saved

    def passes(self, own: Gradient, size: int) -> bool:
        """Whether the gradient of a source of ``size`` bytes is its own one."""
        return self.name in _SPREADS or (self.name in _PASSES and own.size == size)


class Step:
    """The nodes of a forward in training, and what a step over them holds at most."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []

    def note(
        self,
        name: str,
        outs: list[Value],
        tensors: Sequence[torch.Tensor],
        sources: Sequence[Value],
        saved: int,
    ) -> None:
        """An operation that was just done; ``sources`` as they were before it."""
        taken = {
            id(source): (source, tensor.nbytes)
            for tensor, source in zip(tensors, sources, strict=True)
            if source.grad
        }
        if taken or saved:
            self.nodes.append(Node(name, outs, list(taken.values()), saved))

    def backward_peak(
        self, alive: int, ends: Iterable[tuple[Value, int]], parameters: dict[int, int]
    ) -> int:
        """Most bytes alive during backward.

        ``alive``: when it begins.  ``ends``: what the forward returned, with bytes.
        ``parameters``: bytes of each parameter that has a gradient, by id.
        """
        return _Backward(alive, parameters).run(self.nodes, ends)


class _Backward:
    def __init__(self, alive: int, parameters: dict[int, int]) -> None:
        self.alive = self.peak = alive
        self._parameters = dict(parameters)
        self._waiting: dict[Value, Gradient] = {}

    def run(self, nodes: Sequence[Node], ends: Iterable[tuple[Value, int]]) -> int:
        for value, size in ends:
            if value.grad:
                self._arrive(value, self._new(size), size)
        for node in reversed(nodes):
            waiting = (self._waiting.pop(out, None) for out in node.outs)
            own = [gradient for gradient in waiting if gradient is not None]
            if own:
                self._through(node, own)
            for gradient in own:
                self._drop(gradient)
            self.alive -= node.saved
        return self.peak

    def _through(self, node: Node, own: list[Gradient]) -> None:
        """Gradients of a node's sources; those that are new live together with its own."""
        found: list[tuple[Value, Gradient, int]] = []
        for value, size in node.sources:
            passed = len(own) == 1 and node.passes(own[0], size)
            found.append((value, own[0] if passed else self._new(size), size))
        for value, gradient, size in found:
            self._arrive(value, gradient, size)

    def _new(self, size: int) -> Gradient:
        self.alive += size
        self.peak = max(self.peak, self.alive)
        return Gradient(size)

    def _arrive(self, value: Value, gradient: Gradient, size: int) -> None:
        """A gradient of ``size`` bytes, which may be a part of a larger one."""
        if value.layer < 0:
            self._parameter(value, gradient)
            return
        gradient.holders += 1
        known = self._waiting.get(value)
        if known is None:
            self._waiting[value] = gradient
            return
        if known.holders > 1:  # somebody else still needs it as it is
            fresh = self._new(size)
            fresh.holders = 1
            self._waiting[value] = fresh
            self._drop(known)
        self._drop(gradient)

    def _parameter(self, value: Value, gradient: Gradient) -> None:
        """A parameter keeps the first gradient that it gets; later ones are added to it."""
        whole = sum(self._parameters.pop(owner, 0) for owner in value.owners)
        self.alive += whole
        if not gradient.holders:
            self.alive -= gradient.size
        self.peak = max(self.peak, self.alive)

    def _drop(self, gradient: Gradient) -> None:
        gradient.holders -= 1
        if gradient.holders <= 0:
            self.alive -= gradient.size
