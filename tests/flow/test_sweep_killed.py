"""Two workers on one study, one of them killed: every training ends, and no step is done twice."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from striate.arch import from_dict, to_toml
from striate.flow.events import FitOptions
from striate.flow.sweep import Progress, Swept, sweep_events
from striate.flow.sweep_options import SweepOptions
from striate.flow.sweep_study import Study

EPOCHS = 40


@pytest.fixture
def options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SweepOptions:
    monkeypatch.chdir(tmp_path)
    row = {"block": "conv", "depth": 1, "width": 4, "stride": 2}
    arch = from_dict({"name": "tiny", "image": [1, 8, 8], "classes": 10, "stages": [row]})
    Path("tiny.toml").write_text(to_toml(arch))
    return SweepOptions(
        arch=("tiny.toml",),
        axes=("width=4,8",),
        seeds=(0,),
        training=FitOptions(epochs=EPOCHS, batch=64, setting="fp32", threads=1),
        share=0.2,
        workers=2,
        lease=8,
        out=tmp_path / "out",
    )


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_killed_workers_training_is_gone_on_with(
    kind: str, options: SweepOptions, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if kind == "postgresql":
        options = replace(options, storage=request.getfixturevalue("postgresql"))
    url = options.storage or f"sqlite:///{tmp_path}/out/study.db"
    watch: Study | None = None
    killed = None
    events = sweep_events("digits", options)
    for event in events:
        if isinstance(event, Progress) and killed is None:
            for point in event.result.points:
                run = point.runs[0]
                if run.state == "running" and 2 <= len(run.curve) < EPOCHS - 10:
                    watch = watch or Study(
                        url, "digits-tiny-width", lease=options.lease, places=tmp_path / "none"
                    )
                    entry = next(e for e in watch.entries() if e.worker.get("id") == run.worker)
                    os.kill(entry.worker["pid"], signal.SIGKILL)
                    killed = entry
                    break
        if isinstance(event, Swept):
            result = event.result
    assert killed is not None, "no training lasted long enough to be killed"
    assert watch is not None

    entries = watch.entries()
    watch.close()
    ended = Counter(entry.key for entry in entries if entry.state == "finished")
    assert len(ended) == 2
    assert set(ended.values()) == {1}
    assert [e.state for e in entries if e.key == killed.key] == ["lost", "finished"]
    assert all(entry.state in ("finished", "lost") for entry in entries)
    again = next(e for e in entries if e.key == killed.key and e.state == "finished")
    assert again.worker["pid"] != killed.worker["pid"]
    assert again.facts["from_step"] > 0  # from its checkpoint, not from the start
    for point in result.points:
        (run,) = point.runs
        assert run.state == "finished"
        assert run.run is not None
        lines = (Path(run.run) / "metrics.jsonl").read_text().splitlines()
        records = [json.loads(line) for line in lines]
        steps = [record["step"] for record in records if record["kind"] == "step"]
        assert steps == list(range(1, len(steps) + 1))
        assert [r["epoch"] for r in records if r["kind"] == "epoch"] == list(range(1, EPOCHS + 1))
        assert len(run.curve) == EPOCHS
