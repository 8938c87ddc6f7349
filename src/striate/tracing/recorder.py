"""The ear at the dispatcher: every ATen operation of a forward becomes a Layer.

The forward runs in inference mode, in which PyTorch hands composite operations (``linear``,
``flatten``, ``scaled_dot_product_attention``) over as they were written, not taken apart.
"""

from __future__ import annotations

from functools import reduce
from typing import Any, NamedTuple

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from striate.tracing.backward import backward_macs
from striate.tracing.fields.joins import anywhere
from striate.tracing.fields.reach import Rank, Reach, of_image
from striate.tracing.fields.unions import union
from striate.tracing.heard import Heard
from striate.tracing.learning import Learning
from striate.tracing.ledger import Ledger, Price
from striate.tracing.memory import saved_by
from striate.tracing.ops import (
    GUARDS,
    OPS,
    QUICK,
    Call,
    Effect,
    Guard,
    Kind,
    Op,
    Quick,
    pointwise,
    tensors_in,
)
from striate.tracing.prepare import StoodIn
from striate.tracing.standins import StandIns
from striate.tracing.step import Step
from striate.tracing.traffic import moved
from striate.tracing.values import NOTHING, Value, Values

Tensor = torch.Tensor


class Entry(NamedTuple):
    """What is known of an operator.

    ``op``: how it is understood.  ``name``: without namespace and overload.  ``guard``: what its
    meta kernel forgets to refuse.  ``quick``: its output, beforehand.  ``writes``: into its input.
    ``composite``: it is not understood, and can be taken apart.
    """

    op: Op | None
    name: str
    guard: Guard | None
    quick: Quick | None
    writes: bool
    composite: bool

    @property
    def kind(self) -> Kind:
        return self.op.kind if self.op is not None else "work"


class Done(NamedTuple):
    """An operation that was done: its tensors in and out, and what was known of those in."""

    func: Any
    entry: Entry
    args: Any
    kwargs: Any
    tensors: list[Tensor]
    sources: list[Value]
    outs: list[Tensor]

    @property
    def owners(self) -> set[int]:
        return {owner for source in self.sources for owner in source.owners}

    @property
    def inputs(self) -> tuple[int, ...]:
        layers = [source.layer for source in self.sources if source.layer >= 0]
        return tuple(dict.fromkeys(layers))


class Inside:
    """What the parts of a composite operation come to, while it is taken apart."""

    def __init__(self, layer: int) -> None:
        self.layer = layer
        self.macs = 0
        self.activations = 0
        self.backward: int | None = 0
        self.read = self.written = 0
        self.unknown: dict[str, None] = {}


