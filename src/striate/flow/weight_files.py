"""A file of weights as tensors by name: safetensors, or PyTorch's own without running its code."""

from __future__ import annotations

import hashlib
import io
import pickle
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from striate.errors import InputError, RunError
from striate.runs.weights import unpack

_WRAPPERS = ("state_dict", "model_state_dict", "model", "module")
"""Keys under which training scripts keep the weights beside other things."""

_PREFIXES = ("module.", "_orig_mod.")
"""What DistributedDataParallel and torch.compile write before every name."""


@dataclass(frozen=True, kw_only=True)
class WeightFile:
    """``tensors``: floats in float32.  ``sha256``: of the file.  ``said``: how it was read, where
    that is not plain.
    """

    tensors: dict[str, Tensor]
    sha256: str
    said: tuple[str, ...]


def read_weight_file(path: Path) -> WeightFile:
    """The weights in ``path``, whose kind is told by its content, not by its name.

    InputError in one line for a file that is missing, cut, of another kind, holds no weights,
    values that are not finite, or cannot be opened without running code that is in it.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); give a file") from error
    said: list[str] = []
    if data[8:9] == b"{":
        try:
            tensors, _ = unpack(data, where=path)
        except RunError as error:
            raise InputError(f"{error}; fetch or write it again") from error
    elif data[:2] in (b"PK", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"):
        tensors = _state(_unpickled(data, path), path, said)
    else:
        raise InputError(f"{path}: {_what_instead(data)}")
    tensors = _unprefixed(tensors, said)
    if not tensors:
        raise InputError(f"{path}: holds no tensors; give a file of weights")
    return WeightFile(
        tensors=_floats(tensors, path, said),
        sha256=hashlib.sha256(data).hexdigest(),
        said=tuple(said),
    )


def _what_instead(data: bytes) -> str:
    mend = "give a safetensors file, or one that torch.save wrote"
    if not data:
        return f"is empty; {mend}"
    if data.startswith(b"version https://git-lfs"):
        return "is a pointer of Git LFS, not the weights; fetch them with git lfs pull"
    if data.lstrip()[:1] == b"<":
        return f"is a web page, not weights; fetch the file itself; {mend}"
    return "is neither safetensors nor a file that torch.save wrote; give one of them"


def _unpickled(data: bytes, path: Path) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of old formats, which are read all the same
            return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        named = re.search(r"GLOBAL ([\w.]+)", str(error))
        raise InputError(
            f"{path}: cannot be opened without running code that is in it"
            f"{f' ({named[1]})' if named else ''}, which striate never does; where you trust it, "
            "load it there and save its state_dict() alone, best as safetensors"
        ) from error
    # torch tells of a cut or odd file by whatever its readers raise
    except (RuntimeError, EOFError, ValueError, KeyError, AssertionError, TypeError) as error:
        said = " ".join(str(error).split()).split(". ")[0]
        if "TorchScript" in said:
            said = "it is TorchScript, which holds code; save the module's state_dict() instead"
        raise InputError(f"{path}: not a whole file that torch.save wrote ({said})") from error


def _state(found: Any, path: Path, said: list[str]) -> dict[str, Tensor]:
    """The tensors by name in what was unpickled."""
    if not isinstance(found, Mapping):
        raise InputError(
            f"{path}: holds a {type(found).__name__}, not weights by name; save a state_dict()"
        )
    state = cast("Mapping[Any, Any]", found)
    wrapper = next((key for key in _WRAPPERS if isinstance(state.get(key), Mapping)), None)
    if wrapper is not None:
        others = [str(key) for key in state if key != wrapper]
        beside = f"; {', '.join(others[:4])}{', …' if others[4:] else ''} left alone"
        said.append(f"the weights are under {wrapper!r} of the file{beside if others else ''}")
        state = cast("Mapping[Any, Any]", state[wrapper])
    odd = next((key for key, value in state.items() if not isinstance(value, Tensor)), None)
    if odd is not None:
        kind = type(state[odd]).__name__
        raise InputError(
            f"{path}: {str(odd)!r} is a {kind}, not a tensor; save a state_dict() alone"
        )
    return {str(key): cast("Tensor", value).detach() for key, value in state.items()}


def _unprefixed(tensors: dict[str, Tensor], said: list[str]) -> dict[str, Tensor]:
    for prefix in (*_PREFIXES, *_PREFIXES):  # one may stand behind the other
        if tensors and all(name.startswith(prefix) for name in tensors):
            said.append(f"{prefix!r} was taken from the front of every name")
            tensors = {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}
    return tensors


def _floats(tensors: dict[str, Tensor], path: Path, said: list[str]) -> dict[str, Tensor]:
    """Floats as float32; all of them finite."""
    kinds: set[str] = set()
    made: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if tensor.is_complex() or tensor.is_quantized or tensor.layout != torch.strided:
            kind = str(tensor.dtype).removeprefix("torch.")
            raise InputError(f"{path}: {name!r} is of kind {kind}, and weights are dense floats")
        if tensor.is_floating_point():
            if tensor.dtype != torch.float32:
                kinds.add(str(tensor.dtype).removeprefix("torch."))
            tensor = tensor.to(torch.float32)
            if not bool(tensor.isfinite().all()):
                raise InputError(
                    f"{path}: {name!r} holds values that are not finite; the training that wrote "
                    "it had failed, so give an earlier file"
                )
        made[name] = tensor
    if kinds:
        said.append(f"stored as {' and '.join(sorted(kinds))}, trained on in float32")
    return made
