"""``torch.utils.flop_counter.FlopCounterMode``: two operations a multiply-accumulate.

It counts what the dispatcher hands to a kernel it has a formula for: matrix products and
convolutions, and the fused attention of GPUs, but not that of CPUs.  By module it gives only sums
over what is inside; here its running total is read whenever a module is entered or left.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from striate.records import Trace
from striate.records.reconciliation import Account, Counted
from striate.tracing.places import modules_of

_PRODUCTS = {"attention", "linear", "mv", "addmv", "dot", "vdot", "convolution", "mm"}
"""Words of which one is in the name of a kernel that multiplies matrices."""


def count(module: nn.Module, image: torch.Tensor, _: Trace) -> Account:
    """The counter's total, halved, module by module."""
    counter = FlopCounterMode(display=False)
    reading, heard = _Reading(counter), _Heard()
    # Its own hooks want a gradient function of a parameter that is given to a module.
    module.requires_grad_(requires_grad=False)
    with torch.no_grad(), watched(module, reading.moved), heard, counter:
        module(image)
        reading.moved("")
    without = [name for name in heard.packets if name not in counter.flop_registry]
    return Account(
        tool="torch",
        version=torch.__version__,
        total=counter.get_total_flops() // 2,
        counted=tuple(
            Counted(path=path, op=op, macs=flops // 2, meant=flops // 2)
            for (path, op), flops in reading.found.items()
        ),
        leaves_out=_no_formula([str(name).removeprefix("aten.") for name in without]),
        unit="FLOPs, halved here",
    )


def _no_formula(names: list[str]) -> dict[str, str]:
    """Why it counts nothing for an operation: kernels that were run, and have no formula."""
    kernels = [name for name in names if _PRODUCTS & set(name.split("_"))]
    if not kernels:
        return {}
    found = {"*": f"has no formula for {' or '.join(kernels)}, as which this device runs it"}
    attention = [name for name in kernels if "dot_product_attention" in name]
    if attention:
        found["attention"] = f"has no formula for {attention[0]}, as which this device runs it"
    return found


class _Heard(TorchDispatchMode):
    """Which kernels were run below the counter."""

    def __init__(self) -> None:
        super().__init__()
        self.packets: dict[Any, None] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.packets[func.overloadpacket] = None
        return func(*args, **(kwargs or {}))


class _Reading:
    """The counter's total by operation, cut at the borders of modules."""

    def __init__(self, counter: FlopCounterMode) -> None:
        self.found: dict[tuple[str, str], int] = {}
        self._counter, self._last, self._where = counter, dict[Any, int](), ""

    def moved(self, path: str) -> None:
        """What was counted since the last border was counted in the module it led into."""
        now = self._counter.flop_counts["Global"]
        for op, flops in now.items():
            more = flops - self._last.get(op, 0)
            if more:
                key = (self._where, str(op).removeprefix("aten."))
                self.found[key] = self.found.get(key, 0) + more
        self._last, self._where = dict(now), path


@contextmanager
def watched(module: nn.Module, moved: Any) -> Generator[None]:
    """While open, ``moved(path)`` is called whenever execution goes into or back to a module."""
    open_: list[str] = []

    def entering(path: str) -> Any:
        def hook(*_: object) -> None:
            open_.append(path)
            moved(path)

        return hook

    def leaving(*_: object) -> None:
        open_.pop()
        moved(open_[-1] if open_ else "")

    handles: list[Any] = []
    try:
        for path, part in modules_of(module):
            handles.append(part.register_forward_pre_hook(entering(path)))
            handles.append(part.register_forward_hook(leaving, always_call=True))
        yield
    finally:
        for handle in handles:
            handle.remove()