class Recorder(TorchDispatchMode):
    """Notes operations as they pass.

    ``step``: what it learns of a training step, if ``training``.
    ``failed``: the operation during which an exception arose.  ``mistake``: an exception of the
    tracer's own, which must not read as the user's.
    """

    def __init__(self, ledger: Ledger, *, training: bool = False) -> None:
        super().__init__()
        self.ledger = ledger
        self.values = Values()
        self.learning = Learning()
        self.step: Step | None = Step() if training else None
        self.failed: tuple[BaseException, Heard] | None = None
        self.mistake: BaseException | None = None
        self._inside: Inside | None = None
        self._entries: dict[Any, Entry] = {}
        self._stand_ins = StandIns()
        self._pieces: dict[int, list[tuple[int, int]]] = {}

    def watch_parameter(self, part: StoodIn) -> None:
        """A parameter or a buffer, which the module holds."""
        owner = id(part.original)
        self.ledger.sizes[owner], self.ledger.names[owner] = part.elements, part.name
        owners = (owner,) if part.elements else ()
        value = Value(-1, None, owners, grad=part.tensor.requires_grad)
        self.values.note(part.tensor, value, fixed=True)
        self._stand_ins.adopt(part.original, part.tensor)

    def watch_image(self, image: Tensor) -> None:
        """The input itself: layer 0."""
        reach = of_image(image.shape)
        self.values.note(image, Value(0, reach, (), grad=False))
        size = image.untyped_storage().nbytes()
        self.ledger.write("input", (), image, Effect(reach), set(), Price(out=size))

    def watch_input(self, given: Tensor) -> None:
        """What a forward was given besides the image: a layer of its own, which sees no pixel."""
        self.values.note(given, Value(len(self.ledger.layers), None, (), grad=False))
        size = given.untyped_storage().nbytes()
        self.ledger.write("input", (), given, Effect(), set(), Price(out=size))

    @property
    def never_began(self) -> bool:
        """Whether the very first thing done to the image failed, for the image's own sake."""
        if self.ledger.layers[-1].op != "input" or self.failed is None:
            return False
        return bool(self.failed[1].inputs)

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """No: nothing here is compiled, and being skipped costs as much as many an operation."""
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        entry = self._entries.get(func)
        if entry is None:
            entry = self._entries[func] = _look_up(func)
        args, kwargs = self._stand_ins.for_call(entry.name, entry.op, args, kwargs or {})
        if entry.composite and self._inside is not None:
            with self:
                return func.decompose(*args, **kwargs)
        tensors = list(tensors_in(args))
        if kwargs:
            tensors += tensors_in(kwargs.values())
        sources = [self.values.of(tensor) for tensor in tensors]
        before = self.values.storages.written
        parts: Inside | None = None
        try:
            if entry.composite:
                out, parts = self._take_apart(func, args, kwargs)
            else:
                if entry.guard is not None:
                    entry.guard(args, kwargs)
                out = entry.quick(args, kwargs) if entry.quick is not None else None
                if out is None:
                    out = func(*args, **kwargs)
        except Exception as error:
            self._note_failure(error, entry, args, kwargs, tensors, sources)
            raise
        outs = list(tensors_in((out,)))
        if not outs:
            return out
        done = Done(func, entry, args, kwargs, tensors, sources, outs)
        try:
            effect = self._effect(done, out, parts)
            if self._inside is not None:
                self._note_part(self._inside, done, effect)
            else:
                self._note(done, effect, parts, before)
        except Exception as error:  # ours, not the user's: it must not read as their failure
            self.mistake = error
            raise
        return out

    def _take_apart(self, func: Any, args: Any, kwargs: Any) -> tuple[Any, Inside]:
        """A composite that is not in the table is one layer, known through its parts."""
        inside = self._inside = Inside(len(self.ledger.layers))
        try:
            with self:
                return func.decompose(*args, **kwargs), inside
        finally:
            self._inside = None

    def _note_failure(
        self,
        error: BaseException,
        entry: Entry,
        args: Any,
        kwargs: Any,
        tensors: list[Tensor],
        sources: list[Value],
    ) -> None:
        if self.failed is not None and self.failed[0] is error:
            return
        shown = entry.op.name if entry.op is not None else entry.name.strip("_")
        inputs = tuple(dict.fromkeys(s.layer for s in sources if s.layer >= 0))
        self.failed = (error, Heard(entry.name, shown, args, kwargs, tensors, inputs))

    def _effect(self, done: Done, out: Any, parts: Inside | None) -> Effect:
        if parts is not None:
            reaches = [self.values.reach_of(tensor) for tensor in done.outs]
            macs = None if parts.unknown else parts.macs
            return Effect(reaches, macs, parts.activations, unknown=tuple(parts.unknown))
        call = Call(done.entry.name, done.args, done.kwargs, out, self.values.reach_of)
        return _not_understood(call) if done.entry.op is None else done.entry.op.handler(call)

    def _note_part(self, inside: Inside, done: Done, effect: Effect) -> None:
        inside.macs += effect.macs or 0
        inside.activations += effect.activations
        if effect.macs is None:
            inside.unknown[done.entry.name.strip("_")] = None
        backward = self._backward(done, effect)
        if inside.backward is not None:
            inside.backward = None if backward is None else inside.backward + backward
        if done.entry.kind == "work":
            read, written = moved(done.entry.name, done.tensors, done.sources, done.outs)
            inside.read += read
            inside.written += written
        seen = done.entry.kind != "make" and bool(done.inputs)
        self._hold(done, effect, inside.layer if seen else -1, done.owners)
        self._in_step(done, 0)

    def _in_step(self, done: Done, saved: int) -> None:
        """A node of the backward pass, where a whole training step is asked for."""
        if self.step is not None and not self.learning.quiet:
            outs = [self.values.of(out) for out in done.outs]
            op = done.entry.op
            name = op.name if op is not None else done.entry.name.strip("_")
            self.step.note(name, outs, done.tensors, done.sources, saved)

    def _backward(self, done: Done, effect: Effect) -> int | None:
        if self.learning.quiet:
            return 0
        return backward_macs(done.entry.name, done.args, effect.macs, self.values)

    def _note(self, done: Done, effect: Effect, parts: Inside | None, before: int) -> None:
        op, kind, ledger = done.entry.op, done.entry.kind, self.ledger
        inputs, owners = done.inputs, done.owners
        hidden = kind in ("make", "alias") or (kind == "view" and not inputs)
        if hidden or not (inputs or owners or effect.macs):
            same = hidden and kind != "make" and done.sources
            self._hold(done, effect, done.sources[0].layer if same else -1, owners if same else ())
            self._in_step(done, 0)
            return
        self._hold(done, effect, len(ledger.layers), owners if kind == "view" else ())
        storages = self.values.storages
        storages.also(effect.scratch)
        name = effect.name or (op.name if op is not None else done.entry.name.strip("_"))
        if effect.macs is None:
            ledger.unknown.update(dict.fromkeys(effect.unknown or (name,)))
        written = storages.written - before
        if parts is not None:
            traffic, backward = (parts.read, parts.written), parts.backward
        else:
            copies = kind == "work" or written
            traffic = (
                moved(done.entry.name, done.tensors, done.sources, done.outs) if copies else None
            )
            backward = self._backward(done, effect)
        saved = self._saved(done) if kind == "work" else 0
        self._in_step(done, saved)
        ledger.write(
            name,
            inputs,
            done.outs[0],
            effect,
            owners,
            Price(
                out=written,
                saved=saved,
                moved=traffic or (0, 0),
                backward=backward,
            ),
            self._shared(done, owners) if owners else None,
        )
        self.learning.note(len(ledger.layers) - 1, done.sources)
        ledger.note_strays(_strays(done))
        if effect.gate:
            ledger.note_gate(inputs)

    def _shared(self, done: Done, owners: set[int]) -> set[int]:
        """Which of its parameters a layer before it used; another part of one is another's."""
        shared = owners & self.ledger.used
        for tensor, source in zip(done.tensors, done.sources, strict=True):
            for owner in source.owners:
                if tensor.numel() == self.ledger.sizes[owner]:
                    continue
                first = int(tensor.storage_offset())
                last = first + sum(
                    (n - 1) * step for n, step in zip(tensor.shape, tensor.stride(), strict=True)
                )
                known = self._pieces.setdefault(owner, [])
                if known and all(last < begin or end < first for begin, end in known):
                    shared.discard(owner)
                known.append((first, last))
        return shared

    def _hold(self, done: Done, effect: Effect, layer: int, owners: Any) -> None:
        """Say of each output what it is."""
        kind = done.entry.kind
        grad = kind != "make" and done.entry.name != "detach" and not self.learning.quiet
        grad = grad and any(source.grad for source in done.sources)
        owners = tuple(owners)
        reach = effect.reach
        for i, out in enumerate(done.outs):
            own = (reach[i] if i < len(reach) else None) if isinstance(reach, list) else reach
            differentiable = out.dtype.is_floating_point or out.dtype.is_complex
            self.values.note(out, Value(layer, own, owners, grad=grad and differentiable))
        if done.entry.writes:
            self.values.spread(done.outs[0])

    def _saved(self, done: Done) -> int:
        """Bytes that training would newly keep of this operation for backward."""
        if self.learning.quiet:
            return 0
        needs = {
            id(tensor): True
            for tensor, source in zip(done.tensors, done.sources, strict=True)
            if source.grad
        }
        if not needs:
            return 0
        total = 0
        for what, at in saved_by(done.func, done.entry.name, done.args, done.kwargs, needs):
            if what == "new":
                total += at
                self.values.storages.keep(at)
            else:
                total += self.values.keep(done.tensors[at] if what == "argument" else done.outs[at])
        return total


