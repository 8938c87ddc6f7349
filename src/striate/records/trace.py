"""What a module does to an image, layer by layer, without having done it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as default
from typing import Any

from striate.errors import InputError, choices
from striate.records.layer import Failure, Field, Layer, Status, intensity
from striate.records.portion import Portion, portion_at, portions, prefixes
from striate.records.trace_html import trace_html
from striate.records.trace_json import trace_json
from striate.records.trace_text import View, comma_separated, lines, markdown, summary, table
from striate.records.wording import by

__all__ = ["Failure", "Field", "Layer", "Status", "Totals", "Trace"]


@dataclass(frozen=True, kw_only=True)
class Totals:
    """Sums over a trace.  Bytes are for the traced batch and dtype.

    ``params``: every parameter of the module once, by identity, used or not.
    ``infer_bytes``: parameters and buffers plus the peak of live activations in inference.
    ``train_bytes``: parameters, buffers, gradients, and what is saved for backward (no optimiser).
    ``backward_macs``: of all gradients of a training step, on top of ``macs``.
    ``read_bytes``, ``written_bytes``: what the layers move in a forward, each for itself.
    ``saved_bytes``: kept for backward.  ``gradient_bytes``: of all parameters that have one.
    ``optimiser_bytes``: what the optimiser keeps from step to step; 0 where none was named.
    ``step_bytes``: most bytes alive at once in a training step (parameters, buffers, the
    optimiser's state, activations, gradients as they come and go), gradients having been let go
    before it; what a library takes as workspace is apart.  None where no step was traced.
    """

    params: int
    macs: int
    activations: int
    infer_bytes: int
    train_bytes: int
    backward_macs: int = 0
    read_bytes: int = 0
    written_bytes: int = 0
    saved_bytes: int = 0
    gradient_bytes: int = 0
    optimiser_bytes: int = 0
    step_bytes: int | None = None

    @property
    def train_macs(self) -> int:
        """Multiply-accumulates of a training step: forward and backward."""
        return self.macs + self.backward_macs

    @property
    def intensity(self) -> float:
        """Multiply-accumulates of a forward for each byte that its layers move."""
        return intensity(self.macs, self.read_bytes + self.written_bytes) or 0.0


@dataclass(frozen=True, kw_only=True, repr=False)
class Trace:
    """A module's forward, traced on shapes alone.

    ``image``: (C, H, W).  ``complete`` is False when the forward failed: ``layers`` ends before
    the failing operation, described by ``failure``.  ``unknown`` lists operations whose cost or
    field is not understood; they are never counted as zero in silence.
    ``optimiser``: whose state ``totals.optimiser_bytes`` is.
    ``unused``: parameters the forward never touched, by name.  ``frozen``: parameters that training
    would leave as they are (``requires_grad`` is False), by name.
    ``modules``: the class of every module, by path, where the tracer noted it; ``defined``: the
    ``file:line`` that made it, where that was seen; ``aliases``: the further names of each module
    that is held under several, by its first.
    ``parameters``: how many elements each has, by name.  ``constants``: the number with which those
    begin that are one number everywhere, where that was seen.  ``idle``: those of ``unused`` that
    a forward in training mode does not touch either.  ``unlearned``: those that the forward uses
    and training would change, but to which no gradient comes from the output (behind ``detach`` or
    ``torch.no_grad``).  ``returned``: indices of the layers whose outputs the forward returned.

    >>> import striate
    >>> trace = striate.trace(striate.build(striate.zoo("resnet20")), (3, 32, 32), name="resnet20")
    >>> trace
    Trace('resnet20', 3×32×32, 76 layers, 269,722 params, 40,551,040 MACs)
    >>> trace["stages.1"].macs, trace["stages.1.blocks.0.conv2"].field.size
    (12976128, (21, 21))
    >>> for part in trace.by_module():
    ...     print(part.path or "(the network itself)", part.params)
    (the network itself) 0
    stem 464
    stages 268608
    head 650
    >>> print(trace.table(depth=2, columns=["path", "shape", "macs"]))
    layer          output   MACs
    image         3×32×32
    stem.conv    16×32×32   442k
    stages.0     16×32×32  14.2M
    stages.1     32×16×16  13.0M
    stages.2       64×8×8  13.0M
    head.pool      64×1×1
    head.linear        10    640
    """

    name: str
    image: tuple[int, int, int]
    layers: tuple[Layer, ...]
    totals: Totals
    complete: bool = True
    unknown: tuple[str, ...] = ()
    failure: Failure | None = None
    optimiser: str | None = None
    unused: tuple[str, ...] = ()
    frozen: tuple[str, ...] = ()
    modules: Mapping[str, str] = default(default_factory=dict[str, str])
    defined: Mapping[str, str] = default(default_factory=dict[str, str])
    aliases: Mapping[str, tuple[str, ...]] = default(default_factory=dict[str, tuple[str, ...]])
    parameters: Mapping[str, int] = default(default_factory=dict[str, int])
    constants: Mapping[str, float] = default(default_factory=dict[str, float])
    idle: tuple[str, ...] = ()
    unlearned: tuple[str, ...] = ()
    returned: tuple[int, ...] = ()

    def __iter__(self) -> Iterator[Layer]:
        return iter(self.layers)

    def __len__(self) -> int:
        return len(self.layers)

    def consumers(self) -> dict[int, tuple[int, ...]]:
        """For each layer's index, the indices of the layers that take its output."""
        found: dict[int, list[int]] = {layer.index: [] for layer in self.layers}
        for layer in self.layers:
            for source in layer.inputs:
                found[source].append(layer.index)
        return {index: tuple(users) for index, users in found.items()}

    def last(self, op: str) -> Layer:
        """The last layer with this ``op``; KeyError if there is none."""
        for layer in reversed(self.layers):
            if layer.op == op:
                return layer
        raise KeyError(op)

    def as_json(self) -> dict[str, Any]:
        """The ``trace`` document: its keys do not change without a version bump."""
        return trace_json(self)

    def __getitem__(self, path: str) -> Portion:
        """Everything in the module at ``path``: its layers, and their sums.

        InputError for a path at which nothing was traced.
        """
        found = portion_at(self.layers, path)
        if found is None:
            known = {prefix for layer in self.layers for prefix in prefixes(layer.path)}
            raise InputError(
                f"no layer of {self.name} is in {path!r}; {choices(path, sorted(known))}"
            )
        return found

    def find(self, *ops: str) -> tuple[Layer, ...]:
        """The layers with one of these ops, in order: ``trace.find("conv2d", "linear")``."""
        return tuple(layer for layer in self.layers if layer.op in ops)

    def by_module(self, depth: int = 1) -> tuple[Portion, ...]:
        """The trace cut into modules, ``depth`` deep in the module tree, in order of execution.

        What a module above that depth did itself (the flatten of a top module) is a portion with
        that module's path.  The sums over all of them are the sums over the trace.
        """
        return portions(self.layers, depth, self.modules)

    def table(
        self,
        *,
        depth: int | None = None,
        columns: Sequence[str] | None = None,
        sort: str | None = None,
        every: bool = False,
        width: int | None = 80,
    ) -> str:
        """The layer table as text, ``width`` columns wide at most (None: as wide as it gets).

        ``depth``: fold modules this deep in the tree (None: where the table would be long).
        ``columns``: their names, of ``path``, ``op``, ``shape``, ``params``, ``macs``,
        ``backward_macs``, ``out_bytes``, ``saved_bytes``, ``intensity``, ``field``, ``stride``, …
        ``sort``: the largest first by one of them.  ``every``: pointwise operations and views too.
        """
        view = _view(depth, columns, sort, every=every)
        return "\n".join(lines(table(self.layers, view, self.modules), width=width))

    def to_markdown(
        self,
        *,
        depth: int | None = None,
        columns: Sequence[str] | None = None,
        sort: str | None = None,
        every: bool = False,
    ) -> str:
        """The same table in Markdown."""
        return markdown(table(self.layers, _view(depth, columns, sort, every=every), self.modules))

    def to_csv(
        self,
        *,
        depth: int | None = None,
        columns: Sequence[str] | None = None,
        sort: str | None = None,
    ) -> str:
        """Every operation (or, with ``depth``, every module) as CSV with plain numbers."""
        return comma_separated(self.layers, _view(depth, columns, sort, every=True), self.modules)

    def __str__(self) -> str:
        return f"{self.table()}\n{summary(self)}"

    def __repr__(self) -> str:
        cut = "" if self.complete else ", incomplete"
        return (
            f"Trace({self.name!r}, {by(self.image)}, {len(self.layers)} layers, "
            f"{self.totals.params:,} params, {self.totals.macs:,} MACs{cut})"
        )

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        return trace_html(self)


def _view(
    depth: int | None, columns: Sequence[str] | None, sort: str | None, *, every: bool
) -> View:
    names = None if columns is None else tuple(columns)
    return View(depth=depth, columns=names, sort=sort, every=every)
