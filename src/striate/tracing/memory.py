"""Bytes by storage: what lives at once, and what a training step would keep for backward.

Views share their storage's bytes.  What an operation saves is asked of autograd itself: the same
operation is run once more on tensors of the same shapes that require gradients, under hooks that
see every tensor it packs away.  The answer depends on shapes alone, so each kind of call is asked
once; of the commonest operations it depends on shapes only by a factor, and they are asked once for
all shapes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import prod
from typing import Any, cast

import torch

from striate.tracing.ops.call import tensors_in
from striate.tracing.saved_known import Kept, known_beforehand

Tensor = torch.Tensor


class Block:
    """One storage: its size, the live tensors that use it (by id), whether backward keeps it.

    ``fixed``: it belongs to the module (a parameter or buffer) and is no activation.
    """

    __slots__ = ("fixed", "holders", "saved", "size")

    def __init__(self, size: int, *, fixed: bool) -> None:
        self.size, self.fixed = size, fixed
        self.holders: set[int] = set()
        self.saved = False


def key_of(tensor: Tensor) -> int:
    """What two tensors share if they share their bytes, as long as one of them lives."""
    return tensor.untyped_storage()._cdata  # pyright: ignore[reportPrivateUsage]  # meta: no address


class Storages:
    """Counts live storages while a forward runs.  ``peak``: most bytes alive together.

    ``kept``: bytes that only backward still needs.  ``training_peak``: most bytes alive together
    where these are.
    """

    def __init__(self) -> None:
        self.live = 0
        self.peak = 0
        self.kept = 0
        self.training_peak = 0
        self.written = 0
        self._blocks: dict[int, Block] = {}

    def hold(self, tensor: Tensor, *, fixed: bool = False) -> tuple[Block, Callable[[], None]]:
        """Note a tensor; call what is returned when it is let go."""
        key, storage = key_of(tensor), tensor.untyped_storage()
        block = self._blocks.get(key)
        if block is None:
            block = self._blocks[key] = Block(storage.nbytes(), fixed=fixed)
            if not fixed:
                self.live += block.size
                self.written += block.size
                if self.live > self.peak:
                    self.peak = self.live
                if self.live + self.kept > self.training_peak:
                    self.training_peak = self.live + self.kept
        holder = id(tensor)
        block.holders.add(holder)

        def release() -> None:
            block.holders.discard(holder)
            if not block.holders:
                if not block.fixed:
                    self.live -= block.size
                    if block.saved:
                        self.kept += block.size
                if self._blocks.get(key) is block:
                    del self._blocks[key]

        return block, release

    def also(self, scratch: int) -> None:
        """Bytes that live only while an operation runs, on top of all that does now."""
        self.peak = max(self.peak, self.live + scratch)

    def keep(self, size: int) -> None:
        """Bytes that an operation puts aside for its backward."""
        self.kept += size
        self.training_peak = max(self.training_peak, self.live + self.kept)

    def block_of(self, tensor: Tensor) -> Block | None:
        """The noted storage of a tensor."""
        return self._blocks.get(key_of(tensor))


_answers: dict[Any, tuple[Kept, ...]] = {
    (func, signed, ()): answer for func, signed, answer in known_beforehand()
}
_MOST_ANSWERS = 50_000

_ALIKE = frozenset(
    {"conv2d", "linear", "relu", "relu_", "silu", "silu_", "gelu", "sigmoid", "sigmoid_", "tanh",
     "hardswish", "hardswish_", "hardsigmoid", "hardsigmoid_", "hardtanh", "hardtanh_",
     "leaky_relu", "leaky_relu_", "add", "add_", "sub", "mul", "mul_", "cat", "mean",
     "batch_norm", "layer_norm", "adaptive_avg_pool2d"}
)  # fmt: skip
"""Operations that save the same of their arguments and outputs whatever the shapes.  What some of
them make anew, ``_made_anew`` counts."""

_AS_IN_TRAINING = {"batch_norm": 5, "dropout": 2, "feature_dropout": 2, "alpha_dropout": 2}
"""Position of the flag by which an operation learns that it is being trained."""


def saved_by(
    func: Any,
    name: str,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    needs: Mapping[int, bool],
) -> tuple[Kept, ...]:
    """What training keeps of one call.  ``needs``: by id of a tensor, whether it has a gradient.

    Norms and dropout are taken as they are in training, whatever the mode of the module.
    """
    at = _AS_IN_TRAINING.get(name)
    if at is not None and len(args) > at and args[at] is False and _trainable(name, args):
        args = (*args[:at], True, *args[at + 1 :])
    if name == "scaled_dot_product_attention":
        return _attention(args)
    alike = name in _ALIKE and not any(isinstance(value, str) for value in args)
    key = (func, _signed(_telling(name, args) if alike else args, needs, shapes=not alike),
           _signed(kwargs.items(), needs, shapes=not alike) if kwargs else ())  # fmt: skip
    try:
        answer = _answers.get(key)
    except TypeError:  # an argument that cannot be a key
        return _asked(func, args, kwargs, needs)
    unit = _made_anew(name, args) if alike else 1
    if answer is None:
        answer = _asked(func, args, kwargs, needs)
        if alike and any(kept.what == "new" and (unit == 0 or kept.at % unit) for kept in answer):
            return answer
        answer = tuple(
            Kept("new", kept.at // unit) if kept.what == "new" else kept for kept in answer
        )
        if len(_answers) >= _MOST_ANSWERS:
            _answers.clear()
        _answers[key] = answer
    return tuple(Kept("new", kept.at * unit) if kept.what == "new" else kept for kept in answer)


def _telling(name: str, args: Sequence[Any]) -> Sequence[Any]:
    """The arguments on which it depends what an operation of ``_ALIKE`` saves."""
    if name == "conv2d":  # whatever its stride, padding, dilation and groups
        return args[:3]
    if name == "cat":  # of any number of parts
        return (args[0][:2],)
    if name == "layer_norm":  # over so many axes, of any size
        return (args[0], len(args[1]), *args[2:4])
    return args


def _made_anew(name: str, args: Sequence[Any]) -> int:
    """What the new bytes that an operation keeps are a multiple of: how many of each statistic a
    norm makes, the size of what is about to be written over; 0 where there is no such number.
    """
    if name == "batch_norm":
        return args[0].shape[1]
    if name == "layer_norm":
        return args[0].numel() // max(1, prod(args[1]))
    return args[0].nbytes if name.endswith("_") else 0


def _trainable(name: str, args: Sequence[Any]) -> bool:
    """Batch statistics need more than one value for each channel."""
    return name != "batch_norm" or args[0].numel() > args[0].shape[1]


def _attention(args: Sequence[Any]) -> tuple[Kept, ...]:
    """Fused attention keeps query, key, value, output and one float32 per row of scores.

    (On the meta device PyTorch would take the unfused path, which keeps the scores.)
    """
    query = args[0]
    kept = [Kept("argument", 0), Kept("argument", 1), Kept("argument", 2), Kept("output", 0)]
    if len(args) > 3 and isinstance(args[3], Tensor):
        kept.append(Kept("argument", 3))
    return (*kept, Kept("new", prod(query.shape[:-1]) * 4))


def _signed(
    values: Iterable[Any], needs: Mapping[int, bool], *, shapes: bool = True
) -> tuple[Any, ...]:
    """What tells one kind of call from another; without ``shapes`` not how large anything is."""
    return tuple(
        (
            (tuple(v.shape), v.stride()) if shapes else (v.dim(), v.is_contiguous()),
            v.dtype,
            needs.get(id(v), False),
        )
        if isinstance(v, Tensor)
        else _signed(cast("list[Any]", v), needs, shapes=shapes)
        if isinstance(v, (list, tuple))
        else float
        if isinstance(v, float) and not shapes
        else v
        for v in values
    )


def _asked(
    func: Any, args: Sequence[Any], kwargs: Mapping[str, Any], needs: Mapping[int, bool]
) -> tuple[Kept, ...]:
    places: dict[int, int] = {}
    stand_ins: list[Tensor] = []  # held, so that no storage's address is used twice

    def stand_in(value: Any) -> Any:
        if isinstance(value, (list, tuple)):
            return [stand_in(item) for item in cast("list[Any]", value)]
        if not isinstance(value, Tensor):
            return value
        fresh = torch.empty_strided(value.shape, value.stride(), dtype=value.dtype, device="meta")
        if needs.get(id(value), False):
            fresh = fresh.requires_grad_().clone()
        places[key_of(fresh)] = len(stand_ins)
        stand_ins.append(fresh)
        return fresh

    packed: list[Tensor] = []

    def pack(tensor: Tensor) -> Tensor:
        packed.append(tensor)
        return tensor

    with torch.inference_mode(False), torch.enable_grad():
        shadow = [stand_in(value) for value in args]
        named = {name: stand_in(value) for name, value in kwargs.items()}
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            try:
                out: Any = func(*shadow, **named)
            except (RuntimeError, NotImplementedError):  # no such derivative on these: keep all
                return tuple(Kept("argument", i) for i in range(len(stand_ins)))
    return _told_apart(packed, places, list(tensors_in((out,))))


def _told_apart(
    packed: list[Tensor], places: dict[int, int], outs: list[Tensor]
) -> tuple[Kept, ...]:
    results: dict[int, int] = {}
    for i, out in enumerate(outs):
        results.setdefault(key_of(out), i)
    kept: dict[Kept, None] = {}
    seen: set[int] = set()
    for tensor in packed:
        key = key_of(tensor)
        if key in seen:
            continue
        seen.add(key)
        if key in places:
            kept[Kept("argument", places[key])] = None
        elif key in results:
            kept[Kept("output", results[key])] = None
        else:
            old = next((k for k in kept if k.what == "new"), Kept("new", 0))
            kept.pop(old, None)
            kept[Kept("new", old.at + tensor.untyped_storage().nbytes())] = None
    return tuple(kept)
