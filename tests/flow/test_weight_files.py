"""Files of weights: every kind that is read, and a line for every one that is not."""

from __future__ import annotations

import argparse
import hashlib
import os
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from striate.errors import InputError
from striate.flow.weight_files import read_weight_file

STATE = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.count": torch.tensor(7)}


def equal(found: dict[str, torch.Tensor]) -> bool:
    return found.keys() == STATE.keys() and all(torch.equal(found[k], STATE[k]) for k in STATE)


@pytest.mark.parametrize("name", ["w.safetensors", "w.bin", "w"])
def test_safetensors_by_any_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    save_file(STATE, path)
    found = read_weight_file(path)
    assert equal(found.tensors)
    assert found.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert found.said == ()


@pytest.mark.parametrize("old", [False, True])
def test_what_torch_saved(tmp_path: Path, old: bool) -> None:
    path = tmp_path / "w.pth"
    torch.save(STATE, path, _use_new_zipfile_serialization=not old)
    assert equal(read_weight_file(path).tensors)
    torch.save(nn.Linear(3, 2).state_dict(), path)  # an OrderedDict with metadata
    assert set(read_weight_file(path).tensors) == {"weight", "bias"}


def test_weights_among_other_things(tmp_path: Path) -> None:
    path = tmp_path / "w.pt"
    inside = {f"_orig_mod.module.{name}": tensor for name, tensor in STATE.items()}
    torch.save({"epoch": 3, "optimizer": {"lr": 0.1}, "state_dict": inside}, path)
    found = read_weight_file(path)
    assert equal(found.tensors)
    assert found.said == (
        "the weights are under 'state_dict' of the file; epoch, optimizer left alone",
        "'_orig_mod.' was taken from the front of every name",
        "'module.' was taken from the front of every name",
    )


def test_other_floats_are_said(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_file({"a": torch.tensor([0.5, -2.0], dtype=torch.bfloat16), "b": torch.ones(1)}, path)
    found = read_weight_file(path)
    assert found.tensors["a"].dtype == torch.float32
    assert found.tensors["a"].tolist() == [0.5, -2.0]
    assert found.said == ("stored as bfloat16, trained on in float32",)


class Trap:
    """Whoever opens it runs code."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return os.mkdir, (str(self.path),)


def test_no_code_in_a_file_is_run(tmp_path: Path) -> None:
    sprung = tmp_path / "sprung"
    torch.save({"state_dict": STATE, "trap": Trap(sprung)}, tmp_path / "w.pth")
    with pytest.raises(InputError) as error:
        read_weight_file(tmp_path / "w.pth")
    assert re.search(
        r"w\.pth: cannot be opened without running code that is in it \(posix\.mkdir\), which "
        r"striate never does; where you trust it, load it there and save its state_dict\(\) alone",
        str(error.value),
    )
    assert not sprung.exists()


def test_arguments_of_a_training_script_are_code_too(tmp_path: Path) -> None:
    torch.save({"model": STATE, "args": argparse.Namespace(lr=1)}, tmp_path / "w.pth")
    with pytest.raises(InputError, match=r"running code that is in it \(argparse.Namespace\)"):
        read_weight_file(tmp_path / "w.pth")


def test_a_whole_module_is_refused(tmp_path: Path) -> None:
    torch.save(nn.Linear(2, 2), tmp_path / "w.pth")
    with pytest.raises(InputError, match=r"running code that is in it \(torch\.nn\.\S+Linear\)"):
        read_weight_file(tmp_path / "w.pth")


def written(path: Path, what: Any) -> Path:
    if isinstance(what, bytes):
        path.write_bytes(what)
    else:
        torch.save(what, path)
    return path


def safetensors(tmp_path: Path) -> bytes:
    save_file(STATE, tmp_path / "whole")
    return (tmp_path / "whole").read_bytes()


@pytest.mark.parametrize(
    ("what", "message"),
    [
        (b"", "is empty; give a safetensors file, or one that torch.save wrote"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "is a pointer of Git LFS, not the"),
        (b"<!DOCTYPE html><html>", "is a web page, not weights; fetch the file itself"),
        (b"weights, honestly", "is neither safetensors nor a file that torch.save wrote"),
        (b"PK\x03\x04 cut", "not a whole file that torch.save wrote"),
        ([torch.ones(1)], "holds a list, not weights by name; save a state_dict()"),
        (torch.ones(1), "holds a Tensor, not weights by name; save a state_dict()"),
        ({"epoch": 3, "a": torch.ones(1)}, "'epoch' is a int, not a tensor; save a state_dict()"),
        ({}, "holds no tensors; give a file of weights"),
        ({"a": torch.tensor([1.0, float("nan")])}, "'a' holds values that are not finite; the"),
        ({"a": torch.ones(2, dtype=torch.complex64)}, "'a' is of kind complex64, and weights are"),
        ({"a": torch.ones(2, 2).to_sparse()}, "'a' is of kind float32, and weights are dense"),
    ],
)
def test_what_is_no_file_of_weights(tmp_path: Path, what: Any, message: str) -> None:
    path = written(tmp_path / "w.pth", what)
    with pytest.raises(InputError) as error:
        read_weight_file(path)
    assert str(error.value).startswith(f"{path}: {message}")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("keep", [9, 60, -1])
def test_a_cut_file(tmp_path: Path, keep: int) -> None:
    path = written(tmp_path / "w.safetensors", safetensors(tmp_path)[:keep])
    with pytest.raises(InputError, match=r"not a whole safetensors .*; fetch or write it again"):
        read_weight_file(path)
    torch.save(STATE, tmp_path / "whole.pth")
    path = written(tmp_path / "w.pth", (tmp_path / "whole.pth").read_bytes()[: keep * 5])
    with pytest.raises(InputError, match=r"not a whole file that torch\.save wrote"):
        read_weight_file(path)


def test_a_folder_and_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot be read \(Is a directory\)"):
        read_weight_file(tmp_path)
    with pytest.raises(InputError, match=r"none: cannot be read \(No such file or directory\)"):
        read_weight_file(tmp_path / "none")
