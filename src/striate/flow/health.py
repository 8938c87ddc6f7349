"""What a trained network does to real images: ``striate.records.Health`` of a module or of a run.

A forward over a sample of images is heard at the dispatcher, operation by operation, and each
activation and sum is matched to its layer of the Trace: the k-th call of its kind in its module.
Nothing is kept of what passes but a few sums.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils._python_dispatch import TorchDispatchMode

from striate.records import Branch, Gradient, Health, Layer, Trace, Units
from striate.records.health import HARD, MOSTLY, RANGES, SATURATED
from striate.runs import evaluating, logits_of
from striate.seeing.passing import estimated_norms, submodules

IMAGES = 128
"""How many images are looked at."""
FAINT = 0.05
"""Share of the sum below which a branch is left out for a trial."""
TRIALS = 16

HEARD = HARD | frozenset(RANGES) | {"add"}

_TINY = 1e-30

Key = tuple[str, str, int]
_BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


def measure(
    module: nn.Module,
    trace: Trace,
    inputs: Tensor,
    labels: Tensor,
    *,
    classes: int,
    start: nn.Module | None = None,
    first_loss: float | None = None,
) -> Health:
    """Health of ``module``, whose trace is ``trace``, over ``inputs`` (n, C, H, W).

    ``labels``: (n,) of ``classes`` kinds.  ``start``: the network as it was before training; its
    batch norms are given this batch's statistics.  The module is afterwards as it was.
    """
    layers = _by_key(trace)
    branches = _branches(trace)
    heard = Heard(layers=layers, branches=branches)
    with evaluating(module), _hearing(module, heard):
        logits = logits_of(module, inputs, "fp32", classes)
    finite = bool(torch.isfinite(logits).all())
    mean = logits.mean(dim=0)
    began: Mapping[int, float] = {}
    if start is not None:
        before = Heard(layers=layers, branches=branches)
        with evaluating(start), estimated_norms(start), _hearing(start, before):
            logits_of(start, inputs, "fp32", classes)
        began = before.shares
    normed = any(isinstance(part, _BATCH_NORMS) for part in module.modules())
    batch_accuracy = None
    if normed and finite and len(inputs) > 1:
        with evaluating(module), estimated_norms(module):
            batch_accuracy = _accuracy(logits_of(module, inputs, "fp32", classes), labels)
    return Health(
        images=len(inputs),
        classes=classes,
        first_loss=first_loss,
        units=tuple(heard.units),
        branches=tuple(
            replace(branch, began=began.get(branch.index))
            for branch in _tried(module, inputs, logits, heard, trace)
        )
        if finite
        else (),
        started=() if start is None else _gradients(start, inputs, labels, classes, train=True),
        ended=_gradients(module, inputs, labels, classes, train=False) if finite else (),
        spread=float(logits.std(dim=0, unbiased=False).mean()) if finite else None,
        level=float(mean.std(unbiased=False)) if finite else None,
        said=tuple(int((logits.argmax(dim=1) == number).sum()) for number in range(classes)),
        accuracy=_accuracy(logits, labels),
        batch_accuracy=batch_accuracy,
        broken=tuple(dict.fromkeys(heard.broken)),
    )


@dataclass(kw_only=True)
class Heard:
    """What is noted while a forward passes.  ``left_out``: the sum that hands on its skip alone."""

    layers: Mapping[Key, Layer]
    branches: Mapping[int, int]
    left_out: int | None = None
    units: list[Units] = field(default_factory=list[Units])
    shares: dict[int, float] = field(default_factory=dict[int, float])
    broken: list[str] = field(default_factory=list[str])


class _Ear(TorchDispatchMode):
    """Passes every operation on, and looks at those that are activations or sums."""

    def __init__(self, heard: Heard, stack: list[str]) -> None:
        super().__init__()
        self.heard, self.stack = heard, stack
        self.calls: Counter[tuple[str, str]] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = str(func._schema.name).split("::")[1].strip("_")
        if name == "hardtanh":
            limits = (*args[1:3], *kwargs.values())
            name = "relu6" if limits == (0, 6) or limits == (0.0, 6.0) else name
        if name not in HEARD:
            return func(*args, **kwargs)
        path = self.stack[-1] if self.stack else ""
        layer = self.heard.layers.get((path, name, self.calls[path, name]))
        tensors = [arg for arg in args if isinstance(arg, Tensor)]
        self.calls[path, name] += 1
        if layer is None:
            return func(*args, **kwargs)
        branch = self.heard.branches.get(layer.index) if len(tensors) == 2 else None
        if branch is None:
            out = func(*args, **kwargs)
            self._note_units(layer, out)
        else:
            out = self._add(layer.index, func, args, kwargs, tensors[branch], tensors[1 - branch])
        if not self.heard.broken and not bool(torch.isfinite(out).all()):
            self.heard.broken.append(path)
        return out

    def _add(
        self, index: int, func: Any, args: Any, kwargs: Any, branch: Tensor, skip: Tensor
    ) -> Tensor:
        """A residual sum, which may be written into either of the two."""
        size = _lengths(branch)
        kept = skip.clone() if self.heard.left_out == index else None
        out: Tensor = func(*args, **kwargs)
        whole = _lengths(out).clamp_min(_TINY)
        self.heard.shares[index] = float((size / whole).mean())
        return out if kept is None else out.copy_(kept.expand_as(out))

    def _note_units(self, layer: Layer, out: Tensor) -> None:
        if layer.op == "add" or out.dim() < 2:
            return
        along = 1 if out.dim() in (2, 4) else out.dim() - 1
        flat = out.detach().float().movedim(along, 0).flatten(1)
        dead = saturated = 0
        if layer.op in HARD:
            dead = int((flat.amax(dim=1) <= 0).sum())
        else:
            low, high = RANGES[layer.op]
            near = SATURATED * (high - low)
            ends = (flat < low + near) | (flat > high - near)
            saturated = int((ends.float().mean(dim=1) >= MOSTLY).sum())
        self.heard.units.append(
            Units(
                index=layer.index,
                path=layer.path,
                op=layer.op,
                channels=len(flat),
                dead=dead,
                saturated=saturated,
            )
        )


@contextmanager
def _hearing(module: nn.Module, heard: Heard) -> Generator[None]:
    """While open, what ``module`` does is noted in ``heard``."""
    stack: list[str] = []
    handles: list[Any] = []
    try:
        for path, part in submodules(module).items():
            handles.append(part.register_forward_pre_hook(_enter(stack, path)))
            handles.append(part.register_forward_hook(_leave(stack), always_call=True))
        with torch.inference_mode(), _Ear(heard, stack):
            yield
    finally:
        for handle in handles:
            handle.remove()


def _enter(stack: list[str], path: str) -> Any:
    def hook(_module: nn.Module, _inputs: object) -> None:
        stack.append(path)

    return hook


def _leave(stack: list[str]) -> Any:
    def hook(_module: nn.Module, _inputs: object, _output: object) -> None:
        stack.pop()

    return hook


def _by_key(trace: Trace) -> dict[Key, Layer]:
    """Layers of the kinds that are heard, by module, operation and count."""
    calls: Counter[tuple[str, str]] = Counter()
    found: dict[Key, Layer] = {}
    for layer in trace:
        if layer.op in HEARD:
            found[layer.path, layer.op, calls[layer.path, layer.op]] = layer
            calls[layer.path, layer.op] += 1
    return found


def _branches(trace: Trace) -> dict[int, int]:
    """Which of a residual sum's two inputs is the branch, by the sum's index.

    The branch is the one with more weight layers of its own.
    """
    ancestors: dict[int, frozenset[int]] = {}
    weights: dict[int, bool] = {}
    found: dict[int, int] = {}
    for layer in trace:
        above = frozenset[int]().union(*(ancestors[source] for source in layer.inputs))
        ancestors[layer.index] = above | {layer.index}
        weights[layer.index] = layer.op.startswith(("conv", "linear"))
        if layer.op != "add" or len(layer.inputs) != 2:
            continue
        first, second = (ancestors[source] for source in layer.inputs)
        own = [sum(weights[i] for i in mine - other)
               for mine, other in ((first, second), (second, first))]  # fmt: skip
        if own[0] != own[1] and first & second:
            found[layer.index] = 0 if own[0] > own[1] else 1
    return found


def _tried(
    module: nn.Module, inputs: Tensor, logits: Tensor, heard: Heard, trace: Trace
) -> Iterator[Branch]:
    """Every branch's share, and of the faintest what the network says without it."""
    by_index = {layer.index: layer for layer in trace}
    faint = sorted(heard.shares, key=lambda index: heard.shares[index])
    faint = [index for index in faint if heard.shares[index] < FAINT][:TRIALS]
    spread = float(logits.std(dim=0, unbiased=False).mean())
    for index, share in heard.shares.items():
        flipped, shift = None, None
        if index in faint:
            trial = Heard(layers=heard.layers, branches=heard.branches, left_out=index)
            with evaluating(module), _hearing(module, trial):
                without = logits_of(module, inputs, "fp32", logits.shape[1])
            flipped = float((without.argmax(dim=1) != logits.argmax(dim=1)).float().mean())
            shift = float((without - logits).abs().mean()) / max(spread, _TINY)
        last = by_index[by_index[index].inputs[heard.branches[index]]]
        yield Branch(index=index, path=last.path, share=share, flipped=flipped, shift=shift)


