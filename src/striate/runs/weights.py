"""Tensors to bytes and back: safetensors, which loads without running code.

Loading copies into tensors that torch allocated: a tensor that lies where the file put it may be
aligned otherwise, and matrix kernels may then sum in another order.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from striate.errors import RunError
from striate.runs.atomic import atomic_write


def pack(tensors: Mapping[str, Tensor], notes: Mapping[str, str] | None = None) -> bytes:
    """The safetensors file of ``tensors`` (each whole, dense and row-major) and ``notes``."""
    dense = {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, tensor in tensors.items()
    }
    return safetensors.torch.save(dense, dict(notes) if notes else None)


def unpack(data: bytes, *, where: Path | str) -> tuple[dict[str, Tensor], dict[str, str]]:
    """``pack``'s tensors and notes; ``RunError`` where ``data`` is cut or is something else."""
    try:
        tensors = safetensors.torch.load(data)
        length = int.from_bytes(data[:8], "little")
        header = cast(dict[str, dict[str, str]], json.loads(data[8 : 8 + length]))
    except (SafetensorError, ValueError) as error:
        raise RunError(f"{where}: not a whole safetensors file ({error})") from error
    return {name: tensor.clone() for name, tensor in tensors.items()}, header.get(
        "__metadata__", {}
    )


def state_of(module: nn.Module) -> dict[str, Tensor]:
    """Parameters and kept buffers by name; what is no tensor cannot be stored and is an error."""
    state = cast(dict[str, object], module.state_dict())
    odd = [name for name, value in state.items() if not isinstance(value, Tensor)]
    if odd:
        raise RunError(
            f"{type(module).__name__}: state {odd[0]!r} is no tensor and cannot be kept in a run; "
            "hold it in a buffer instead"
        )
    return cast(dict[str, Tensor], state)


def put_state(module: nn.Module, state: Mapping[str, Tensor], *, where: Path | str) -> None:
    """Copy ``state`` into ``module``'s own tensors, whose strides and device stay.

    ``RunError`` names the first name or shape that does not fit.
    """
    own = state_of(module)
    for name in sorted(own.keys() ^ state.keys()):
        lacks = "the weights lack" if name in own else "the network has no"
        raise RunError(f"{where}: does not fit {type(module).__name__}: {lacks} {name!r}")
    with torch.no_grad():
        for name, tensor in own.items():
            if tensor.shape != state[name].shape:
                raise RunError(
                    f"{where}: does not fit {type(module).__name__}: {name!r} is "
                    f"{tuple(state[name].shape)} there and {tuple(tensor.shape)} here"
                )
            tensor.copy_(state[name])


def save_weights(path: Path, module: nn.Module) -> None:
    """Write ``module``'s parameters and buffers to ``path``, atomically."""
    atomic_write(path, pack(state_of(module)))


def load_weights(path: Path, module: nn.Module) -> None:
    """Read ``path`` into ``module``; ``RunError`` where it is missing, cut, or another net's."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise RunError(f"{path}: cannot be read ({error.strerror})") from error
    state, _ = unpack(data, where=path)
    put_state(module, state, where=path)
