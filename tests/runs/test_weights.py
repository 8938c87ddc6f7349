"""Tensors to safetensors and back."""

from __future__ import annotations

from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import nn

from striate.errors import RunError
from striate.runs import load_weights, place, save_weights
from striate.runs.weights import pack, unpack


def net() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 2))


def test_what_is_saved_comes_back_in_the_modules_own_layout(tmp_path: Path) -> None:
    torch.manual_seed(0)
    one, two = place(net(), "fp32-channels-last"), place(net(), "fp32-channels-last")
    save_weights(tmp_path / "w", one)
    load_weights(tmp_path / "w", two)
    for name, tensor in one.state_dict().items():
        assert torch.equal(tensor, two.state_dict()[name]), name
    assert two[0].weight.is_contiguous(memory_format=torch.channels_last)
    oracle = safetensors.torch.load_file(tmp_path / "w")  # any tool reads the file
    assert torch.equal(oracle["0.weight"], one[0].weight)


def test_tied_weights_stay_tied(tmp_path: Path) -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(3, 3), nn.Linear(3, 3)
            self.b.weight = self.a.weight

    one, two = Tied(), Tied()
    save_weights(tmp_path / "w", one)
    load_weights(tmp_path / "w", two)
    assert two.a.weight is two.b.weight
    assert torch.equal(one.a.weight, two.b.weight)


def test_every_kind_of_tensor() -> None:
    tensors = {
        "scalar": torch.tensor(3),
        "empty": torch.zeros(0, 2),
        "half": torch.randn(3).bfloat16(),
        "truth": torch.tensor([True, False]),
        "strided": torch.randn(4, 6).T[::2],
    }
    back, notes = unpack(pack(tensors, {"a": "1"}), where="here")
    assert notes == {"a": "1"}
    for name, tensor in tensors.items():
        assert torch.equal(back[name], tensor), name
        assert back[name].dtype == tensor.dtype


def test_every_cut_is_seen() -> None:
    data = pack({"a": torch.arange(5), "b": torch.ones(2, 2)})
    for length in range(len(data)):
        with pytest.raises(RunError, match="here: not a whole safetensors file"):
            unpack(data[:length], where="here")


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (nn.Sequential(nn.Conv2d(3, 4, 3)), "the network has no '1.bias'"),
        (nn.Sequential(*net(), nn.Linear(2, 2)), "the weights lack '4.bias'"),
        (
            nn.Sequential(nn.Conv2d(3, 4, 5), *list(net())[1:]),
            r"'0\.weight' is \(4, 3, 3, 3\) there and \(4, 3, 5, 5\) here",
        ),
    ],
)
def test_weights_of_another_network(tmp_path: Path, other: nn.Module, words: str) -> None:
    save_weights(tmp_path / "w", net())
    with pytest.raises(RunError, match=words):
        load_weights(tmp_path / "w", other)


def test_missing_weights(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"w: cannot be read \(No such file or directory\)"):
        load_weights(tmp_path / "w", net())


def test_state_that_is_no_tensor(tmp_path: Path) -> None:
    class Odd(nn.Module):
        def get_extra_state(self) -> object:
            return {"a": 1}

        def set_extra_state(self, state: object) -> None: ...

    with pytest.raises(RunError, match="Odd: state '_extra_state' is no tensor"):
        save_weights(tmp_path / "w", Odd())
