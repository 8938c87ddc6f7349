"""``striate scale --search``: what is trained, what is not, and nothing twice."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from striate.arch import Arch, Stage, Stem, from_toml, to_toml
from striate.errors import InputError, OutputError, RunError
from striate.flow.scale import scale
from striate.flow.search import search, search_events
from striate.flow.search_plan import plan_search
from striate.flow.search_told import Begun, Searched, SearchOptions, Trained, Training
from striate.records import EpochRecord, Finding, Trace
from striate.runs.lock import Lock
from striate.runs.metrics import read_metrics
from striate.scaling import same
from striate.scaling.grid import grid

BASE = Arch(
    name="tiny",
    image=(1, 8, 8),
    classes=10,
    stem=Stem(width=8),
    stages=(
        Stage(block="basic", depth=2, width=8),
        Stage(block="basic", depth=2, width=16, stride=2),
    ),
)


@pytest.fixture
def options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SearchOptions:
    """Trainings of a fraction of a second."""
    monkeypatch.chdir(tmp_path)
    Path("tiny.toml").write_text(to_toml(BASE))
    # a wide stem and a thin stage: no axis comes near twice the cost
    thin = Arch(name="thin", image=(1, 10, 10), classes=10, stem=Stem(width=64),
                stages=(Stage(block="conv", depth=1, width=8),))  # fmt: skip
    Path("thin.toml").write_text(to_toml(thin))
    return SearchOptions(
        arch="tiny.toml", grid=1, epochs=1, share=0.1, seeds=1, setting="fp32", threads=1,
        divisor=4, out=Path("found"),
    )  # fmt: skip


def test_the_best_on_the_validation_split(options: SearchOptions) -> None:
    found = search("digits", options)
    result = found.result
    trained = [one for one in result.candidates if one.scores]
    assert trained
    assert max(one.mean for one in trained) == result.named(result.best).mean
    assert result.named(result.chosen).macs == min(result.named(name).macs for name in result.tied)
    # the scores are the validation's, as the runs' own metrics have them, and not the test's
    val_images = 179
    runs = sorted(Path("found/trials").iterdir())
    assert len(runs) == 1 + len(trained)
    kept = {
        next(e.val_accuracy for e in read_metrics(run / "metrics.jsonl")
             if isinstance(e, EpochRecord) and e.best)
        for run in runs
    }  # fmt: skip
    assert kept == {one.scores[0] for one in (result.base, *trained)}
    assert all(round(score * val_images) == pytest.approx(score * val_images) for score in kept)
    # what is printed makes the chosen network
    alpha, beta, gamma = result.coefficients
    base = from_toml(Path("found/base.toml").read_text())
    family = scale(base, phi=(1,), alpha=alpha, beta=beta, gamma=gamma, divisor=4)
    assert family.members[0].cost["macs"] == result.named(result.chosen).macs
    assert f"--alpha {alpha:g} --beta {beta:g} --gamma {gamma:g} --divisor 4" == found.options
    assert json.loads(Path("found/result.json").read_text()) == json.loads(
        json.dumps(found.as_json())
    )


def test_a_stopped_search_goes_on_and_trains_nothing_twice(options: SearchOptions) -> None:
    options = replace(options, epochs=2)
    events = search_events("digits", options)
    for event in events:  # one is done, the next has an epoch behind it
        if isinstance(event, EpochRecord) and len(list(Path("found/trials").iterdir())) == 2:
            break
    events.close()
    (first,) = [
        run
        for run in Path("found/trials").iterdir()
        if '"finished"' in (run / "run.json").read_text()
    ]

    def written() -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in first.rglob("*") if path.name != ".lock"}

    before = written()
    again = list(search_events("digits", options))
    ended = [event for event in again if isinstance(event, Trained)]
    assert [event.again for event in ended] == [True] + [False] * (len(ended) - 1)
    assert written() == before
    # the second went on from its checkpoint: each epoch is written once
    for run in Path("found/trials").iterdir():
        epochs = [
            e.epoch for e in read_metrics(run / "metrics.jsonl") if isinstance(e, EpochRecord)
        ]
        assert epochs == [1, 2]
    uninterrupted = search("digits", replace(options, out=Path("other")))
    last = again[-1]
    assert isinstance(last, Searched)
    assert [one.scores for one in last.result.candidates] == [
        one.scores for one in uninterrupted.result.candidates
    ]
    # and a third time, with one seed more, only that seed is trained
    more = [
        event
        for event in search_events("digits", replace(options, seeds=2, grid=1))
        if isinstance(event, Trained)
    ]
    assert [event.again for event in more] == [event.seed == 0 for event in more]
    assert {event.seed for event in more} == {0, 1}


def test_what_is_rejected_is_never_trained(options: SearchOptions) -> None:
    events = list(search_events("digits", replace(options, trials=1)))
    begun = events[0]
    assert isinstance(begun, Begun)
    reasons = [one.rejected for one in begun.candidates]
    assert reasons.count(None) == 1
    assert "beyond --trials" in reasons
    trained = {event.candidate.name for event in events if isinstance(event, Training)}
    assert trained == {begun.base.name} | {
        one.name for one in begun.candidates if one.rejected is None
    }
    assert begun.trainings == 2 == len([event for event in events if isinstance(event, Trained)])


def test_the_linter_rejects_before_training(
    options: SearchOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A linter that objects to any stage deeper than two blocks, and warns of wider ones."""

    def strict(trace: Trace) -> list[Finding]:
        deep = any("blocks.2" in layer.path for layer in trace)
        wide = any(layer.shape[1] > 16 for layer in trace if len(layer.shape) == 4)
        return [
            Finding(code=code, name="n", severity=severity, path="", message="m")
            for found, code, severity in ((deep, "XX1", "error"), (wide, "XX2", "warning"))
            if found
        ]

    monkeypatch.setattr("striate.flow.costs.check", strict)
    events = list(search_events("digits", replace(options, grid=2)))
    begun = events[0]
    assert isinstance(begun, Begun)
    deep = {one.name for one in begun.candidates if one.coefficients[0][0] > 1}
    rejected = {one.name for one in begun.candidates if one.rejected == "the linter: XX1 n"}
    assert rejected == deep
    assert not deep & {event.candidate.name for event in events if isinstance(event, Training)}
    for one in begun.candidates:  # 16 channels times 1.1 are 16 still
        assert one.warned == (("XX2",) if one.coefficients[0][1] > 1.1 else ())


