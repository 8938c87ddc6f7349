"""What ``striate doctor`` finds and advises.  No test depends on how fast anything is."""

from __future__ import annotations

import importlib.util
import json
import math
import os
from typing import Any

import pytest
import torch

from striate.cli.main import outcome
from striate.data.pixel_files import pixel_folder
from striate.flow import ceilings, doctor
from striate.flow.ceilings import Ceiling
from striate.flow.doctor import Machine, advise

PLAIN = {
    "matmul_fp32": 10.0,
    "matmul_bf16": 12.0,
    "conv_fp32": 10.0,
    "conv_fp32_channels_last": 11.0,
    "conv_bf16": 11.0,
    "conv_bf16_channels_last": 11.0,
    "memory": 8.0,
    "jpeg": 1000.0,
}


def measured(**changes: float) -> tuple[Ceiling, ...]:
    return tuple(
        Ceiling(key=key, what=key, value=value, unit="u")
        for key, value in {**PLAIN, **changes}.items()
    )


def machine(**changes: Any) -> Machine:
    usual = {
        "processor": "Abacus", "cores": 8, "threads": 8, "memory_bytes": 1 << 34, "load": 1.0,
        "gpus": (),
    }  # fmt: skip
    return Machine(**{**usual, **changes})


@pytest.fixture(autouse=True)
def _no_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.shutil, "which", lambda _name: None)


def test_nothing_is_advised_that_would_not_be_faster() -> None:
    assert list(advise(machine(), measured(), None)) == []
    assert list(advise(machine(threads=2), measured(), 11.0)) == []  # not worth it


@pytest.mark.parametrize(
    ("changes", "values", "with_all", "said"),
    [
        ({"threads": 2}, {}, 35.0, ("PyTorch uses 2 of 8 cores; with all of them a matrix product "
         "is 3.5 times as fast: unset OMP_NUM_THREADS")),
        ({"load": 12.0}, {}, None, "other work is running (load 12.0 on 8 cores)"),
        ({}, {"conv_bf16_channels_last": 47.0}, None, "bf16-channels-last is 4.7 times as fast"),
        ({}, {"matmul_bf16": 3.0}, None, "bf16 more slowly than fp32 (0.30 times its speed)"),
    ],
)  # fmt: skip
def test_what_would_make_it_faster(
    changes: dict[str, Any], values: dict[str, float], with_all: float | None, said: str
) -> None:
    (line,) = advise(machine(**changes), measured(**values), with_all)
    assert said in line


def test_a_driver_without_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.shutil, "which", lambda _name: "/usr/bin/nvidia-smi")
    (line,) = advise(machine(), measured(), None)
    assert "an NVIDIA driver is installed, and this PyTorch" in line
    assert list(advise(machine(gpus=("H",)), measured(), None)) == []


def test_what_is_here() -> None:
    found = doctor.look()
    assert found.threads == torch.get_num_threads()
    assert 1 <= found.cores <= (os.cpu_count() or 1)
    if found.memory_bytes is not None:
        assert found.memory_bytes > 1 << 28


def test_missing_extras_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda n: None if n == "optuna" else real(n))
    assert "scale" in doctor.missing_extras()


def test_the_fastest_round_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 0.0, 5.0, 5.0, 8.0, 8.0, 12.0, 99.0, 99.0])
    monkeypatch.setattr(ceilings, "perf_counter", lambda: next(clock))
    rounds: list[int] = []
    assert ceilings.best(lambda: rounds.append(1), seconds=1.0) == 3.0
    assert len(rounds) == 4  # one to warm up


def test_figures_are_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """One round each: what is measured is finite and says its unit; macs are by hand."""
    monkeypatch.setattr(ceilings, "best", lambda work: (work(), 2.0)[1])
    matmul = ceilings.matrix_products()[0]
    assert matmul.value == 1024**3 / 2 / 1e9
    conv = ceilings.convolutions()
    assert [one.key for one in conv] == [key for key in PLAIN if key.startswith("conv")]
    # 56·56 positions of 64 filters of 64·3·3, of 8 images, three times
    assert all(math.isclose(one.value, 8 * 56 * 56 * 64 * 576 * 3 / 2 / 1e9) for one in conv)
    assert ceilings.memory().value == 2 * 2**27 / 2 / 1e9
    assert ceilings.decoding().value == 0.5


def test_the_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    values = {one.key: one for one in measured(conv_bf16=30.0)}
    monkeypatch.setattr(
        doctor, "matrix_products", lambda: [values["matmul_fp32"], values["matmul_bf16"]]
    )
    monkeypatch.setattr(
        doctor, "convolutions", lambda: [v for k, v in values.items() if k.startswith("conv")]
    )
    monkeypatch.setattr(doctor, "memory", lambda: values["memory"])
    monkeypatch.setattr(doctor, "decoding", lambda: values["jpeg"])
    monkeypatch.setattr(doctor, "look", machine)
    file = pixel_folder() / "fitted-0.pixels"
    file.parent.mkdir(parents=True)
    file.write_bytes(bytes(3000))
    assert outcome(["doctor", "--json"]) == 0
    said = capsys.readouterr()
    found = json.loads(said.out)
    assert list(found) == [
        *("striate", "versions", "missing_extras", "machine", "ceilings", "advice"),
        "pixel_cache",
    ]
    assert found["ceilings"]["memory"] == {"value": 8.0, "unit": "u"}
    assert found["machine"]["processor"] == "Abacus"
    assert "bf16 is 3.0 times as fast as fp32" in found["advice"][0]
    assert "Faster\n  bf16 is 3.0 times" in said.err
    cache = {"folder": str(file.parent), "files": 1, "bytes": 3000}
    assert found["pixel_cache"] == cache
    assert "striate doctor --clear-cache removes them" in " ".join(said.err.split())
    assert outcome(["doctor", "--clear-cache", "--json"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out) == {"striate": 1, "cleared": cache}
    assert said.err.startswith("Removed 1 file of ")
    assert not file.exists()
