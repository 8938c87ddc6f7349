"""Two processes train as one does: the same samples to the bit, the same loss but for rounding."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.distributed as dist
from torch import nn

from striate.errors import InputError, ProcessLost, RecipeError
from striate.training import Processes, joined, lost_processes, started_together

DRIVER = Path(__file__).with_name("processes_driver.py")


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What ``processes_driver.py`` prints."""
    if not hasattr(os, "fork"):
        pytest.skip("needs fork, which Windows has not; run these tests on Linux or macOS")
    done = subprocess.run(
        [sys.executable, "-W", "error", str(DRIVER), str(tmp_path_factory.mktemp("runs"))],
        env={**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def runs(told: dict[str, Any]) -> dict[str, Any]:
    return told["runs"]


def apart(first: list[float], second: list[float]) -> float:
    """The greatest relative difference of two rows of losses."""
    return max(abs(a - b) / a for a, b in zip(first, second, strict=True))


def test_every_step_sees_the_samples_and_augmentations_of_one_process(
    runs: dict[str, Any],
) -> None:
    one = runs["one"]
    assert len(one["seen"]) == len(one["losses"]) == 40
    for other in ("two", "local", "killed", "stopped"):
        assert runs[other]["seen"] == one["seen"], other
        assert runs[other]["images"] == one["images"], other
    words = {word for step, seen in one["seen"].items() if step[0] == "1" for word, _ in seen}
    assert len(words) == sum(one["images"][:20])  # an epoch sees each sample once
    first, again = (
        {
            word: pixels
            for step, seen in one["seen"].items()
            if step[0] == e
            for word, pixels in seen
        }
        for e in "12"
    )
    assert first.keys() == again.keys()
    assert first != again  # augmentation is on: the next epoch shows other pixels


def test_losses_differ_by_rounding_alone(runs: dict[str, Any]) -> None:
    # fp32 rounds to 6e-8 of a number; a loss is a mean of sums of some thousands of products, in
    # another order by slices, and 40 steps of a small rate carry the differences on.
    one, two = runs["one"], runs["two"]
    assert apart(one["losses"], two["losses"]) < 2e-6
    assert apart(one["losses"], runs["local"]["losses"]) > 1e-4  # what reduced norms bring
    assert two["right"] == one["right"]


def test_mixed_images_have_the_partners_of_one_process(runs: dict[str, Any]) -> None:
    one, two = runs["one, mixed"], runs["two, mixed"]
    assert two["seen"] == one["seen"]  # pixels with the partner's in them, both labels and shares
    assert {step: {word for word, _ in seen} for step, seen in one["seen"].items()} == {
        step: {word for word, _ in seen} for step, seen in runs["one"]["seen"].items()
    }
    mixed, plain = (
        dict(sample for seen in each["seen"].values() for sample in seen)
        for each in (one, runs["one"])
    )
    changed = sum(mixed[word] != digest for word, digest in plain.items())
    assert changed > 0.6 * len(plain)
    assert apart(one["losses"], two["losses"]) < 2e-6
    assert two["right"] == one["right"]
    assert apart(one["losses"], runs["one"]["losses"]) > 1e-3


def test_tasks_of_slurm_train_as_other_processes_do(runs: dict[str, Any]) -> None:
    assert runs["slurm"]["weights"] == runs["two"]["weights"]
    assert runs["slurm"]["seen"] == runs["two"]["seen"]


def test_messages_across_machines_say_the_same(runs: dict[str, Any]) -> None:
    assert runs["two, far"]["weights"] == runs["two"]["weights"]


def test_messages_take_the_shortest_way_that_all_have(told: dict[str, Any]) -> None:
    rows = [[float(rank), 7.0] for rank in range(3)]
    assert told["ways"] == {
        "here": [f"Sockets {rows}"] * 3,
        "one path is too long for a socket": [f"Collective {rows}"] * 3,
        "on machines apart": [f"Collective {rows}"] * 3,
    }


def test_a_killed_process_costs_no_bit(runs: dict[str, Any]) -> None:
    # Also: checkpoints within the epoch, which only this run wrote, leave no trace in the bits.
    assert runs["step of the killed"] == 27
    assert runs["killed"]["weights"] == runs["two"]["weights"]
    assert runs["killed"]["losses"] == runs["two"]["losses"]


def test_a_run_goes_on_with_another_number_of_processes(runs: dict[str, Any]) -> None:
    # SIGTERM reached one of two processes after step 13; one process went on.
    two, stopped = runs["two"]["losses"], runs["stopped"]["losses"]
    assert stopped[:14] == two[:14]
    assert stopped[14:] != two[14:]
    assert apart(runs["one"]["losses"], stopped) < 2e-6


TOLERANCES = {"float32": 3e-5, "float64": 3e-14, "bfloat16": 8e-3}
"""Of a number; means lie up to 200 deviations off, which enlarges an output's rounding as much."""


def test_reduced_norms_are_those_of_the_joined_batch(told: dict[str, Any]) -> None:
    assert len(told["norms"]) == 12
    for case, differences in told["norms"].items():
        kind = next(kind for kind in TOLERANCES if kind in case)
        assert max(differences) < TOLERANCES[kind], (case, differences)
        # Running statistics are of single precision even where images are of half.
        assert max(differences[2:5]) < TOLERANCES["float32"], (case, differences)


def test_slices_are_even_and_join_to_the_batch() -> None:
    plan = [np.arange(7), np.arange(7, 13)]
    shares = [Processes(rank=rank, count=3).share(plan) for rank in range(3)]
    for at, batch in enumerate(plan):
        parts = [share[at] for share in shares]
        np.testing.assert_array_equal(np.concatenate(parts), batch)
        assert all(len(a) - len(b) in (0, 1) for a, b in pairwise(parts))


def test_weighted_slices_have_the_gradient_of_the_mean() -> None:
    torch.manual_seed(0)
    inputs, labels = torch.randn(7, 4, dtype=torch.float64), torch.randint(0, 3, (7,))
    net = nn.Linear(4, 3).double()

    def gradient(part: torch.Tensor, weight: float) -> torch.Tensor:
        net.zero_grad()
        loss = nn.functional.cross_entropy(net(inputs[part]), labels[part], label_smoothing=0.1)
        (weight * loss).backward()
        assert net.weight.grad is not None
        return net.weight.grad.clone()

    whole = gradient(torch.arange(7), 1.0)
    slices = torch.arange(7).tensor_split(2)
    together = Processes(rank=0, count=2)
    mean = torch.stack([gradient(own, together.weight(len(own), 7)) for own in slices]).mean(0)
    torch.testing.assert_close(mean, whole)


def test_a_batch_smaller_than_the_processes_is_refused() -> None:
    with pytest.raises(RecipeError, match=r"^4 processes cannot share a batch of 3 images; use"):
        Processes(rank=0, count=4).refuse_small([np.arange(9), np.arange(3)])
    Processes(rank=0, count=3).refuse_small([np.arange(3)])


def test_alone_there_is_nothing_to_agree_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    monkeypatch.setenv("WORLD_SIZE", "1")  # torchrun --nproc-per-node 1
    assert not started_together()
    with joined() as together:
        assert (together.rank, together.count, together.writes) == (0, 1, True)
        agreed = together.agree(0.1, 3, 8, 8, stop=True)
        assert (agreed.loss, agreed.right, agreed.stop) == (0.1, 3, True)
    assert not dist.is_initialized()


def test_metal_devices_cannot_join(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"RANK": "0", "MASTER_ADDR": "127.0.0.1", "WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)
    with (
        pytest.raises(InputError, match="device mps: torch joins no processes on Metal"),
        joined("mps"),
    ):
        pass


def test_a_meeting_place_that_cannot_be_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        where = {"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1"}
        for name, value in {**where, "MASTER_PORT": str(port)}.items():
            monkeypatch.setenv(name, value)
        said = (
            rf"^process 0 of 2: no meeting at 127.0.0.1:{port} \(.*address already in use\); set M"
        )
        with pytest.raises(InputError, match=said), joined("cpu"):
            pass


def test_what_a_lost_process_raises_is_told_from_other_errors() -> None:
    alone = Processes()
    with pytest.raises(RuntimeError, match="peer"), lost_processes(alone):
        raise RuntimeError("[gloo] Connection closed by peer")
    with pytest.raises(RuntimeError, match="shapes"), lost_processes(_of_two()):
        raise RuntimeError("shapes cannot be multiplied")
    said = r"^process 1 of 2: another process of this run has gone \(Connection closed by peer\); "
    with pytest.raises(ProcessLost, match=said), lost_processes(_of_two()):
        raise RuntimeError("[gloo/transport/tcp/pair.cc:547] Connection closed by peer")


def _of_two() -> Processes:
    store = dist.HashStore()
    return Processes(rank=1, count=2, group=dist.ProcessGroup(store, 1, 2))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_a_gpu_reduced_norms_are_those_of_torch(tmp_path: Path) -> None:
    script = DRIVER.with_name("norms_on_gpu.py")
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    for case, differences in json.loads(done.stdout).items():
        assert max(differences) < TOLERANCES[case], (case, differences)