def test_what_rounds_to_one_network_is_one_candidate() -> None:
    _, planned = plan_search(BASE, grid(6), divisor=16, most=None)
    keys = [same(one.arch) for one in planned if one.arch is not None]
    assert len(keys) == len(set(keys)) < len(grid(6))
    assert sorted(three for one in planned for three in one.candidate.coefficients) == sorted(
        (one.alpha, one.beta, one.gamma) for one in grid(6)
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epochs": 1, "minutes": 1.0}, "--epochs 1 and --minutes 1 both set the length"),
        ({"epochs": 0}, "--epochs 0: give at least 1"),
        ({"epochs": None, "minutes": -1.0}, "--minutes -1: must be a positive number"),
        ({"seeds": 0}, "--seeds 0: give at least 1"),
        ({"trials": 0}, "--trials 0: give at least 1"),
        ({"share": 0.0}, "--share 0: a share is above 0, and 1 at most"),
        ({"grid": 0}, "--grid 0: the doubled cost is spent in 1 to 12 equal parts"),
        ({"arch": "timm/resnet18"}, "timm/resnet18"),
        ({"image": "2x8x8"}, "--image 2x8x8: images have 1 or 3 channels, not 2"),
        (
            {"arch": "thin.toml", "divisor": 64, "image": "10x10"},
            "thin: no candidate is left to train: ",
        ),
    ],
)
def test_what_cannot_be_searched(
    options: SearchOptions, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError) as caught:
        search("digits", replace(options, **changes))  # type: ignore[arg-type] # one value of each type
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not Path("found").exists()


def test_a_folder_of_something_else(options: SearchOptions) -> None:
    search("digits", replace(options, trials=1))
    refused: list[tuple[dict[str, object], str]] = [
        ({"epochs": 3}, "found: holds a search with epochs = 1, and now 3 is asked for; choose"),
        ({"share": 0.2}, "found: holds a search with share = 0.1, and now 0.2 is asked for"),
        ({"image": "1x12x12"}, "found: holds a search with another base network; choose another"),
    ]
    for changes, message in refused:
        with pytest.raises(OutputError) as caught:
            search("digits", replace(options, **changes))  # type: ignore[arg-type] # as above
        assert str(caught.value).startswith(message)
    lock = Lock(Path("found/lock"))
    try:
        with pytest.raises(RunError, match="found: this process is writing to this run already"):
            search("digits", options)
    finally:
        lock.release()
    Path("found/search.json").write_text("{")
    with pytest.raises(RunError, match=r"found/search\.json: broken"):
        search("digits", options)
    Path("taken").mkdir()
    Path("taken/thesis.txt").write_text("mine")
    with pytest.raises(OutputError, match="taken: holds something else than a search"):
        search("digits", replace(options, out=Path("taken")))
    Path("file").write_text("")
    with pytest.raises(OutputError, match="file: is a file, not a folder; choose another --out"):
        search("digits", replace(options, out=Path("file")))


def test_data_without_a_validation_split(
    options: SearchOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(20) % 10
    images = rng.integers(0, 255, (20, 8, 8), dtype=np.uint8)
    np.savez("few.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    with pytest.raises(InputError, match=r"few\.npz: has no validation images to choose by"):
        search("few.npz", options)
