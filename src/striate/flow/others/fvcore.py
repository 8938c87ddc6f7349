"""``fvcore.nn.FlopCountAnalysis``: by operation, in the graph that ``torch.jit`` traces.

Matrix products and convolutions are counted as here.  Norms, some pools and upsampling are counted
by the element; other operations are not known, and a warning says so.
"""

from __future__ import annotations

import importlib
import logging
from collections import Counter
from importlib.metadata import version
from math import floor, prod
from typing import Any

import torch
from torch import nn

from striate.flow.others.elements import by_element
from striate.records import Layer, Trace
from striate.records.reconciliation import Account, Counted

_PRODUCTS = {"conv", "linear", "matmul", "mm", "bmm", "addmm"}
_OURS = {"upsample_nearest2d": "interpolate", "upsample_bilinear2d": "interpolate"}
_ATTENTION = "scaled_dot_product_attention"
_FAST = "_native_multi_head_attention"


def count(module: nn.Module, image: torch.Tensor, trace: Trace) -> Account:
    """What the analysis gives for each module and operation, what is inside it apart."""
    tool: Any = importlib.import_module("fvcore.nn")
    quiet = logging.getLogger("fvcore.nn.jit_analysis")
    before, quiet.disabled = quiet.disabled, True
    try:
        analysis: Any = tool.FlopCountAnalysis(module, image)
        with torch.no_grad():
            total = int(analysis.total())
    finally:
        quiet.disabled = before
    sums: dict[str, Counter[str]] = analysis.by_module_and_operator()
    inside: dict[str, list[str]] = {}
    for path in sums:
        if path:
            inside.setdefault(path.rpartition(".")[0], []).append(path)
    counted: list[Counted] = []
    for path, whole in sums.items():
        own = Counter({op: int(macs) for op, macs in whole.items()})
        for child in inside.get(path, []):
            own.subtract({op: int(macs) for op, macs in sums[child].items()})
        counted += [_one(path, op, macs, trace) for op, macs in own.items() if macs]
    return Account(
        tool="fvcore",
        version=version("fvcore"),
        total=total,
        counted=tuple(counted),
        leaves_out=_unknown(analysis.unsupported_ops()),
    )


def _one(path: str, op: str, macs: int, trace: Trace) -> Counted:
    if op in _PRODUCTS:
        return Counted(path=path, op=op, macs=macs, meant=macs)
    ours = _OURS.get(op, op)
    layers = [layer for layer in trace.layers if layer.path == path and layer.op == ours]
    if op == "einsum":
        return _einsum(path, macs, [layer.macs or 0 for layer in layers])
    seen = [(prod(_given(layer, trace)), prod(layer.shape)) for layer in layers]
    return by_element(path, op, macs, seen)


def _einsum(path: str, macs: int, ours: list[int]) -> Counted:
    """It reads the cost in the text of ``numpy.einsum_path``, which has four digits."""
    meant = sum(ours)
    if macs == meant:
        return Counted(path=path, op="einsum", macs=macs, meant=meant)
    rounded = sum(floor(float(f"{2 * one:.3e}") / 2) for one in ours)
    why = "takes the cost from a text of numpy's that rounds it to four digits"
    return Counted(
        path=path, op="einsum", macs=macs, meant=meant, why=why if macs == rounded else None
    )


def _given(layer: Layer, trace: Trace) -> tuple[int, ...]:
    """The shape of what a layer takes; of weights that are made in the forward, as it gives it."""
    if layer.op == "batch_norm" or not layer.inputs:
        return layer.shape
    return trace.layers[layer.inputs[0]].shape


def _unknown(unsupported: Counter[str]) -> dict[str, str]:
    """Why it counts nothing for an operation: it says itself which it does not support."""
    names = [name.removeprefix("aten::") for name in unsupported]
    found = {name: f"does not know {name}, and warns of it" for name in names}
    if _ATTENTION in found:
        found["attention"] = found[_ATTENTION]
    if _FAST in found:
        found |= dict.fromkeys(("linear", "bmm", "baddbmm", "attention"), found[_FAST])
    return found
