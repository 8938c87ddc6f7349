"""Runs listed and compared: against their files, counts by hand, and TensorBoard's own reader."""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from striate.errors import InputError, OutputError, RunError
from striate.flow.events import FitOptions
from striate.flow.fit import fit
from striate.flow.runs import list_runs, read_run
from striate.flow.runs_compare import compare_runs
from striate.flow.runs_tensorboard import write_events
from striate.records import Run
from striate.runs import RunFolder, load_evaluation

TOML = """\
name = "tiny"
image = [1, 8, 8]
classes = 10

[stem]
width = 8

[[stages]]
block = "basic"
depth = 1
width = {width}
stride = 2
"""


def made(folder: Path, name: str, *, width: int = 16, lr: float = 0.05) -> Run:
    """A run of two epochs on the digits, in half a second."""
    toml = folder / f"{name}.toml"
    toml.write_text(TOML.format(width=width))
    return fit(
        "digits",
        FitOptions(
            arch=str(toml), epochs=2, batch=128, lr=lr, threads=1, setting="fp32",
            out=folder / "runs" / name,
        ),
    )  # fmt: skip


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Run, Run]:
    folder = tmp_path_factory.mktemp("pair")
    return folder / "runs", made(folder, "a"), made(folder, "b", width=24, lr=0.1)


@pytest.fixture
def runs(pair: tuple[Path, Run, Run], tmp_path: Path) -> Path:
    """Copies of the two, which a test may break."""
    shutil.copytree(pair[0], tmp_path / "runs")
    return tmp_path / "runs"


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def cut(run: Path, *, epochs: int) -> None:
    """Make ``run`` one that was killed after so many epochs, or after three steps: the first has a
    line on its layers besides.
    """
    lines = (run / "metrics.jsonl").read_text().splitlines(keepends=True)
    ends = [n for n, line in enumerate(lines) if '"kind": "epoch"' in line]
    (run / "metrics.jsonl").write_text("".join(lines[: ends[epochs - 1] + 1 if epochs else 4]))
    info = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**info, "state": "training", "result": None}))
    (run / "weights.safetensors").unlink()


def test_a_finished_run_says_what_its_files_say(pair: tuple[Path, Run, Run]) -> None:
    folder, a, b = pair
    os.utime(folder / "a" / "metrics.jsonl", (2e9, 2e9))
    first, second = list_runs(folder)
    assert [run.name for run in (first, second)] == ["a", "b"]  # the newest first
    assert (first.when, first.state, first.why) == (2e9, "finished", None)
    for listed, run in ((first, a), (second, b)):
        assert (listed.accuracy, listed.loss, listed.ece) == (run.accuracy, run.loss, run.ece)
        assert (listed.seconds, listed.setting) == (run.seconds, "fp32")
        assert (listed.epoch, listed.epochs, listed.data) == (2, 2, "digits")
        assert listed.step == listed.steps == 2 * 10  # 1,259 images in tens of at most 128
        weights = load_file(folder / listed.name / "weights.safetensors")
        buffers = ("running_mean", "running_var", "num_batches_tracked")
        params = sum(t.size for name, t in weights.items() if not name.endswith(buffers))
        assert listed.params == params


def test_how_far_an_unfinished_run_came(runs: Path) -> None:
    cut(runs / "a", epochs=1)
    cut(runs / "b", epochs=0)
    a, b = read_run(runs / "a"), read_run(runs / "b")
    assert a.progress == "interrupted at epoch 1 of 2"
    assert (a.accuracy, a.step) == (None, 10)
    epoch = lines_of(runs / "a/metrics.jsonl")[-1]
    assert (a.val_accuracy, a.seconds) == (epoch["val_accuracy"], epoch["seconds"])
    assert (b.progress, b.step, b.val_accuracy) == ("interrupted at epoch 0 of 2", 3, None)
    (runs / "b/diverged.json").write_text('{"what": "the loss became nan", "step": 4, "epoch": 1}')
    b = read_run(runs / "b")
    assert (b.state, b.why) == ("diverged", "the loss became nan at step 4 (epoch 1)")


