"""The ear at the dispatcher: every ATen operation of a forward becomes a Layer.

The forward runs in inference mode, in which PyTorch hands composite operations (``linear``,
``flatten``, ``scaled_dot_product_attention``) over as they were written, not taken apart.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Mapping
from dataclasses import is_dataclass
from functools import reduce
from types import FrameType
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from striate.records.trace import Field, Layer
from striate.tracing.fields.joins import anywhere, union
from striate.tracing.fields.reach import Rank, Reach, of_image
from striate.tracing.fields.report import field_of
from striate.tracing.heard import Heard
from striate.tracing.memory import Block, Storages, saved_by
from striate.tracing.ops import OPS, Call, Effect, Op
from striate.tracing.ops.call import tensors_in
from striate.tracing.ops.pointwise import pointwise
from striate.tracing.ops.quick import QUICK, Quick
from striate.tracing.overlaps import after_write
from striate.tracing.places import Stack, calling_line
from striate.tracing.standins import StandIns

Tensor = torch.Tensor


class Value:
    """What is known of a live tensor.

    ``layer``: the layer that made it (−1: none).  ``reach``: what it sees (None: no pixel).
    ``owners``: parameters whose bytes it is.  ``grad``: whether training would give it a gradient.
    """

    __slots__ = ("block", "grad", "layer", "owners", "reach", "watch")

    def __init__(
        self, layer: int, reach: Reach | None, owners: tuple[int, ...], *, grad: bool
    ) -> None:
        self.layer, self.reach, self.owners, self.grad = layer, reach, owners, grad
        self.block: Block | None = None
        self.watch: weakref.ref[Tensor] | None = None


NOTHING = Value(-1, None, (), grad=False)


class Inside:
    """What the parts of a composite operation come to, while it is taken apart."""

    def __init__(self, layer: int) -> None:
        self.layer = layer
        self.macs = 0
        self.activations = 0
        self.unknown: dict[str, None] = {}


class Recorder(TorchDispatchMode):
    """Notes operations as they pass.  Holds no tensor: what the program lets go of is let go."""

    def __init__(self, stack: Stack, makers: dict[int, str], stop: FrameType | None) -> None:
        super().__init__()
        self.stack, self.makers, self.stop = stack, makers, stop
        self.layers: list[Layer] = []
        self.gates: list[tuple[int, int]] = []
        self.squeezed: set[int] = set()
        self.unknown: dict[str, None] = {}
        self.used: set[int] = set()
        self.sizes: dict[int, int] = {}
        self.storages = Storages()
        self.values: dict[int, Value] = {}
        self.failed: tuple[BaseException, Heard] | None = None
        self.mistake: BaseException | None = None
        self._inside: Inside | None = None
        self._table: dict[Any, tuple[Op | None, str, Quick | None]] = {}
        self._fields: dict[int, tuple[Reach, Field | None]] = {}
        self._stand_ins = StandIns()

    def watch_parameter(self, tensor: Tensor, owner: int, elements: int) -> None:
        """A parameter, or a buffer (with no elements to count), which the module holds."""
        self.sizes[owner] = elements
        owners = (owner,) if elements else ()
        self._register(tensor, Value(-1, None, owners, grad=tensor.requires_grad), fixed=True)

    def watch_image(self, image: Tensor) -> None:
        """The input itself: layer 0."""
        reach = of_image(image.shape)
        self._register(image, Value(0, reach, (), grad=False))
        self._append("input", (), image, Effect(reach), set(), self.storages.written, 0)

    @property
    def never_began(self) -> bool:
        """Whether the very first thing done to the image failed, for the image's own sake."""
        if len(self.layers) > 1 or self.failed is None:
            return False
        return bool(self.failed[1].inputs)

    def reaches_in(self, result: Any) -> Iterator[Reach | None]:
        """What each tensor in what the forward returned sees, containers opened in order."""
        if isinstance(result, Tensor):
            yield self._reach_of(result)
        elif isinstance(result, Mapping):
            for item in result.values():
                yield from self.reaches_in(item)
        elif isinstance(result, (list, tuple)):
            for item in result:
                yield from self.reaches_in(item)
        elif is_dataclass(result):
            yield from self.reaches_in(vars(result))

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        entry = self._table.get(func)
        if entry is None:
            entry = self._table[func] = _look_up(func)
        op, name, quick = entry
        args, kwargs = self._stand_ins.for_call(name, op, args, kwargs)
        apart = op is None and func._can_decompose()
        if apart and self._inside is not None:
            with self:
                return func.decompose(*args, **kwargs)
        tensors = list(tensors_in(args))
        if kwargs:
            tensors += tensors_in(kwargs.values())
        sources = [self.values.get(id(tensor), NOTHING) for tensor in tensors]
        inside = self._inside = Inside(len(self.layers)) if apart else self._inside
        before = self.storages.written
        try:
            if apart:
                with self:
                    out = func.decompose(*args, **kwargs)
            else:
                out = quick(args, kwargs) if quick is not None else None
                if out is None:
                    out = func(*args, **kwargs)
        except Exception as error:
            if self.failed is None or self.failed[0] is not error:
                shown = op.name if op is not None else name.strip("_")
                self.failed = (error, Heard(name, shown, args, kwargs, tensors, _layers(sources)))
            raise
        finally:
            if apart:
                self._inside = None
        if apart and inside is not None:
            effect = self._of_parts(inside, out)
        else:
            call = Call(name, args, kwargs, out, self._reach_of)
            try:
                effect = _not_understood(call) if op is None else op.handler(call)
            except Exception as error:  # ours, not the user's: it must not read as their failure
                self.mistake = error
                raise
        kind = op.kind if op is not None else "work"
        shown = effect.name or (op.name if op is not None else name.strip("_"))
        outs = list(tensors_in((out,)))
        if not outs:
            return out
        if self._inside is not None:
            self._note_part(self._inside, shown, kind, effect, outs, sources)
            return out
        seen = any(source.layer >= 0 for source in sources)
        owners = {owner for source in sources for owner in source.owners}
        grad = kind != "make" and name != "detach" and any(source.grad for source in sources)
        hidden = kind in ("make", "alias") or (kind == "view" and not seen)
        if hidden or not (seen or owners or effect.macs):
            layer = -1 if kind == "make" or not sources else sources[0].layer
            kept = tuple(owners) if hidden and kind != "make" else ()
            self._hold(outs, effect, layer, kept, grad=grad)
            return out
        index = len(self.layers)
        kept = tuple(owners) if kind == "view" else ()
        self._hold(outs, effect, index, kept, grad=grad)
        if func._schema.is_mutable:
            self._spread(outs[0], index)
        saved = 0
        if grad and kind == "work":
            needs = {id(t): s.grad for t, s in zip(tensors, sources, strict=True) if s.grad}
            for what, at in saved_by(func, name, args, kwargs, needs):
                if what == "new":
                    saved += at
                else:
                    saved += self._keep(tensors[at] if what == "argument" else outs[at])
        if effect.macs is None or effect.blind:
            self.unknown.update(inside.unknown if apart and inside else {shown: None})
        inputs = _layers(sources)
        self._note_gates(effect, index, tensors)
        written = self.storages.written - before
        self._append(shown, inputs, outs[0], effect, owners, written, saved)
        return out

    def _reach_of(self, tensor: Any) -> Reach | None:
        value = self.values.get(id(tensor))
        return None if value is None else value.reach

    def _of_parts(self, inside: Inside, out: Any) -> Effect:
        """A composite that is not in the table, known through its parts."""
        reaches = [self._reach_of(tensor) for tensor in tensors_in((out,))]
        macs = None if inside.unknown else inside.macs
        return Effect(reaches, macs, inside.activations)

    def _note_part(
        self,
        inside: Inside,
        name: str,
        kind: str,
        effect: Effect,
        outs: list[Tensor],
        sources: list[Value],
    ) -> None:
        inside.macs += effect.macs or 0
        inside.activations += effect.activations
        if effect.macs is None or effect.blind:
            inside.unknown[name] = None
        seen = kind != "make" and any(source.layer >= 0 for source in sources)
        owners = {owner for source in sources for owner in source.owners}
        grad = any(source.grad for source in sources)
        self._hold(outs, effect, inside.layer if seen else -1, tuple(owners), grad=grad)

    def _hold(
        self,
        outs: list[Tensor],
        effect: Effect,
        layer: int,
        owners: tuple[int, ...],
        *,
        grad: bool,
    ) -> None:
        reach = effect.reach
        for i, out in enumerate(outs):
            if isinstance(reach, list):
                own = reach[i] if i < len(reach) else None
            else:
                own = reach
            real = out.dtype.is_floating_point or out.dtype.is_complex
            self._register(out, Value(layer, own, owners, grad=grad and real))

    def _register(self, tensor: Tensor, value: Value, *, fixed: bool = False) -> None:
        key = id(tensor)
        values = self.values
        old = values.get(key)
        if old is not None and old.watch is not None and old.watch() is tensor:
            value.watch, value.block = old.watch, old.block
            values[key] = value
            return
        value.block, release = self.storages.hold(tensor, fixed=fixed)

        def gone(_: Any) -> None:
            values.pop(key, None)
            release()

        value.watch = weakref.ref(tensor, gone)
        values[key] = value

    def _spread(self, written: Tensor, layer: int) -> None:
        """What was written into a storage is seen by every other tensor that shares it."""
        value = self.values[id(written)]
        if value.block is None or len(value.block.holders) == 1:
            return
        for holder in value.block.holders:
            other = self.values.get(holder)
            tensor = other.watch() if other is not None and other.watch is not None else None
            if other is None or tensor is None or tensor is written:
                continue
            reach = after_write(written, value.reach, tensor, other.reach)
            new = Value(layer, reach, other.owners, grad=other.grad or value.grad)
            new.block, new.watch = other.block, other.watch
            self.values[holder] = new

    def _keep(self, tensor: Tensor) -> int:
        """Bytes that keeping this tensor for backward adds to what is kept already."""
        block = self.storages.block_of(tensor)
        if block is None or block.fixed or block.saved:
            return 0
        block.saved = True
        return block.size

    def _note_gates(self, effect: Effect, index: int, tensors: list[Tensor]) -> None:
        reach = effect.reach[0] if isinstance(effect.reach, list) and effect.reach else effect.reach
        if isinstance(reach, Reach) and any(
            hull.squeezed for term in reach.terms for hull in term.hulls
        ):
            self.squeezed.add(index)
        for tensor in tensors if effect.gate else ():
            value = self.values.get(id(tensor))
            if value is not None and value.layer in self.squeezed:
                self.gates.append((value.layer, index))

    def _append(
        self,
        name: str,
        inputs: tuple[int, ...],
        first: Tensor,
        effect: Effect,
        owners: set[int],
        written: int,
        saved: int,
    ) -> None:
        new = owners - self.used
        self.used |= new
        module, path = self.stack.top
        defined = self.makers.get(id(module))
        self.layers.append(
            Layer(
                index=len(self.layers),
                path=path,
                op=name,
                inputs=inputs,
                shape=tuple(first.shape),
                params=sum(self.sizes[owner] for owner in new),
                macs=effect.macs,
                activations=effect.activations,
                out_bytes=written,
                saved_bytes=saved,
                source=calling_line(self.stop) or defined if inputs else None,
                defined=defined,
                field=self._field(effect),
                module=type(module).__name__,
                dtype=str(first.dtype).removeprefix("torch."),
                attrs=effect.attrs or {},
            )
        )

    def _field(self, effect: Effect) -> Field | None:
        reach = effect.reach[0] if isinstance(effect.reach, list) and effect.reach else effect.reach
        if not isinstance(reach, Reach):
            return None
        known = self._fields.get(id(reach))
        if known is None:
            known = self._fields[id(reach)] = (reach, field_of(reach))
        return known[1]


def _not_understood(call: Call) -> Effect:
    """Whatever it does, its outputs may see all that its inputs saw."""
    seen = [reach for t in tensors_in(call.args) if (reach := call.reach_of(t)) is not None]
    outs: list[Reach | None] = [
        reduce(union, [anywhere(reach, tuple(out.shape), Rank.UNKNOWN) for reach in seen])
        if seen
        else None
        for out in tensors_in((call.out,))
    ]
    return Effect(outs, macs=None, blind=True)


def _layers(sources: list[Value]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(source.layer for source in sources if source.layer >= 0))


def _look_up(func: Any) -> tuple[Op | None, str, Quick | None]:
    """The table's entry for an operator, its bare name, and what knows its output beforehand."""
    name = func._schema.name.split("::")[1]
    if func.namespace != "aten":
        return None, f"{func.namespace}::{name}", None
    found = OPS.get(name) or OPS.get(name.rstrip("_"))
    if found is None and torch.Tag.pointwise in func.tags:
        found = Op(name.strip("_"), pointwise)
    return found, name, QUICK.get(func.name())
