"""``ptflops.get_model_complexity_info`` with its default way of counting.

Modules are counted by their exact class, at a hook: convolutions and linear layers with their
biases, norms and pools and activations by the element.  Besides, some functions are patched while
the module runs (activations, pools, ``torch.matmul``), so that an activation that is a module which
calls such a function is counted twice.  A module that is counted is counted as a whole: what it
holds is not looked at.
"""

from __future__ import annotations

import importlib
import io
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from importlib.metadata import version
from itertools import zip_longest
from math import prod
from typing import Any, cast

import torch
from torch import nn

from striate.flow.others.attentions import multihead, of_timm
from striate.flow.others.counter import watched
from striate.flow.others.elements import by_element
from striate.records import Trace
from striate.records.reconciliation import Account, Counted
from striate.tracing.places import modules_of

_SUBCLASS = (
    "knows the class of torch.nn alone, and this is a subclass of it or a call of a function"
)
_LEAVES_OUT = {
    "attention": "does not know fused attention",
    "matmul": "does not see a product that is written @",
    **dict.fromkeys(("conv1d", "conv2d", "conv3d", "linear"), _SUBCLASS),
    "*": "does not count this operation",
}
_CONVS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


def count(module: nn.Module, image: torch.Tensor, _: Trace) -> Account:
    """What its hooks and its patched functions count, one by one."""
    tool: Any = importlib.import_module("ptflops")
    mappings: Any = importlib.import_module("ptflops.pytorch_ops")
    notes = _Notes({id(part): path for path, part in modules_of(module)})
    printed = io.StringIO()

    def given(_: object) -> torch.Tensor:
        return image

    with (
        notes.taken(mappings),
        watched(module, notes.moved),
        redirect_stdout(printed),
        redirect_stderr(printed),
        torch.no_grad(),
    ):
        total, _ = tool.get_model_complexity_info(
            module, tuple(image.shape[1:]), as_strings=False, print_per_layer_stat=False,
            input_constructor=given, ost=printed,
        )  # fmt: skip
    if total is None:
        said = [line for line in printed.getvalue().splitlines() if line.startswith("<class")]
        raise RuntimeError(said[0] if said else "gave no total")
    visits = _visits(module, set(mappings.MODULES_MAPPING))
    counted = [one for part, some in notes.modules for one in _times(some, visits[part])]
    return Account(
        tool="ptflops",
        version=version("ptflops"),
        total=int(total),
        counted=(*counted, *notes.functions),
        leaves_out=_LEAVES_OUT,
    )


def _visits(module: nn.Module, known: set[type]) -> Counter[int]:
    """How often each module is met when its totals are summed; not below one that it knows."""
    met: Counter[int] = Counter()

    def walk(part: nn.Module) -> None:
        if type(part) in known:
            met[id(part)] += 1
            return
        for child in part.children():
            walk(child)

    walk(module)
    return met


def _times(some: list[Counted], times: int) -> Iterator[Counted]:
    for one in some:
        if times == 1:
            yield one
        elif times == 0:
            why = "is inside a module that it counts as a whole, without this"
            yield Counted(path=one.path, op=one.op, macs=0, meant=one.meant, why=why)
        else:
            why = f"sums it up {times} times, as {times} modules hold it"
            yield Counted(
                path=one.path, op=one.op, macs=one.macs * times, meant=one.meant,
                why=why if one.macs == one.meant else one.why,
            )  # fmt: skip


