"""The layers of a trace as they are written down, one after another."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from types import FrameType
from typing import NamedTuple

import torch
from torch import nn

from striate.records.layer import Field, Layer
from striate.tracing.fields.reach import Reach
from striate.tracing.fields.report import field_of
from striate.tracing.ops import Effect
from striate.tracing.places import Stack, calling_line, working_folder


class Price(NamedTuple):
    """Bytes and multiply-accumulates of one operation.

    ``out``: of storages that it is the first to write.  ``saved``: newly kept for backward.
    ``moved``: read and written.  ``backward``: multiply-accumulates; None where not understood.
    """

    out: int = 0
    saved: int = 0
    moved: tuple[int, int] = (0, 0)
    backward: int | None = 0


class Ledger:
    """Layers so far, which parameters they used, and what was not understood.

    ``sizes``: elements of each parameter, by its id; ``names``: what the module calls it.
    """

    def __init__(self, stack: Stack, makers: dict[int, str], stop: FrameType | None) -> None:
        self.layers: list[Layer] = []
        self.sizes: dict[int, int] = {}
        self.names: dict[int, str] = {}
        self.used: set[int] = set()
        self.unknown: dict[str, None] = {}
        self._stack, self._makers, self._stop = stack, makers, stop
        self._here = working_folder()
        self._squeezed: set[int] = set()
        self._gates: dict[int, set[int]] = {}
        self._fields: dict[int, tuple[Reach, Field | None]] = {}

    def write(
        self,
        name: str,
        inputs: tuple[int, ...],
        first: torch.Tensor,
        effect: Effect,
        owners: set[int],
        price: Price,
        shared: set[int] | None = None,
    ) -> None:
        """One operation: ``first`` is its output, ``owners`` the parameters it used.

        ``shared``: those that a layer before it used, or that part of them.
        """
        new = owners - self.used
        self.used |= new
        module, path = self._stack.top
        defined = self._makers.get(id(module))
        index = len(self.layers)
        self.layers.append(
            Layer(
                index=index,
                path=path,
                op=name,
                inputs=inputs,
                shape=tuple(first.shape),
                params=sum([self.sizes[owner] for owner in new]),
                macs=effect.macs,
                activations=effect.activations,
                backward_macs=price.backward,
                out_bytes=price.out,
                read_bytes=price.moved[0],
                written_bytes=price.moved[1],
                saved_bytes=price.saved,
                source=(calling_line(self._stop, self._here) or defined)
                if name != "input"
                else None,
                defined=defined if name != "input" else None,
                field=self._field(effect.first_reach, index),
                shares=tuple(sorted([self.names[owner] for owner in shared])) if shared else (),
                module=type(module).__name__,
                dtype=str(first.dtype).removeprefix("torch."),
                attrs=effect.attrs or {},
            )
        )

    def made_at(self, modules: Iterable[nn.Module]) -> str | None:
        """The line that made the first of these modules of which that is known."""
        known = (self._makers.get(id(module)) for module in modules)
        return next((line for line in known if line is not None), None)

    def _field(self, reach: Reach | None, index: int) -> Field | None:
        if reach is None:
            return None
        for term in reach.terms:
            if term.hulls[0].squeezed or term.hulls[1].squeezed:
                self._squeezed.add(index)
        known = self._fields.get(id(reach))
        if known is None:  # the reach is held with it, so that its id stays its own
            known = self._fields[id(reach)] = (reach, field_of(reach))
        return known[1]

    def note_strays(self, elements: int) -> None:
        """The layer just written used parameters, of so many elements, that no module holds."""
        if elements:
            self.layers[-1] = replace(self.layers[-1], strays=elements)

    def note_gate(self, sources: tuple[int, ...]) -> None:
        """The layer just written took one of ``sources`` as a squeeze gate."""
        for source in sources:
            if source in self._squeezed:
                self._gates.setdefault(source, set()).add(len(self.layers) - 1)

    def finished(self, taught: Collection[int] | None = None) -> tuple[Layer, ...]:
        """All layers, those of squeeze gates marked: from the pool on, where all is the gate.

        ``taught``: the layers that a gradient reaches; the others have no backward pass.
        """
        if taught is not None:
            self.layers = [
                replace(layer, backward_macs=0)
                if layer.backward_macs != 0 and layer.index not in taught
                else layer
                for layer in self.layers
            ]
        if not self._gates:
            return tuple(self.layers)
        users: dict[int, set[int]] = {}
        for layer in self.layers:
            for source in layer.inputs:
                users.setdefault(source, set()).add(layer.index)
        gates: set[int] = set()
        for index in range(len(self.layers) - 1, 0, -1):
            used = users.get(index, set())
            if index in self._squeezed and used and used <= gates | self._gates.get(index, set()):
                gates.add(index)
        return tuple(
            replace(layer, gate=True) if layer.index in gates else layer for layer in self.layers
        )
