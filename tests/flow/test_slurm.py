"""What Slurm says of a task, in torch's names; lists of nodes and tasks as Slurm writes them."""

from __future__ import annotations

import pytest

from striate.errors import InputError
from striate.flow.slurm import first_node, torch_names

STEP = {
    "SLURM_JOB_ID": "4711",
    "SLURM_STEP_ID": "2",
    "SLURM_NTASKS": "7",
    "SLURM_STEP_NUM_TASKS": "7",
    "SLURM_PROCID": "6",
    "SLURM_LOCALID": "0",
    "SLURM_NODEID": "3",
    "SLURM_STEP_TASKS_PER_NODE": "2(x3),1",
    "SLURM_STEP_NODELIST": "gpu[007-009,012]",
    "SLURM_JOB_NODELIST": "gpu[001-012]",
}
"""The last of seven tasks on four nodes of a greater job."""


def test_a_task_of_several_has_its_place() -> None:
    assert torch_names(STEP) == {
        "RANK": "6",
        "WORLD_SIZE": "7",
        "LOCAL_RANK": "0",
        "LOCAL_WORLD_SIZE": "1",
        "MASTER_ADDR": "gpu007",
        "MASTER_PORT": str(10_000 + (17 * 4711 + 2) % 20_000),
    }
    second = {**STEP, "SLURM_PROCID": "3", "SLURM_LOCALID": "1", "SLURM_NODEID": "1"}
    names = torch_names(second)
    assert (names["RANK"], names["LOCAL_RANK"], names["LOCAL_WORLD_SIZE"]) == ("3", "1", "2")


def test_steps_and_jobs_beside_each_other_meet_on_ports_of_their_own() -> None:
    ports = {
        torch_names({**STEP, "SLURM_JOB_ID": str(job), "SLURM_STEP_ID": str(step)})["MASTER_PORT"]
        for job in range(9_990, 10_010)
        for step in range(16)
    }
    assert len(ports) == 20 * 16
    assert all(10_000 <= int(port) < 32_768 for port in ports)


def test_what_the_user_set_stands() -> None:
    names = torch_names({**STEP, "MASTER_ADDR": "10.0.0.7", "MASTER_PORT": "29500"})
    assert (names["MASTER_ADDR"], names["MASTER_PORT"]) == ("10.0.0.7", "29500")


@pytest.mark.parametrize(
    "changes",
    [
        {"RANK": "0"},  # torchrun in a step, or --procs
        {"WORLD_SIZE": "1"},
        {"SLURM_STEP_ID": ""},  # an sbatch script's own process
        {"SLURM_STEP_ID": str(0xFFFFFFFB)},  # as older versions mark it
        {"SLURM_STEP_ID": str(0xFFFFFFFA)},  # salloc's shell
        {"SLURM_STEP_NUM_TASKS": "1"},  # one task of a greater job
    ],
)
def test_a_process_that_is_no_task_of_several_is_left_alone(changes: dict[str, str]) -> None:
    assert torch_names({**STEP, **changes}) == {}


def test_outside_of_slurm_there_is_nothing_to_say() -> None:
    assert torch_names({"MASTER_ADDR": "node0"}) == {}


def test_before_versions_that_know_steps_the_job_is_asked() -> None:
    old = {name: text for name, text in STEP.items() if not name.startswith("SLURM_STEP_")}
    old |= {"SLURM_STEP_ID": "0", "SLURM_TASKS_PER_NODE": "2(x3),1"}
    names = torch_names(old)
    assert (names["WORLD_SIZE"], names["MASTER_ADDR"]) == ("7", "gpu001")
    del old["SLURM_TASKS_PER_NODE"]
    assert torch_names(old)["LOCAL_WORLD_SIZE"] == "7"


@pytest.mark.parametrize(
    ("seen", "asked", "place"),
    [
        ("0,1", {}, ("1", "2")),  # all of the node's GPUs: one by place
        ("1", {"SLURM_GPUS_PER_TASK": "1"}, ("0", "1")),
        ("1", {"SLURM_TRES_PER_TASK": "cpu=4,gres/gpu=1"}, ("0", "1")),
        ("0,1", {"SLURM_GPUS_PER_TASK": "1"}, ("1", "2")),  # --gpu-bind=none
        ("1", {}, ("1", "2")),  # too few, which joining says
    ],
)
def test_a_task_takes_its_own_gpu(seen: str, asked: dict[str, str], place: tuple[str, str]) -> None:
    task = {"SLURM_PROCID": "1", "SLURM_LOCALID": "1", "SLURM_NODEID": "0"}
    names = torch_names({**STEP, **task, **asked, "CUDA_VISIBLE_DEVICES": seen})
    assert (names["LOCAL_RANK"], names["LOCAL_WORLD_SIZE"]) == place


@pytest.mark.parametrize(
    ("nodes", "first"),
    [
        ("node1", "node1"),
        ("node1,node2", "node1"),
        ("gpu[007-012]", "gpu007"),
        ("gpu[3,5-7],cpu1", "gpu3"),
        ("rack[1-2]n[04,9]-ib", "rack1n04-ib"),
        ("a.b-c_d,e", "a.b-c_d"),
    ],
)
def test_the_first_node_of_a_list(nodes: str, first: str) -> None:
    assert first_node(nodes) == first


@pytest.mark.parametrize("nodes", ["", ",a", "gpu[", "gpu[]", "gpu]1", "gpu[a-b]", "two words"])
def test_what_is_no_list_of_nodes(nodes: str) -> None:
    with pytest.raises(InputError, match=r"must be a list as node\[01-04\],gpu7; or set MASTER_A"):
        first_node(nodes)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"SLURM_PROCID": "x"}, "SLURM_PROCID=x: must be a whole number from 0"),
        ({"SLURM_PROCID": "-1"}, "SLURM_PROCID=-1: must be a whole number from 0"),
        ({"SLURM_PROCID": "7"}, "SLURM_PROCID=7: must be below SLURM_STEP_NUM_TASKS=7"),
        ({"SLURM_STEP_NUM_TASKS": "two"}, "SLURM_STEP_NUM_TASKS=two: must be a whole number"),
        ({"SLURM_NODEID": "4"}, r"SLURM_NODEID=4: .* has no such node"),
        ({"SLURM_STEP_TASKS_PER_NODE": "2x3"}, r"SLURM_STEP_TASKS_PER_NODE=2x3: must be as 2\(x"),
        ({"SLURM_STEP_NODELIST": "gpu["}, r"Slurm's nodes 'gpu\['"),
        ({"MASTER_PORT": "70000"}, "MASTER_PORT=70000: must be from 1 to 65535"),
        ({"MASTER_PORT": "x"}, "MASTER_PORT=x: must be a whole number"),
    ],
)
def test_what_slurm_would_not_say(changes: dict[str, str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        torch_names({**STEP, **changes})


@pytest.mark.parametrize("name", ["SLURM_PROCID", "SLURM_LOCALID", "SLURM_JOB_ID", "SLURM_NODEID"])
def test_what_is_missing_is_named(name: str) -> None:
    with pytest.raises(InputError, match=f"{name} is not set in a step of several tasks"):
        torch_names({key: text for key, text in STEP.items() if key != name})
