"""Which parameters a gradient that comes in at the outputs would reach."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import is_dataclass
from typing import Any, cast

import torch

from striate.tracing.values import Value


class Learning:
    """The edges of a forward along which a gradient would flow back.

    ``quiet``: how many ``torch.no_grad`` blocks are open, in which none would.  ``taught``: the
    layers that a gradient was found to reach.
    """

    def __init__(self) -> None:
        self.quiet = 0
        self.taught: set[int] = set()
        self._edges: dict[int, tuple[set[int], set[int]]] = {}

    def note(self, layer: int, sources: Iterable[Value]) -> None:
        """Layer ``layer`` took these; a gradient for it flows on to those that carry one."""
        if self.quiet:
            return
        layers, owners = self._edges.setdefault(layer, (set(), set()))
        for source in sources:
            if source.grad:
                owners.update(source.owners)
                if source.layer >= 0:
                    layers.add(source.layer)

    def reached(self, ends: Iterable[Value], *, floats: bool) -> set[int] | None:
        """Ids of the parameters that gradients from ``ends`` reach.

        None where none of them is ``floats``: a class instead of its scores has no gradient.
        """
        if not floats:
            return None
        found: set[int] = set()
        waiting: list[int] = []
        for end in ends:
            if end.grad:
                found.update(end.owners)
                waiting.append(end.layer)
        seen = self.taught
        while waiting:
            layer = waiting.pop()
            if layer not in seen:
                seen.add(layer)
                layers, owners = self._edges.get(layer, (set(), set()))
                found |= owners
                waiting.extend(layers)
        return found


@contextmanager
def hearing_no_grad(learning: Learning) -> Generator[None]:
    """While open, ``torch.no_grad`` blocks are counted.

    The forward runs without gradients anyway, so that nothing else would tell.
    """
    enter, leave = torch.no_grad.__enter__, torch.no_grad.__exit__

    def entered(self: torch.no_grad) -> None:
        learning.quiet += 1
        enter(self)

    def left(self: torch.no_grad, exc_type: Any, exc_value: Any, traceback: Any) -> None:
        learning.quiet -= 1
        leave(self, exc_type, exc_value, traceback)

    torch.no_grad.__enter__, torch.no_grad.__exit__ = entered, left
    try:
        yield
    finally:
        torch.no_grad.__enter__, torch.no_grad.__exit__ = enter, leave


def tensors_returned(result: object) -> list[torch.Tensor]:
    """Each tensor in what a forward returned, containers opened in order."""
    if isinstance(result, torch.Tensor):
        return [result]
    items: Iterable[object] = ()
    if isinstance(result, Mapping):
        items = cast("Mapping[Any, object]", result).values()
    elif isinstance(result, (list, tuple)):
        items = cast("list[object]", result)
    elif is_dataclass(result):
        items = vars(result).values()
    return [tensor for item in items for tensor in tensors_returned(item)]