def ailing(run: Path, *, dead: int) -> None:
    """Three looks more at ``run``, in which so many channels of its first ReLU are dead."""
    lines = (run / "metrics.jsonl").read_text().splitlines()
    look = json.loads(next(line for line in lines if '"kind": "health"' in line))
    look["units"][0]["dead"] = dead
    with (run / "metrics.jsonl").open("a") as out:
        for step in (21, 22, 23):
            out.write(json.dumps({**look, "step": step, "epoch": 3}) + "\n")


def test_layers_that_ail_are_listed(runs: Path) -> None:
    before = read_run(runs / "a")
    assert (before.looks, before.sick) == (2, ())  # at steps 1 and 20
    units = json.loads((runs / "a" / "metrics.jsonl").read_text().splitlines()[0])["units"][0]
    ailing(runs / "a", dead=units["channels"])
    after = read_run(runs / "a")
    said = f"{units['channels']} of {units['channels']} channels dead"
    assert [vars(layer) for layer in after.sick] == [
        {"layer": units["path"], "what": said, "step": 21, "epoch": 3}
    ]
    assert after.looks == 5
    assert after.as_json()["sick"] == [vars(after.sick[0])]
    assert compare_runs(runs / "a", runs / "b").runs[0].sick == after.sick


def test_a_run_that_a_process_writes_to_is_in_training(runs: Path) -> None:
    cut(runs / "a", epochs=1)
    with RunFolder.open(runs / "a"):
        assert read_run(runs / "a").state == "training"  # this process
        if sys.platform in ("linux", "darwin"):
            program = "import sys; from striate.flow.runs import read_run as r; "
            program += "print(r(sys.argv[1]).progress)"
            done = subprocess.run(
                [sys.executable, "-c", program, str(runs / "a")],
                capture_output=True, text=True, check=True,
            )  # fmt: skip
            assert done.stdout == "training at epoch 1 of 2\n"
        with pytest.raises(RunError, match="this process is writing"):
            RunFolder.open(runs / "a")  # looking has not dropped the lock
    assert read_run(runs / "a").state == "interrupted"


BREAKS: dict[str, tuple[str, str | None, str]] = {
    "json": ("run.json", "{", "run.json: broken (JSONDecodeError"),
    "newer": ("run.json", '{"format": 99}', "run.json: format 99 is newer than this striate's 1"),
    "begun": ("run.json", None, "has no run.json: it was stopped before step 1; begin it again"),
    "recipe": ("recipe.toml", "lr = 0\n", "recipe.toml: lr = 0 should be greater than 0"),
    "no recipe": ("recipe.toml", None, "recipe.toml: is missing; restore the file"),
    "arch": ("arch.toml", "name = 3\n", "arch.toml"),
    "metrics": ("metrics.jsonl", '{"kind": "epoch"}\n', "metrics.jsonl, line 1: not a training"),
    "bytes": ("metrics.jsonl", "\xff\n", "metrics.jsonl: broken (not UTF-8 text at byte 0)"),
    "weights": ("weights.safetensors", "xx", "weights.safetensors: broken ("),
    "no weights": ("weights.safetensors", None, "weights.safetensors: is missing"),
}


@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_run_is_listed_with_its_reason(runs: Path, name: str) -> None:
    file, text, why = BREAKS[name]
    if text is None:
        (runs / "a" / file).unlink()
    else:
        (runs / "a" / file).write_bytes(text.encode("latin-1"))
    found = {run.name: run for run in list_runs(runs)}
    assert found["a"].state == "broken"
    assert found["a"].why is not None
    assert found["a"].why.startswith(why)
    assert str(runs) not in found["a"].why
    assert found["b"].state == "finished"
    with pytest.raises(RunError, match=r"a: is broken \(.*; leave it out, or mend it"):
        compare_runs(runs / "a", runs / "b")


