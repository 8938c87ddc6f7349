"""``see`` from a finished run: evidence in its folder, a report of it, each part alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torch import nn

import striate
from striate.cli.main import outcome
from striate.errors import ImageError, InputError, RunError
from striate.flow.events import FitOptions
from striate.flow.see import see, see_network
from striate.flow.ways import WAYS
from striate.reporting.ways import DRAWINGS
from striate.runs.kept_evidence import load_evidence
from striate.seeing.subject import LookOptions

Quick = Callable[..., FitOptions]


@pytest.fixture
def run(quick: Quick) -> Path:
    striate.fit("digits", quick())
    return Path("run")


def test_every_way_has_its_drawing() -> None:
    assert {way.name for way in WAYS} == {drawing.way for drawing in DRAWINGS}
    assert len({way.name for way in WAYS}) == len(WAYS)


def test_each_way_alone_and_the_report_of_all(run: Path, capsys) -> None:
    kept = run / "evidence"
    quick_ways = {f"{way.name}.safetensors" for way in WAYS if way.in_fit}
    assert {path.name for path in kept.iterdir()} == quick_ways
    told: list[tuple[str, int, int]] = []
    wanted = ["mechanics", "fields", "patches", "selectivity", "peaks"]
    seen = see(
        run, only=wanted, progress=lambda way, done, all_: told.append((way.name, done, all_))
    )
    assert {piece.name.split(".")[0] for piece in seen.evidence} == set(wanted)
    assert [name for name, _, _ in dict.fromkeys((n, 0, 0) for n, _, _ in told)] == [
        way.name for way in WAYS if way.name in wanted
    ]
    assert all(0 <= done <= all_ for _, done, all_ in told)
    assert {path.name for path in kept.iterdir()} == quick_ways | {
        f"{name}.safetensors" for name in wanted
    }
    page = (run / "report.html").read_text()
    for drawing in DRAWINGS:
        made = (kept / f"{drawing.way}.safetensors").exists()
        assert (f'id="{drawing.way}"' in page) == made, drawing.way
    # What was seen is read back as it was.
    (again,) = load_evidence(kept / "mechanics.safetensors")
    (first,) = [piece for piece in seen.evidence if piece.name == "mechanics"]
    assert again.facts == json.loads(json.dumps(first.facts))
    np.testing.assert_array_equal(again.arrays["output"], first.arrays["output"])
    assert again.checks == first.checks

    assert outcome(["see", "run", "--only", "fields", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["striate"] == 1
    assert [piece["name"] for piece in document["evidence"]] == ["fields"]


def test_an_image_of_ones_own_goes_the_runs_road(run: Path) -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (8, 8)).astype(np.uint8)
    Image.fromarray(pixels).save("mine.png")
    (piece,) = see(run, ["mine.png"], only=["mechanics"]).evidence
    assert piece.facts["picture"] == "mine.png"
    # Digits have levels 0 to 16; the first layer is handed (pixel / 255 - mean) / deviation.
    preprocessing = striate.load(run).preprocessing
    np.testing.assert_allclose(piece.arrays["image"], pixels[None] * (16 / 255), rtol=1e-6)
    expected = (pixels / 255 - preprocessing.mean[0]) / preprocessing.std[0]
    np.testing.assert_allclose(piece.arrays["input"][0], expected, rtol=1e-4, atol=1e-5)


def test_a_decision_is_explained(run: Path) -> None:
    seen = see(run, only=["decision"], options=LookOptions(pictures=1))
    assert [piece.name for piece in seen.evidence][:2] == ["decision", "decision.0.hirescam"]
    page = (run / "report.html").read_text()
    assert "What speaks for its decisions" in page


def test_where_images_are_left_out_the_terminal_says_how_they_come_in(run: Path, capsys) -> None:
    how = "--images embed puts them in"
    for asked, told in ((["--images", "none"], True), (["--images", "embed"], False), ([], False)):
        assert outcome(["see", "run", "--only", "filters", *asked]) == 0
        assert (how in capsys.readouterr().out) == told


def test_what_cannot_be_is_said_in_one_line(run: Path) -> None:
    with pytest.raises(InputError, match=r"--only maps2 is no way of looking: did you mean maps"):
        see(run, only=["maps2"])
    with pytest.raises(ImageError, match=r"nowhere.png cannot be read"):
        see(run, ["nowhere.png"])
    with pytest.raises(RunError, match=r"nowhere: not a run's folder"):
        see("nowhere")
    for arguments, part in (
        (["see", "run", "--at", "x"], "--at x: not a position"),
        (["see", "run", "--pictures", "0"], "--pictures 0: must be at least 1"),
    ):
        assert outcome(arguments) == 2, part
    with pytest.raises(InputError, match=r"position \(99, 0\) is outside the"):
        see(run, only=["mechanics"], options=LookOptions(at=(99, 0)))


def test_any_classifier_is_looked_into() -> None:
    module = nn.Sequential(
        nn.Conv2d(1, 6, 3, padding=1), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1),
        nn.Flatten(), nn.Linear(6, 10),
    ).train()  # fmt: skip
    before = {name: value.clone() for name, value in module.state_dict().items()}
    pieces = see_network(module, "digits", only=["fields", "mechanics", "patches"])
    assert {piece.name.split(".")[0] for piece in pieces} == {"fields", "mechanics", "patches"}
    assert all(part.training for part in module.modules())
    assert all((value == before[name]).all() for name, value in module.state_dict().items())


def test_images_of_ones_own_data_are_embedded_only_where_asked(
    quick: Quick, tmp_path: Path, capsys
) -> None:
    photos = tmp_path / "digits"  # a folder of that name is not what is built in
    rng = np.random.default_rng(0)
    for number, name in enumerate("ab"):
        (photos / name).mkdir(parents=True)
        for index in range(12):
            pixels = rng.integers(100 * number, 100 * number + 90, (8, 8), np.uint8)
            Image.fromarray(pixels).save(photos / name / f"{index}.png")

    def embedded() -> bool:
        return 'alt="training image: a"' in Path("run/report.html").read_text()

    striate.fit(str(photos), quick())
    assert not embedded()
    assert "are not embedded in this page" in Path("run/report.html").read_text()
    see("run", only=["filters"], embed="embed")
    assert embedded()
    see("run", only=["filters"])  # as it was when the run was begun
    assert not embedded()
    code = outcome(["see", "run", "--only", "filters", "--images", "some"])
    assert code == 2
    assert "some" in capsys.readouterr().err


def test_built_in_images_are_embedded_and_what_fit_was_asked_is_kept(quick: Quick) -> None:
    striate.fit("digits", quick(images="none"))
    assert "are not embedded in this page" in Path("run/report.html").read_text()
    see("run", only=["filters"])
    assert 'alt="training image' not in Path("run/report.html").read_text()
    see("run", only=["filters"], embed="embed")
    assert 'alt="training image' in Path("run/report.html").read_text()
