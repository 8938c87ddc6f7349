"""Checkpoints: whole or refused, the newest whole one is used, two are kept."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from striate.errors import RunError
from striate.runs import Checkpoint, load_checkpoint, newest, save_checkpoint


def checkpoint(step: int) -> Checkpoint:
    tensors = {
        "module/a": torch.arange(4.0) + step,
        "module/b/c": torch.tensor(step),
        "x/y": torch.ones(1),
    }
    return Checkpoint(step=step, tensors=tensors, facts={"seconds": 0.1 + step, "best": {"e": 1}})


def same(one: Checkpoint, two: Checkpoint) -> bool:
    return (
        (one.step, one.facts, one.tensors.keys()) == (two.step, two.facts, two.tensors.keys())
        and all(torch.equal(one.tensors[name], two.tensors[name]) for name in one.tensors)
    )  # fmt: skip


def test_back_as_it_was(tmp_path: Path) -> None:
    path = save_checkpoint(tmp_path, checkpoint(7))
    assert same(load_checkpoint(path), checkpoint(7))
    assert set(load_checkpoint(path).part("module")) == {"a", "b/c"}


def test_the_same_state_gives_the_same_file(tmp_path: Path) -> None:
    files = [save_checkpoint(tmp_path / name, checkpoint(7)).read_bytes() for name in "ab"]
    assert files[0] == files[1]


def test_two_are_kept(tmp_path: Path) -> None:
    for step in (1, 20, 300):
        save_checkpoint(tmp_path, checkpoint(step))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "step-000000020.safetensors",
        "step-000000300.safetensors",
    ]


def test_cut_at_any_byte_the_one_before_is_used(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, checkpoint(1))
    path = save_checkpoint(tmp_path, checkpoint(2))
    data = path.read_bytes()
    for length in range(len(data)):
        path.write_bytes(data[:length])
        found = newest(tmp_path)
        assert found is not None
        assert found.checkpoint.step == 1, length
        assert len(found.notices) == 1
        assert str(path) in found.notices[0]
        assert found.notices[0].endswith("the checkpoint before it is used")


def test_no_changed_byte_goes_unseen(tmp_path: Path) -> None:
    path = save_checkpoint(tmp_path, checkpoint(2))
    data = path.read_bytes()
    for place in range(len(data)):
        path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        try:
            found = load_checkpoint(path)
        except RunError:
            continue
        assert same(found, checkpoint(2)), place  # a blank of the header's padding says the same


def test_all_broken(tmp_path: Path) -> None:
    for step in (1, 2):
        save_checkpoint(tmp_path, checkpoint(step)).write_bytes(b"no")
    with pytest.raises(RunError) as raised:
        newest(tmp_path)
    message = str(raised.value)
    assert "step-000000002.safetensors and step-000000001.safetensors are broken" in message
    assert "delete that folder and --resume to train again from step 1" in message


def test_what_was_refused_is_dropped_by_the_next(tmp_path: Path) -> None:
    for step in (10, 20):
        save_checkpoint(tmp_path, checkpoint(step))
    (tmp_path / "step-000000020.safetensors").write_bytes(b"cut")
    save_checkpoint(tmp_path, checkpoint(12))  # stopped between 10 and 20 after the resume
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "step-000000010.safetensors",
        "step-000000012.safetensors",
    ]


def test_none_yet(tmp_path: Path) -> None:
    assert newest(tmp_path / "checkpoint") is None