def test_runs_are_found_wherever_they_lie(runs: Path) -> None:
    (runs / "deep" / "er").mkdir(parents=True)
    shutil.move(runs / "b", runs / "deep" / "er" / "b")
    (runs / ".hidden").mkdir()
    shutil.copytree(runs / "a", runs / ".hidden" / "a")
    (runs / "deep" / "round").symlink_to(runs)  # which has no end
    (runs / "linked").symlink_to(runs / "a")
    assert {run.name for run in list_runs(runs)} == {"a", "linked", "deep/er/b"}
    assert [run.name for run in list_runs(runs / "a")] == ["a"]
    assert {run.name for run in list_runs(runs / "a", runs / "linked")} == {
        (runs / "a").as_posix(), (runs / "linked").as_posix(),
    }  # fmt: skip  # one name for two
    with pytest.raises(RunError, match="nowhere: is not there; name a run's folder, or one that"):
        list_runs(runs / "nowhere")


def test_only_what_differs_is_told(pair: tuple[Path, Run, Run]) -> None:
    folder, _, _ = pair
    compared = compare_runs(folder / "a", folder / "b")
    told = {
        part: {one.key: one.values for one in found} for part, found in compared.differences.items()
    }
    assert told["recipe"] == {"lr": (0.05, 0.1)}
    assert told["network"] == {"stages.0.width": (16, 24)}
    assert told["data"] == {}
    assert told["versions"] == {}
    assert [len(curve) for curve in compared.curves] == [2, 2]
    assert compared.notes == ()


def test_the_gap_is_counted_image_by_image(pair: tuple[Path, Run, Run]) -> None:
    folder, a, b = pair
    compared = compare_runs(folder / "a", folder / "b")
    assert compared.gaps[0] is None
    gap = compared.gaps[1]
    assert gap is not None
    tests = [load_evaluation(folder / name / "evaluation.safetensors") for name in "ab"]
    rights = [
        [int(np.argmax(p)) == label for p, label in zip(t.probabilities, t.labels, strict=True)]
        for t in tests
    ]
    pairs = list(zip(*rights, strict=True))
    assert gap.images == len(pairs) == 359
    assert gap.only_first == pairs.count((True, False))
    assert gap.only_this == pairs.count((False, True))
    assert gap.accuracy == pytest.approx(b.accuracy - a.accuracy)
    each = np.array([second - first for first, second in np.array(pairs, dtype=float)])
    assert gap.error == pytest.approx(each.std() / math.sqrt(len(each)))


def test_what_must_be_known_before_comparing_is_said(runs: Path, tmp_path: Path) -> None:
    cut(runs / "a", epochs=1)
    recipe = (runs / "b" / "recipe.toml").read_text()
    assert "label_smoothing = 0.0" in recipe
    recipe = recipe.replace("label_smoothing = 0.0", "label_smoothing = 0.1")
    (runs / "b" / "recipe.toml").write_text(recipe)
    info = (runs / "b" / "run.json").read_text().replace('"fingerprint": "', '"fingerprint": "0')
    (runs / "b" / "run.json").write_text(info)
    compared = compare_runs(runs / "a", runs / "b")
    assert compared.gaps == (None, None)
    first, second, third = compared.notes
    assert first.startswith("The runs were trained on different images")
    assert second.startswith("label_smoothing differs: training losses cannot be compared")
    assert third == "a is not finished: interrupted at epoch 1 of 2."


def test_what_cannot_be_compared(pair: tuple[Path, Run, Run], tmp_path: Path) -> None:
    a = pair[0] / "a"
    with pytest.raises(InputError, match="one run alone cannot be compared; name two or more"):
        compare_runs(a)
    with pytest.raises(InputError, match="a: is named twice; name two different runs"):
        compare_runs(a, a)
    with pytest.raises(RunError, match=r"not a run's folder \(it has no run.json\)"):
        compare_runs(a, tmp_path)


