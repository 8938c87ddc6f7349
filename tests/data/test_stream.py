"""A stream, as ``bench/stream.py`` makes one of a million: nothing is held for each image, and a
training that is killed and gone on with sees the plan's images.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Generator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from striate.data import batches, epoch_plan, open_data
from striate.data.shards import order

pytest.importorskip("litdata")

IMAGES = 20_000


@pytest.fixture(scope="module")
def bench() -> Generator[ModuleType]:
    folder = str(Path(__file__).resolve().parents[2] / "bench")
    sys.path.insert(0, folder)
    import stream

    yield stream
    sys.path.remove(folder)


@pytest.fixture(scope="module")
def shards(bench: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stream") / "shards"
    bench.make(folder, IMAGES, 1 << 17)
    return folder


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_a_stream_that_is_killed_goes_on_with_other_workers(
    bench: ModuleType, shards: Path, tmp_path: Path
) -> None:
    seen = bench.seen_after_kills(shards, tmp_path / "ids", IMAGES, (0, 2))
    np.testing.assert_array_equal(seen, bench.planned(shards))
    assert len(np.unique(seen)) == IMAGES


def test_no_object_is_held_for_an_image(shards: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(order, "WINDOW", 2000)

    def blocks() -> int:
        gc.collect()
        return sys.getallocatedblocks()

    data = open_data(str(shards))  # what is imported and made once
    assert len(data.train.store.chunks) >= 30  # type: ignore[attr-defined]  # of the stream's store
    before = blocks()
    again = open_data(str(shards))
    plan = epoch_plan(again.train, seed=0, epoch=1, batch_size=100)
    opened = blocks()
    # A few for each chunk and each batch; a list of the images' names alone would be 20,000.
    assert opened - before < 3000
    loaded = batches(again.train, plan, augment=None, seed=0, epoch=1, workers=0)
    next(loaded)
    early = blocks()
    for number, _batch in enumerate(loaded, 2):
        if number == 190:
            break
    assert blocks() - early < 500
    loaded.close()  # type: ignore[attr-defined]  # a generator, typed as the iterator it is used as
