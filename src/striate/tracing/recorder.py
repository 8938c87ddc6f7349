"""The ear at the dispatcher: every ATen operation of a forward becomes a draft of a Layer.

The forward runs in inference mode, in which PyTorch hands composite operations (``linear``,
``flatten``, ``scaled_dot_product_attention``) over as they were written, not taken apart.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from types import FrameType
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from striate.records.trace import Layer
from striate.tracing.fields.reach import Reach, of_image
from striate.tracing.fields.report import field_of
from striate.tracing.memory import Storages
from striate.tracing.ops import OPS, Call, Effect, Op
from striate.tracing.ops.pointwise import pointwise
from striate.tracing.places import Stack, calling_line

Tensor = torch.Tensor


class Value:
    """What is known of a live tensor: the layer that made it, what it sees, whose bytes it is."""

    __slots__ = ("layer", "owners", "reach", "watch")

    def __init__(self, layer: int, reach: Reach | None, owners: tuple[int, ...]) -> None:
        self.layer, self.reach, self.owners = layer, reach, owners
        self.watch: weakref.ref[Tensor] | None = None


class Inside:
    """What the parts of a composite operation come to, while it is taken apart."""

    def __init__(self, layer: int) -> None:
        self.layer = layer
        self.macs = 0
        self.activations = 0
        self.unknown: list[str] = []


class Recorder(TorchDispatchMode):
    """Notes operations as they pass.  Holds no tensor: what the program lets go of is let go."""

    def __init__(self, stack: Stack, makers: dict[int, str], stop: FrameType | None) -> None:
        super().__init__()
        self.stack, self.makers, self.stop = stack, makers, stop
        self.layers: list[Layer] = []
        self.unknown: dict[str, None] = {}
        self.used: set[int] = set()
        self.sizes: dict[int, int] = {}
        self.storages = Storages()
        self.values: dict[int, Value] = {}
        self.failed: tuple[BaseException, str, tuple[Any, ...], Any] | None = None
        self._inside: Inside | None = None
        self._known: dict[Any, tuple[Op | None, str]] = {}

    def watch_parameter(self, tensor: Tensor, owner: int, elements: int) -> None:
        """A parameter (or a buffer, with no elements to count), held elsewhere."""
        self.sizes[owner] = elements
        self._register(tensor, Value(-1, None, (owner,) if elements else ()), counted=False)

    def watch_image(self, image: Tensor) -> None:
        """The input itself: layer 0."""
        reach = of_image(image.shape)
        shape = tuple(image.shape)
        self._register(image, Value(0, reach, ()), counted=True)
        self.layers.append(
            Layer(
                index=0,
                path="",
                op="input",
                inputs=(),
                shape=shape,
                out_bytes=image.untyped_storage().nbytes(),
                field=field_of(reach),
                dtype=str(image.dtype).removeprefix("torch."),
            )
        )

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        known = self._known.get(func)
        if known is None:
            known = self._known[func] = self._look_up(func)
        op, name = known
        tensors = self._tensors(args, kwargs)
        if op is None and func._can_decompose() and self._inside is None:
            return self._take_apart(func, name, args, kwargs, tensors)
        if op is None and self._inside is not None and func._can_decompose():
            with self:
                return func.decompose(*args, **kwargs)
        sources = [self.values.get(id(tensor)) for tensor in tensors]
        try:
            out = func(*args, **kwargs)
        except Exception as error:
            self._note_failure(error, name, tensors, args)
            raise
        call = Call(name, args, kwargs, out, self._reach_of)
        self._record(call, op, sources)
        return out

    def _tensors(self, args: Any, kwargs: dict[str, Any]) -> list[Tensor]:
        found: list[Tensor] = []
        for value in (*args, *kwargs.values()) if kwargs else args:
            if isinstance(value, Tensor):
                found.append(value)
            elif isinstance(value, (list, tuple)):
                found.extend(v for v in value if isinstance(v, Tensor))
        return found

    def _look_up(self, func: Any) -> tuple[Op | None, str]:
        name = func._schema.name.split("::")[1]
        if func.namespace == "aten":
            found = OPS.get(name) or OPS.get(name.rstrip("_"))
            if found is not None:
                return found, name
            if torch.Tag.pointwise in func.tags:
                return Op(name.strip("_"), pointwise), name
        return None, name if func.namespace == "aten" else f"{func.namespace}::{name}"

    def _reach_of(self, tensor: Any) -> Reach | None:
        value = self.values.get(id(tensor))
        return None if value is None else value.reach

    def _record(self, call: Call, op: Op | None, sources: list[Value | None]) -> None:
        seen = any(value is not None and value.layer >= 0 for value in sources)
        owners = {o for value in sources if value is not None for o in value.owners}
        effect = self._effect(call, op)
        kind = op.kind if op is not None else "work"
        name = effect.name or (op.name if op is not None else call.name)
        hidden = kind in ("make", "alias") or (kind == "view" and not seen)
        constant = not seen and not owners and not effect.macs
        if self._inside is not None:
            inside = self._inside
            inside.macs += effect.macs or 0
            inside.activations += effect.activations
            if effect.macs is None or effect.blind:
                inside.unknown.append(name)
            self._outputs(call, effect, -1 if kind == "make" or constant else inside.layer, owners)
            return
        if hidden or constant:
            layer = max((v.layer for v in sources if v is not None), default=-1)
            kept = owners if kind in ("view", "alias") else set[int]()
            self._outputs(call, effect, -1 if kind == "make" else layer, kept)
            return
        if effect.macs is None or effect.blind:
            self.unknown[name] = None
        index = len(self.layers)
        inputs = tuple(dict.fromkeys(v.layer for v in sources if v is not None and v.layer >= 0))
        written = self._outputs(call, effect, index, owners if kind == "view" else set())
        self._append(index, name, inputs, call.first, effect, owners, written)

    def _effect(self, call: Call, op: Op | None) -> Effect:
        if op is not None:
            return op.handler(call)
        return Effect(None, macs=None, blind=True)

    def _append(
        self,
        index: int,
        name: str,
        inputs: tuple[int, ...],
        first: Tensor,
        effect: Effect,
        owners: set[int],
        written: int,
    ) -> None:
        new = owners - self.used
        self.used |= new
        module, path = self.stack.top
        reach = effect.reach[0] if isinstance(effect.reach, list) else effect.reach
        defined = self.makers.get(id(module))
        self.layers.append(
            Layer(
                index=index,
                path=path,
                op=name,
                inputs=inputs,
                shape=tuple(first.shape),
                params=sum(self.sizes[owner] for owner in new),
                macs=effect.macs,
                activations=effect.activations,
                out_bytes=written,
                source=calling_line(self.stop) or defined,
                defined=defined,
                field=None if reach is None else field_of(reach),
                module=type(module).__name__,
                dtype=str(first.dtype).removeprefix("torch."),
                attrs=effect.attrs or {},
            )
        )

    def _outputs(self, call: Call, effect: Effect, layer: int, owners: set[int]) -> int:
        outs = [call.out] if isinstance(call.out, Tensor) else [
            t for t in (call.out if isinstance(call.out, (list, tuple)) else ()) 
        ]
        written = 0
        keep = tuple(owners)
        for i, out in enumerate(outs):
            if not isinstance(out, Tensor):
                continue
            reach = effect.reach
            if isinstance(reach, list):
                reach = reach[i] if i < len(reach) else None
            written += self._register(out, Value(layer, reach, keep), counted=True)
        return written

    def _register(self, tensor: Tensor, value: Value, *, counted: bool) -> int:
        key = id(tensor)
        old = self.values.get(key)
        if old is not None and old.watch is not None and old.watch() is tensor:
            value.watch = old.watch
            self.values[key] = value
            return 0
        release = self.storages.hold(tensor) if counted else None
        values = self.values

        def gone(_: Any, key: int = key, release: Callable[[], None] | None = release) -> None:
            values.pop(key, None)
            if release is not None:
                release()

        value.watch = weakref.ref(tensor, gone)
        values[key] = value
        return self.storages.last_new if counted else 0

    def _take_apart(
        self, func: Any, name: str, args: Any, kwargs: dict[str, Any], tensors: list[Tensor]
    ) -> Any:
        """A composite that is not in the table: one layer, known through its parts."""
        sources = [self.values.get(id(tensor)) for tensor in tensors]
        index = len(self.layers)
        inside = self._inside = Inside(index)
        before = self.storages.written
        try:
            with self:
                out = func.decompose(*args, **kwargs)
        except Exception as error:
            self._note_failure(error, name, tensors, args)
            raise
        finally:
            self._inside = None
        first = out if isinstance(out, Tensor) else None
        if first is None and isinstance(out, (list, tuple)):
            first = next((t for t in out if isinstance(t, Tensor)), None)
        seen = any(value is not None and value.layer >= 0 for value in sources)
        owners = {o for value in sources if value is not None for o in value.owners}
        if first is None or not (seen or owners):
            return out
        if inside.unknown:
            self.unknown.update(dict.fromkeys(inside.unknown))
        effect = Effect(
            self._reach_of(first),
            None if inside.unknown else inside.macs,
            inside.activations,
        )
        inputs = tuple(dict.fromkeys(v.layer for v in sources if v is not None and v.layer >= 0))
        self._append(
            index, name.strip("_"), inputs, first, effect, owners, self.storages.written - before
        )
        return out

    def _note_failure(
        self, error: BaseException, name: str, tensors: list[Tensor], args: Any
    ) -> None:
        if self.failed is None or self.failed[0] is not error:
            sources = tuple(
                value.layer
                for tensor in tensors
                if (value := self.values.get(id(tensor))) is not None and value.layer >= 0
            )
            shapes = tuple(tuple(tensor.shape) for tensor in tensors)
            self.failed = (error, name, shapes, (args, sources))