def _gradients(
    module: nn.Module, inputs: Tensor, labels: Tensor, classes: int, *, train: bool
) -> tuple[Gradient, ...]:
    """‖gradient‖ and ‖weight‖ of every parameter of two dimensions or more, on a copy."""
    network = copy.deepcopy(module).train(train)
    if train:
        for part in network.modules():
            if "dropout" in type(part).__name__.lower():
                part.eval()
    network.zero_grad()
    network.requires_grad_(True)
    cross_entropy(logits_of(network, inputs, "fp32", classes), labels).backward()
    found: list[Gradient] = []
    for name, parameter in network.named_parameters():
        gradient: Tensor | None = parameter.grad
        if parameter.dim() < 2 or gradient is None:
            continue
        found.append(
            Gradient(
                parameter=name,
                path=name.rpartition(".")[0],
                gradient=float(_lengths(gradient[None])),
                weight=float(_lengths(parameter.detach()[None])),
            )
        )
    return tuple(found)


def _lengths(tensor: Tensor) -> Tensor:
    """(N, …) → (N,): the Euclidean length of each."""
    return tensor.float().flatten(1).square().sum(dim=1).sqrt()


def _accuracy(logits: Tensor, labels: Tensor) -> float:
    return float((logits.argmax(dim=1) == labels).float().mean())