def _strays(done: Done) -> int:
    """Elements of the parameters it uses that the module does not know of."""
    return sum(
        tensor.numel()
        for tensor, source in zip(done.tensors, done.sources, strict=True)
        if source is NOTHING and isinstance(tensor, torch.nn.Parameter) and tensor.requires_grad
    )


def _look_up(func: Any) -> Entry:
    name = func._schema.name.split("::")[1]
    writes, composite = func._schema.is_mutable, func._can_decompose()
    if func.namespace != "aten":
        return Entry(None, f"{func.namespace}::{name}", None, None, writes, composite)
    found = OPS.get(name) or OPS.get(name.rstrip("_"))
    if found is None and torch.Tag.pointwise in func.tags:
        found = Op(name.strip("_"), pointwise)
    composite = composite and found is None
    return Entry(found, name, GUARDS.get(name), QUICK.get(func.name()), writes, composite)


def _not_understood(call: Call) -> Effect:
    """Whatever it does, its outputs may see all that its inputs saw."""
    seen = [reach for t in tensors_in(call.args) if (reach := call.reach_of(t)) is not None]
    outs: list[Reach | None] = []
    for out in tensors_in((call.out,)):
        known = [anywhere(reach, tuple(out.shape), Rank.UNKNOWN) for reach in seen]
        outs.append(reduce(union, known) if known else None)
    return Effect(outs, macs=None)
