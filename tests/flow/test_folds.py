"""``fit --folds``: K runs in one folder, one recipe, gone on with where they were stopped."""

from __future__ import annotations

import json
import shutil
import statistics
from collections.abc import Callable
from pathlib import Path

import pytest

import striate
from striate.errors import DataError, InputError, OutputError, RunError
from striate.flow.events import FitOptions, Training
from striate.flow.folds import FoldBegins, FoldEnded, fit_folds, fold_events
from striate.records import StepRecord
from striate.records.folds import Fold, Folds
from striate.runs import RunFolder

Quick = Callable[..., FitOptions]


def _weights(out: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted(out.glob("fold-*/weights.safetensors"))]


def _made(number: int, val_loss: float | None) -> Fold:
    return Fold(
        fold=number, run=f"cv/fold-{number}", val_accuracy=0.5 + number / 10, val_loss=val_loss,
        accuracy=number / 7, loss=number**0.5, ece=0.01 * number**2, epochs=1, seconds=1.0,
    )  # fmt: skip


def test_mean_and_deviation_are_those_of_the_sample() -> None:
    found = Folds(folder="cv", asked=4, folds=tuple(_made(n, n / 3) for n in (1, 2, 3, 4)))
    for key in ("val_accuracy", "val_loss", "accuracy", "loss", "ece"):
        values = [getattr(fold, key) for fold in found.folds]
        assert found.mean[key] == pytest.approx(statistics.mean(values))
        assert found.deviation[key] == pytest.approx(statistics.stdev(values))
    one = Folds(folder="cv", asked=4, folds=(_made(1, None),))
    assert one.mean["val_loss"] is None
    assert one.mean["accuracy"] == 1 / 7
    assert set(one.deviation.values()) == {None}


def test_folds_are_runs_and_go_on_to_the_same_bits(quick: Quick) -> None:
    found = fit_folds("digits", quick(out=Path("whole")), 2)
    assert [fold.fold for fold in found.folds] == [1, 2]
    document = json.loads(Path("whole/folds.json").read_text())
    assert {key: document[key] for key in found.as_json()} == found.as_json()
    for number, fold in enumerate(found.folds, 1):
        run = striate.load(Path("whole") / f"fold-{number}")
        assert run.evaluation is not None
        assert run.evaluation.accuracy == fold.accuracy
        assert run.info.data["options"]["fold"] == [number, 2]
    assert len(set(_weights(Path("whole")))) == 2

    began: list[int] = []
    for event in fold_events("digits", quick(out=Path("cut")), 2):
        if isinstance(event, FoldBegins):
            began.append(event.number)
        if isinstance(event, StepRecord) and began == [1, 2] and event.step == 3:
            break
    assert not Path("cut/fold-2/weights.safetensors").exists()
    told = list(fold_events(None, FitOptions(resume=Path("cut"))))
    assert [event.before for event in told if isinstance(event, FoldEnded)] == [True, False]
    assert [event.resumed for event in told if isinstance(event, Training)] == [True]
    assert _weights(Path("cut")) == _weights(Path("whole"))
    again = list(fold_events(None, FitOptions(resume=Path("cut"))))
    assert [type(event) for event in again] == [FoldEnded, FoldEnded, Folds]

    shutil.rmtree("cut/fold-2")  # as if it had been killed between two folds
    Path("tiny.toml").unlink()  # the first fold has the network and the recipe
    last = list(fold_events(None, FitOptions(resume=Path("cut"))))[-1]
    assert isinstance(last, Folds)
    assert last.mean == found.mean
    assert _weights(Path("cut")) == _weights(Path("whole"))


def test_all_folds_are_as_long_as_the_first(quick: Quick) -> None:
    fit_folds("digits", quick(out=Path("cv"), epochs=None, minutes=0.01), 2)
    lengths = {
        (line, path.parent.name)
        for path in Path("cv").glob("fold-*/recipe.toml")
        for line in path.read_text().splitlines()
        if line.startswith(("steps", "lr ", "batch_size"))
    }
    assert len({line for line, _ in lengths}) == 3
    assert len(lengths) == 6


def test_what_cannot_be_leaves_nothing(quick: Quick) -> None:
    with pytest.raises(DataError, match="200 folds need one each"):
        fit_folds("digits", quick(out=Path("a/cv")), 200)
    assert not Path("a").exists()
    for folds, changes, says in (
        (1, {}, "--folds 1: must be at least 2"),
        (3, {"val": 0.2}, "--folds 3 with --val 0.2: .*; leave --val out"),
        (3, {"resume": Path("cv"), "arch": "auto"}, "resume cv: .*; leave out 'digits', epochs"),
    ):
        with pytest.raises(InputError, match=says):
            fit_folds("digits", quick(**changes), folds)
    assert not Path("run").exists()


def test_several_processes_are_refused(quick: Quick, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("RANK", "0"), ("WORLD_SIZE", "2"), ("MASTER_ADDR", "localhost")):
        monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match="--folds with several processes"):
        fit_folds("digits", quick(), 2)


def test_one_process_at_a_time_and_no_second_start(quick: Quick) -> None:
    events = fold_events("digits", quick(out=Path("cv")), 2)
    for event in events:
        if isinstance(event, StepRecord):
            break
    with pytest.raises(RunError, match="is writing to this run"):
        next(fold_events(None, FitOptions(resume=Path("cv"))))
    with pytest.raises(OutputError, match="cv: holds folds; continue them with --resume cv"):
        next(fold_events("digits", quick(out=Path("cv")), 2))
    events.close()  # pyright: ignore[reportAttributeAccessIssue] # it is a generator
    RunFolder.open(Path("cv/fold-1")).close()
    Path("cv/folds.json").write_text('{"with": {}}')
    with pytest.raises(RunError, match=r"folds.json: broken \(KeyError: 'options'\)"):
        next(fold_events(None, FitOptions(resume=Path("cv"))))
