"""``calflops.calculate_flops``, its MACs: by patching functions, module by module.

``F.linear``, ``F.conv…``, ``torch.matmul`` and ``addmm`` are counted as here; the ``@`` operator,
``bmm``, ``einsum`` and fused attention are not.
"""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import torch
from torch import nn

from striate.records import Trace
from striate.records.reconciliation import Account, Counted
from striate.tracing.places import modules_of

_LEAVES_OUT = {
    "attention": "does not know fused attention",
    "matmul": "does not see a product that is written @",
    "*": "does not patch the function that this is called through",
}

_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


def count(module: nn.Module, image: torch.Tensor, _: Trace) -> Account:
    """What it leaves in each module while it counts."""
    pipeline: Any = importlib.import_module("calflops.calculate_pipline")
    counting: Any = pipeline.CalFlopsPipline(
        model=module, include_backPropagation=False, compute_bp_factor=2.0
    )
    counting.start_flops_calculate()
    try:
        with torch.no_grad():
            module(image)
        total = int(counting.get_total_macs())
        counted = list(_counted(module))
    finally:
        counting.end_flops_calculate()
    return Account(
        tool="calflops",
        version=version("calflops"),
        total=total,
        counted=tuple(counted),
        leaves_out=_LEAVES_OUT,
    )


def _counted(module: nn.Module) -> Iterator[Counted]:
    """Each module's own count, as often as the sum over the tree meets it."""
    met: Counter[int] = Counter()

    def walk(part: nn.Module) -> None:
        met[id(part)] += 1
        for child in part.children():
            walk(child)

    walk(module)
    for path, part in modules_of(module):
        macs, times = int(vars(part).get("__macs__", 0)), met[id(part)]
        if macs and isinstance(part, _TRANSPOSED) and part.groups > 1 and times == 1:
            why = "divides the cost of a transposed convolution by its groups twice"
            yield Counted(path=path, op="module", macs=macs, meant=macs * part.groups, why=why)
        elif macs:
            why = f"sums it up {times} times, as {times} modules hold it" if times > 1 else None
            yield Counted(path=path, op="module", macs=macs * times, meant=macs, why=why)