class _Notes:
    """What each hook and each patched function counted, as it counted it."""

    def __init__(self, paths: dict[int, str]) -> None:
        self.modules: list[tuple[int, list[Counted]]] = []
        self.functions: list[Counted] = []
        self._paths, self._where = paths, ""

    def moved(self, path: str) -> None:
        """Execution is now in the module at ``path``."""
        self._where = path

    @contextmanager
    def taken(self, mappings: Any) -> Generator[None]:
        """While open, whatever its tables name is noted as well as counted."""
        tables: list[tuple[dict[Any, Any], Callable[[Any, Any], Any]]] = [
            (mappings.MODULES_MAPPING, self._hook),
            (mappings.FUNCTIONAL_MAPPING, self._function),
            (mappings.TENSOR_OPS_MAPPING, self._product),
        ]
        before = [dict(table) for table, _ in tables]
        try:
            for table, noted in tables:
                for key, rule in list(table.items()):
                    table[key] = noted(key, rule)
            yield
        finally:
            for (table, _), old in zip(tables, before, strict=True):
                table.update(old)

    def _hook(self, _: Any, rule: Any) -> Any:
        def noted(part: Any, given: Any, out: Any) -> None:
            before = part.__flops__
            rule(part, given, out)
            some = list(
                _of_module(part, self._paths[id(part)], part.__flops__ - before, given, out)
            )
            self.modules.append((id(part), some))

        return noted

    def _function(self, function: Any, rule: Any) -> Any:
        def noted(*args: Any, **kwargs: Any) -> int:
            macs = int(rule(*args, **kwargs))
            tensor: torch.Tensor = args[0] if args else kwargs["input"]
            name = f"F.{function.__name__}"
            given, out = tensor.numel(), 0
            if name in ("F.interpolate", "F.upsample"):
                out = _resized(tensor, *args[1:3], **kwargs)
            one = by_element(self._where, name, macs, [(given, out)])
            self.functions.append(one)
            return macs

        return noted

    def _product(self, function: Any, rule: Any) -> Any:
        def noted(*args: Any, **kwargs: Any) -> int:
            macs = int(rule(*args, **kwargs))
            name: str = function.__name__
            if name in ("add", "mul"):
                both = [torch.as_tensor(a) for a in args[:2]]
                out = prod(_broadcast(*(tuple(one.shape) for one in both)))
                one = by_element(self._where, f"torch.{name}", macs, [(out, out)])
                self.functions.append(one)
            else:
                bias = args[0].numel() if "add" in name else 0
                left, right = args[-2:] if "add" in name else args[:2]
                meant = left.numel() * right.shape[-1]
                self.functions += _with_bias(self._where, name, macs, meant, bias)
            return macs

        return noted


def _of_module(
    part: nn.Module, path: str, macs: int, given: tuple[Any, ...], out: Any
) -> Iterator[Counted]:
    kind = type(part).__name__
    if isinstance(part, nn.MultiheadAttention):
        yield from multihead(part, path, macs, given)
    elif kind == "Attention" and hasattr(part, "head_dim"):
        yield from of_timm(part, path, macs, given)
    elif isinstance(part, (*_CONVS, *_TRANSPOSED)):
        weight = part.weight
        spread = given[0] if isinstance(part, _TRANSPOSED) else out
        meant = spread.numel() * prod(weight.shape[1:])
        bias = out.numel() if part.bias is not None else 0
        yield from _with_bias(path, kind, macs, meant, bias)
    elif isinstance(part, nn.Linear):
        bias = out.numel() if cast("Any", part).bias is not None else 0
        yield from _with_bias(path, kind, macs, out.numel() * part.in_features, bias)
    elif isinstance(given[0], torch.Tensor) and isinstance(out, torch.Tensor):
        yield by_element(path, kind, macs, [(given[0].numel(), out.numel())])
    else:
        yield Counted(path=path, op=kind, macs=macs, meant=0)


def _broadcast(*shapes: tuple[int, ...]) -> tuple[int, ...]:
    """The shape that these make together, each axis from behind."""
    return tuple(max(sizes) for sizes in zip_longest(*(s[::-1] for s in shapes), fillvalue=1))


def _resized(
    tensor: torch.Tensor,
    size: int | Sequence[int] | None = None,
    scale_factor: float | Sequence[float] | None = None,
    **_: object,
) -> int:
    """Elements that an interpolation puts out.  It is not run: what it calls may be patched."""
    across = tuple(tensor.shape[2:])
    if size is None:
        scales = scale_factor if isinstance(scale_factor, Sequence) else [scale_factor or 1.0]
        scales = [*scales] * (len(across) if len(scales) == 1 else 1)
        size = [int(n * scale) for n, scale in zip(across, scales, strict=True)]
    elif isinstance(size, int):
        size = [size] * len(across)
    return tensor.shape[0] * tensor.shape[1] * prod(size)


def _with_bias(path: str, op: str, macs: int, meant: int, bias: int) -> Iterator[Counted]:
    if macs != meant + bias:
        yield Counted(path=path, op=op, macs=macs, meant=meant)
        return
    yield Counted(path=path, op=op, macs=meant, meant=meant)
    if bias:
        why = "counts the bias, once for each element it is added to"
        yield Counted(path=path, op="bias", macs=bias, meant=0, why=why)
