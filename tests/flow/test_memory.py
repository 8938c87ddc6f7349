"""The memory model against the trace itself, and what is free here."""

from __future__ import annotations

from pathlib import Path

import pytest

from striate.arch import Arch
from striate.arch.zoo import zoo
from striate.building import build
from striate.flow.memory import StepMemory, free_memory, step_memory
from striate.tracing import trace
from striate.training import Recipe


@pytest.fixture(scope="module")
def resnet20() -> Arch:
    return zoo("resnet20")


@pytest.mark.parametrize("batch", [16, 64, 128])
def test_a_step_of_any_batch(resnet20: Arch, batch: int) -> None:
    recipe = Recipe().with_({"ema": 0.9})
    model = step_memory(resnet20, (3, 32, 32), recipe)
    assert model is not None
    whole = trace(
        lambda: build(resnet20, device="meta"),
        (3, 32, 32),
        train=True,
        batch=batch,
        optimiser="momentum",
    ).totals
    assert whole.step_bytes is not None
    copies = 3 * 4 * whole.params  # the average, the best, the start
    assert 0.9999 < model.of(batch) / (whole.step_bytes + copies) < 1.02


def test_an_optimiser_with_more_state_takes_more(resnet20: Arch) -> None:
    sgd = step_memory(resnet20, (3, 32, 32), Recipe())
    adamw = step_memory(resnet20, (3, 32, 32), Recipe().with_({"optimiser": "adamw", "lr": 0.001}))
    assert sgd is not None
    assert adamw is not None
    assert adamw.each == sgd.each
    params = 4 * 269_722
    assert adamw.fixed - sgd.fixed == pytest.approx(params, rel=0.01)


@pytest.mark.parametrize(
    ("free", "fits"), [(0, 0), (100, 0), (109, 0), (110, 1), (129, 2), (180, 8), (100_000, 8192)]
)
def test_what_fits(free: int, fits: int) -> None:
    assert StepMemory(fixed=100, each=10).fits(free) == fits


@pytest.mark.skipif(not Path("/proc/meminfo").exists(), reason="needs Linux's /proc")
def test_here() -> None:
    free = free_memory("cpu")
    assert free is not None
    assert 1 << 20 < free < 1 << 50
    assert free_memory("mps") is None
