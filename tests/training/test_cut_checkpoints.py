"""A real training's checkpoint, cut anywhere or with a bit changed: the one before it is used."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from torch import nn

from striate.data import Dataset
from striate.records import StepRecord
from striate.runs import RunFolder, newest
from striate.training import Notice, Recipe, train

Begun = Callable[..., tuple[Recipe, RunFolder]]


def places(size: int, header: int, rng: random.Random) -> list[int]:
    """The first bytes, places all over the header, places all over the tensors, the last bytes."""
    return [
        *range(16),
        *rng.sample(range(16, 8 + header), 60),
        *range(8 + header, 8 + header + 4),
        *rng.sample(range(8 + header + 4, size - 4), 40),
        *range(size - 4, size),
    ]


def test_cut_or_changed_anywhere(net: nn.Module, digits: Dataset, begun: Begun) -> None:
    recipe, folder = begun(epochs=2)
    list(train(net, digits, recipe, folder))
    path = folder.paths.checkpoints / "step-000000010.safetensors"
    data, rng = path.read_bytes(), random.Random(0)
    header = int.from_bytes(data[:8], "little")
    assert header > 1000
    assert len(data) > 20_000

    def is_refused(broken: bytes) -> bool:
        path.write_bytes(broken)
        found = newest(folder.paths.checkpoints)
        assert found is not None
        if found.checkpoint.step == 5:
            assert [text.startswith(f"{path}: ") for text in found.notices] == [True]
            assert found.notices[0].endswith("; the checkpoint before it is used")
        return found.checkpoint.step == 5

    for place in places(len(data), header, rng):
        assert is_refused(data[:place]), place
        changed = bytearray(data)
        changed[place] ^= 1 << rng.randrange(8)
        # One of the blanks that fill up the header may become another white space.
        blank = data[place : 8 + header].strip() == b"" and place < 8 + header
        assert blank or is_refused(bytes(changed)), place
    assert is_refused(data + b"\0")
    assert not is_refused(data)


@pytest.mark.parametrize("kept", [0.0, 0.01, 0.5, 0.999])
def test_and_the_training_ends_with_the_same_bits(
    net: nn.Module, digits: Dataset, begun: Begun, kept: float
) -> None:
    recipe, folder = begun()
    list(train(copy.deepcopy(net), digits, recipe, folder))
    whole = folder.paths.weights.read_bytes()
    path = folder.paths.checkpoints / "step-000000015.safetensors"
    path.write_bytes(path.read_bytes()[: round(kept * path.stat().st_size)])
    folder.paths.weights.unlink()
    records = list(train(net, digits, recipe, folder, resume=True))
    assert isinstance(records[0], Notice)
    assert [record.step for record in records if isinstance(record, StepRecord)] == [*range(11, 16)]
    assert folder.paths.weights.read_bytes() == whole


def test_a_folder_that_is_gone_begins_at_step_1(
    net: nn.Module, digits: Dataset, begun: Begun, tmp_path: Path
) -> None:
    recipe, folder = begun(epochs=2)
    list(train(copy.deepcopy(net), digits, recipe, folder))
    whole = folder.paths.weights.read_bytes()
    folder.paths.checkpoints.rename(tmp_path / "elsewhere")
    records = list(train(net, digits, recipe, folder, resume=True))
    assert [record.step for record in records if isinstance(record, StepRecord)] == [*range(1, 11)]
    assert folder.paths.weights.read_bytes() == whole
