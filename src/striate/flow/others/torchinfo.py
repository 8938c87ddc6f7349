"""``torchinfo.summary``: each leaf module's parameters times what it puts out.

A module whose class has "Conv" in its name costs its weights and biases times the positions of its
output; any other, its weights and biases once for each image.  What a module with children computes
itself, and what no parameter takes part in, is not counted.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from importlib.metadata import version
from math import prod
from typing import Any, cast

import torch
from torch import nn

from striate.records import Trace
from striate.records.reconciliation import Account, Counted
from striate.tracing.places import modules_of

_LEAVES_OUT = {
    "*": "counts the parameters of modules without children, and sees no other product",
}

_CONVS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


def count(module: nn.Module, image: torch.Tensor, _: Trace) -> Account:
    """What ``summary`` lists, leaf by leaf."""
    tool: Any = importlib.import_module("torchinfo")
    found: Any = tool.summary(module, input_data=image, verbose=0)
    paths = {id(part): path for path, part in modules_of(module)}
    counted: list[Counted] = []
    for info in found.summary_list:
        if info.is_leaf_layer and info.macs:
            part, path = cast("nn.Module", info.module), paths[info.layer_id]
            given, out = tuple(info.input_size), tuple(info.output_size)
            parts = list(_of_leaf(part, path, info.class_name, given, out))
            if sum(one.macs for one in parts) != info.macs:
                parts = [Counted(path=path, op=info.class_name, macs=info.macs, meant=0)]
            counted += parts
    return Account(
        tool="torchinfo",
        version=version("torchinfo"),
        total=int(found.total_mult_adds),
        counted=tuple(counted),
        leaves_out=_LEAVES_OUT,
    )


def _of_leaf(
    part: nn.Module, path: str, kind: str, given: tuple[int, ...], out: tuple[int, ...]
) -> Iterator[Counted]:
    """Its rule for each parameter of a leaf, from the shape of the leaf's output."""
    positions = prod(out[:1] + out[2:]) if "Conv" in kind else out[0]
    for name, parameter in part.named_parameters():
        if name in ("weight", "bias"):
            macs = parameter.numel() * positions
        elif "weight" in name or "bias" in name:
            macs = parameter.numel() * prod(out[:2])
        else:
            continue
        if name == "weight" and isinstance(part, nn.Linear):
            meant = prod(out) * part.in_features
            why = "counts a linear layer once for each image, at however many positions it is used"
            yield Counted(path=path, op="linear", macs=macs, meant=meant, why=why)
        elif name == "weight" and isinstance(part, _CONVS):
            yield Counted(path=path, op=_named(part), macs=macs, meant=macs)
        elif name == "weight" and isinstance(part, _TRANSPOSED):
            meant = parameter.numel() * prod(given[:1] + given[2:])
            why = "multiplies the weights by the positions it puts out, not by those it is given"
            yield Counted(path=path, op=kind, macs=macs, meant=meant, why=why)
        elif name == "bias" and isinstance(part, (nn.Linear, *_CONVS, *_TRANSPOSED)):
            each = "position" if "Conv" in kind else "image"
            why = f"counts the bias as multiply-adds, once for each {each}"
            yield Counted(path=path, op="bias", macs=macs, meant=0, why=why)
        else:
            why = "counts its parameters, once for each image"
            yield Counted(path=path, op=kind, macs=macs, meant=0, why=why)


def _named(part: nn.Module) -> str:
    return f"conv{len(cast('tuple[int, ...]', part.kernel_size))}d"
