"""``--batch auto``, and what is said where memory ran out."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

import striate.flow.batch as batch
from striate.arch import Arch
from striate.arch.zoo import zoo
from striate.building import build
from striate.errors import InputError
from striate.flow.batch import fitting_batch, memory_told, ran_out
from striate.flow.memory import step_memory
from striate.training import Recipe

IMAGE = (3, 32, 32)
RECIPE = Recipe().with_({"batch_size": 128, "lr": 0.1})


@pytest.fixture(scope="module")
def arch() -> Arch:
    return zoo("resnet20")


@pytest.fixture(scope="module")
def module(arch: Arch) -> nn.Module:
    return build(arch, seed=0)


def memory_for(images: int, arch: Arch) -> int:
    """As much as a step on so many images takes, and a quarter more, of which a fifth is spared."""
    model = step_memory(arch, IMAGE, RECIPE)
    assert model is not None
    return math.ceil(model.of(images) * 1.25) + 1


def auto(
    arch: Arch,
    module: nn.Module,
    monkeypatch: pytest.MonkeyPatch,
    free: int | None,
    *,
    taken: int | None = None,
    lr_asked: bool = False,
    processes: int = 1,
) -> tuple[Recipe, str]:
    monkeypatch.setattr(batch, "free_memory", lambda _: free)
    monkeypatch.setattr(batch, "_measured", lambda *_: taken)
    return fitting_batch(
        RECIPE, arch, module, IMAGE, classes=10, lr_asked=lr_asked, processes=processes
    )


def test_what_fits_stays(arch: Arch, module: nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe, said = auto(arch, module, monkeypatch, memory_for(128, arch))
    assert recipe == RECIPE
    assert said.startswith("Batches of up to 128 fit: a step takes 4.1 MiB and 1.5 MiB an image")
    assert said.endswith("are free on cpu, of which a fifth is left alone.")


def test_what_does_not_becomes_the_power_of_two_that_does(
    arch: Arch, module: nn.Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, said = auto(arch, module, monkeypatch, memory_for(127, arch))
    assert (recipe.batch_size, recipe.lr) == (64, pytest.approx(0.1 * math.sqrt(0.5)))
    assert "Batches of up to 64, at a rate of 0.0707" in said
    assert "the recipe's of 128 do not fit" in said
    recipe, said = auto(arch, module, monkeypatch, memory_for(127, arch), lr_asked=True)
    assert (recipe.batch_size, recipe.lr) == (64, 0.1)
    assert "rate" not in said


def test_a_step_that_takes_more_than_the_model_says(
    arch: Arch, module: nn.Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = step_memory(arch, IMAGE, RECIPE)
    assert model is not None
    taken = 3 * 16 * model.each
    recipe, said = auto(arch, module, monkeypatch, memory_for(128, arch), taken=taken)
    assert recipe.batch_size == 32
    assert "3 times as much an image as measured on 16" in said


def test_processes_share_the_memory_and_the_batch(
    arch: Arch, module: nn.Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = 2 * memory_for(32, arch)
    assert auto(arch, module, monkeypatch, free, processes=2)[0].batch_size == 64
    assert auto(arch, module, monkeypatch, 2 * free, processes=2)[0].batch_size == 128


def test_not_one_image(arch: Arch, module: nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"^--batch auto: not one image fits: .*--image"):
        auto(arch, module, monkeypatch, 1 << 20)


def test_no_way_to_tell(arch: Arch, module: nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe, said = auto(arch, module, monkeypatch, None)
    assert recipe == RECIPE
    assert "could not look further, since cpu does not tell its memory" in said


MEASURE = """
import torch
import striate.flow.batch as batch
from striate.arch.zoo import zoo
from striate.building import build
from striate.training import Recipe

torch.set_num_threads(1)
module = build(zoo("resnet20"), seed=0)
before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
generator = torch.get_rng_state()
taken = batch._measured(module, 64, (3, 32, 32), 10, Recipe())
assert torch.equal(generator, torch.get_rng_state())
for name, tensor in module.state_dict().items():
    assert torch.equal(tensor, before[name]), name
print(taken)
"""


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs Linux's /proc")
def test_a_step_is_measured(arch: Arch) -> None:
    """In a fresh process: one that was forked has its parent's heap, and what is free in there is
    used again without a trace.
    """
    asked = [sys.executable, "-c", MEASURE]
    ran = subprocess.run(asked, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    model = step_memory(arch, IMAGE, RECIPE)
    assert model is not None
    assert 0.5 < int(ran.stdout) / (64 * model.each) < 2.5


def test_what_running_out_looks_like() -> None:
    with pytest.raises(RuntimeError) as raised:
        torch.empty(1 << 50)
    assert ran_out(raised.value)
    assert ran_out(MemoryError())
    assert ran_out(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB"))
    assert not ran_out(RuntimeError("mat1 and mat2 shapes cannot be multiplied (2x3 and 4x5)"))
    assert not ran_out(OSError("out of memory"))


def test_the_message_names_the_batch_that_fits(arch: Arch, monkeypatch: pytest.MonkeyPatch) -> None:
    free = memory_for(40, arch)
    monkeypatch.setattr(batch, "free_memory", lambda _: free)
    with pytest.raises(InputError) as raised, memory_told(RECIPE, arch, IMAGE):
        torch.empty(1 << 50)
    message = str(raised.value)
    assert message.startswith(
        "out of memory on cpu with batches of 128: a step takes about 193.6 MiB by the memory model"
    )
    assert message.endswith("were free; --batch 32, which would fit")
    with (
        pytest.raises(InputError) as raised,
        memory_told(RECIPE, arch, IMAGE, run=Path("runs/a")),
    ):
        raise MemoryError
    assert str(raised.value).endswith(
        "; start anew with --batch 32, which would fit, or --resume runs/a once more is free"
    )
    with pytest.raises(RuntimeError, match="another"), memory_told(RECIPE, arch, IMAGE):
        raise RuntimeError("another thing")
