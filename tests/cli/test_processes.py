"""``striate fit --procs``: a worker that is killed, and what cannot be asked for."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from striate.records import StepRecord
from striate.runs import RunInfo, read_metrics

TINY = """\
name = "tiny"
image = [1, 8, 8]
classes = 10

[stem]
width = 8

[[stages]]
block = "basic"
depth = 1
width = 16
stride = 2
"""


def _child_of_rank(parent: int, rank: int) -> int:
    """The process id of one of several processes, as the kernel knows them."""
    for number in Path(f"/proc/{parent}/task/{parent}/children").read_text().split():
        environment = Path(f"/proc/{number}/environ").read_bytes().split(b"\0")
        if f"RANK={rank}".encode() in environment:
            return int(number)
    raise AssertionError(f"no child of {parent} has rank {rank}")


@pytest.mark.skipif(sys.platform != "linux", reason="finds the processes in /proc (Linux)")
def test_a_killed_process_is_started_again_and_no_step_is_missed(
    tmp_path: Path,
) -> None:
    (tmp_path / "tiny.toml").write_text(TINY)
    command = ["fit", "--quiet", "--arch", "tiny.toml", "--threads", "1", "--setting", "fp32"]
    command += ["--batch", "64", "--epochs", "12", "--out", "run", "--json"]
    process = subprocess.Popen(
        [sys.executable, "-m", "striate", *command, "--procs", "2", "--checkpoint-every", "0.1"],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    metrics = tmp_path / "run" / "metrics.jsonl"
    while process.poll() is None and not (
        metrics.exists() and metrics.read_bytes().count(b"\n") > 30
    ):
        time.sleep(0.01)
    assert process.poll() is None, process.communicate()
    os.kill(_child_of_rank(process.pid, 1), signal.SIGKILL)
    out, err = process.communicate()
    assert process.returncode == 0, err
    assert err == (
        "note: process 1 of 2 died (SIGKILL); all are started again and go on from the last "
        "checkpoint (1 of at most 3 restarts)\n"
    )
    assert json.loads(out)["epochs"] == 12
    steps = [each.step for each in read_metrics(metrics) if isinstance(each, StepRecord)]
    assert steps == list(range(1, 241))
    assert RunInfo.load(tmp_path / "run" / "run.json").notes["processes"] == 2


def _task(rank: int, port: int) -> dict[str, str]:
    """What srun tells a task of a step of two on this machine."""
    return {
        "SLURM_JOB_ID": "4711",
        "SLURM_STEP_ID": "0",
        "SLURM_NTASKS": "2",
        "SLURM_STEP_NODELIST": "localhost",
        "SLURM_PROCID": str(rank),
        "SLURM_LOCALID": str(rank),
        "MASTER_PORT": str(port),
        "OMP_NUM_THREADS": "1",
    }


def test_two_tasks_of_slurm_train_one_network(tmp_path: Path) -> None:
    (tmp_path / "tiny.toml").write_text(TINY)
    command = ["fit", "--arch", "tiny.toml", "--threads", "1", "--setting", "fp32"]
    command += ["--batch", "64", "--epochs", "1", "--out", "run", "--json"]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    tasks = [
        subprocess.Popen(
            [sys.executable, "-m", "striate", *command],
            cwd=tmp_path,
            env={**os.environ, **_task(rank, port)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    first, second = (task.communicate() for task in tasks)
    assert [task.returncode for task in tasks] == [0, 0], (first, second)
    assert second == ("", "")  # the first alone is heard
    assert json.loads(first[0])["epochs"] == 1
    run = tmp_path / "run"
    assert RunInfo.load(run / "run.json").notes["processes"] == 2
    steps = [each for each in read_metrics(run / "metrics.jsonl") if isinstance(each, StepRecord)]
    assert [each.step for each in steps] == list(range(1, 21))


IN_ONE_ALREADY = (
    "--procs 2: this process is one of several already (WORLD_SIZE is 4); leave --procs out, and "
    "let the launcher say how many"
)


@pytest.mark.parametrize(
    ("options", "env", "said"),
    [
        (("--procs", "0"), {}, "--procs 0: must be at least 1"),
        (("--checkpoint-every", "0"), {}, "--checkpoint-every 0: must be a positive number"),
        (
            ("--procs", "2"),
            {"RANK": "0", "WORLD_SIZE": "4", "MASTER_ADDR": "127.0.0.1"},
            IN_ONE_ALREADY,
        ),
        (("--procs", "2"), {**_task(0, 29500), "SLURM_NTASKS": "4"}, IN_ONE_ALREADY),
        (
            (),
            {**_task(0, 29500), "SLURM_PROCID": "one"},
            "SLURM_PROCID=one: must be a whole number from 0, in a step of several tasks",
        ),
    ],
)
def test_what_cannot_be(
    options: tuple[str, ...], env: dict[str, str], said: str, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "striate", "fit", "digits", *options],
        cwd=tmp_path,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"error: {said}\n")
    assert not list(tmp_path.iterdir())