def scalars(folder: Path) -> dict[str, list[Any]]:
    """What TensorBoard itself reads of ``folder``."""
    reading = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator",
        reason="needs tensorboard: pip install 'striate[log]'",
    )
    found = reading.EventAccumulator(str(folder)).Reload()
    return {tag: found.Scalars(tag) for tag in found.Tags()["scalars"]}


def test_tensorboard_reads_the_metrics_back(runs: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="needs tensorboard: pip install 'striate[log]'")
    logs = tmp_path / "logs"
    listed = list_runs(runs)
    for _ in range(2):  # the second time, the first is replaced
        assert sorted(write_events(listed, logs)) == [logs / "a", logs / "b"]
    assert len(list((logs / "a").iterdir())) == 1
    found = scalars(logs / "a")
    lines = lines_of(runs / "a" / "metrics.jsonl")
    steps = [line for line in lines if line["kind"] == "step"]
    epochs = [line for line in lines if line["kind"] == "epoch"]
    for tag, key, rows in (
        ("loss/train", "loss", steps),
        ("rate/lr", "lr", steps),
        ("loss/validation", "val_loss", epochs),
        ("accuracy/validation", "val_accuracy", epochs),
    ):
        assert [event.step for event in found[tag]] == [row["step"] for row in rows]
        wanted = [row[key] for row in rows]
        assert [event.value for event in found[tag]] == pytest.approx(wanted, rel=1e-6)
    seen = [line for line in lines if line["kind"] == "health"]
    assert seen
    for number, weight in enumerate(seen[0]["weights"]):
        for tag in ("gradient", "update"):
            events = found[f"{tag}/{weight['parameter']}"]
            assert [event.step for event in events] == [one["step"] for one in seen]
            wanted = [one["weights"][number][tag] for one in seen]
            assert [event.value for event in events] == pytest.approx(wanted, rel=1e-6)
    assert {f"dead_or_saturated/{unit['path']}" for unit in seen[0]["units"]} <= set(found)
    ended = (runs / "a" / "metrics.jsonl").stat().st_mtime
    times = [event.wall_time for event in found["loss/train"]]
    assert times == sorted(times)
    assert found["loss/validation"][-1].wall_time == pytest.approx(ended, abs=1e-3)


def test_nothing_that_is_not_tensorboards_is_replaced(runs: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="needs tensorboard: pip install 'striate[log]'")
    (tmp_path / "logs" / "a").mkdir(parents=True)
    (tmp_path / "logs" / "a" / "thesis.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"holds thesis\.txt, which TensorBoard did not write"):
        list(write_events(list_runs(runs), tmp_path / "logs"))
    assert (tmp_path / "logs" / "a" / "thesis.txt").read_text() == "mine"
    with pytest.raises(OutputError, match=r"--tensorboard .*thesis\.txt: is a file; name a folder"):
        list(write_events(list_runs(runs), tmp_path / "logs" / "a" / "thesis.txt"))


def test_without_tensorboard_it_says_what_to_install(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(InputError, match=r"is not installed; pip install 'striate\[log\]'"):
        list(write_events(list_runs(runs), tmp_path / "logs"))
    assert not (tmp_path / "logs").exists()


def test_a_run_that_went_back_once_says_so(runs: Path) -> None:
    facts = {"what": "the loss became nan", "step": 14, "epoch": 2, "back": 10, "rate": 0.5}
    (runs / "a/recovered.json").write_text(json.dumps(facts))
    a = read_run(runs / "a")
    said = (
        "the loss became nan at step 14 (epoch 2); went back to step 10, and on at 0.5 times "
        "the rates"
    )
    assert (a.state, a.why) == ("finished", said)
    (runs / "a/recovered.json").write_text("{}")
    a = read_run(runs / "a")
    assert (a.state, a.why) == ("broken", "recovered.json: broken (KeyError: 'what')")
