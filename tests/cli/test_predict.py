"""``striate predict`` as a user runs it."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

Striate = Callable[..., Any]


@pytest.fixture
def photos(finished: Path, tmp_path: Path) -> Path:
    """Two good images and two bad ones beside a finished run, ``run``."""
    shutil.copytree(finished, tmp_path / "run")
    folder = tmp_path / "photos"
    folder.mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (2, 12, 12), dtype=np.uint8)
    Image.fromarray(noise[0]).save(folder / "a.png")
    Image.fromarray(noise[1]).save(folder / "d.png")
    (folder / "b.png").write_bytes(b"")
    (folder / "c.jpg").write_bytes(b"\xff\xd8\xff\xe0 and then nothing")
    (folder / "notes.txt").write_text("not an image, and by its ending known not to be")
    return folder


def test_a_folder_with_bad_files(striate: Striate, photos: Path) -> None:
    ended = striate("predict", "run", "photos")
    assert ended.code == 2
    lines = ended.err.splitlines()
    assert lines[0] == (
        "note: files passed over, since they are no images by their endings: 1 (photos/notes.txt)"
    )
    assert lines[1] == "bad: photos/b.png is empty; give another image"
    assert lines[2].startswith("bad: photos/c.jpg ")
    assert lines[3] == (
        "error: 2 of 4 images could not be read, each named above; the others were predicted all "
        "the same (--bad-images skip ends without this error)"
    )
    assert len(lines) == 4
    shown = ended.out.splitlines()
    assert shown[0].startswith("photos/a.png  ")
    assert shown[1].startswith("photos/d.png  ")
    assert shown[0].endswith(")")  # noise is unlike digits
    assert "unlike the training data (look" in shown[0]
    assert shown[2].startswith("4 files: ")
    assert shown[2].endswith("2 unlike the training data · 2 could not be read")
    assert "Confidence is calibrated at temperature" in ended.out
    skipped = striate("predict", "run", "photos", "--bad-images", "skip")
    assert skipped.code == 0
    assert skipped.err.splitlines() == lines[:3]


def test_every_file_has_its_row(striate: Striate, photos: Path, tmp_path: Path) -> None:
    options = ("--top", "2", "--bad-images", "skip", "--quiet")
    for ending in ("csv", "json", "parquet"):
        ended = striate("predict", "run", "photos", "--out", f"out.{ending}", *options)
        assert (ended.code, ended.left) == (0, {f"out.{ending}"}), ended.err
    with (tmp_path / "out.csv").open() as file:
        rows = list(csv.DictReader(file))
    header = ["image", "class", "confidence", "class_2", "confidence_2", "unlike", "error"]
    assert list(rows[0]) == header
    assert [row["image"] for row in rows] == [
        f"photos/{n}" for n in ("a.png", "b.png", "c.jpg", "d.png")
    ]
    assert rows[1]["error"] == "photos/b.png is empty; give another image"
    assert rows[1]["class"] == ""
    assert rows[0]["error"] == ""
    assert float(rows[0]["confidence"]) >= float(rows[0]["confidence_2"])
    table = pq.read_table(tmp_path / "out.parquet")
    assert table.column_names == header
    assert table["error"].to_pylist() == [row["error"] or None for row in rows]
    found = np.array([float(row["confidence"] or "nan") for row in rows])
    kept = np.array([np.nan if c is None else c for c in table["confidence"].to_pylist()])
    assert kept == pytest.approx(found, nan_ok=True, abs=1e-6)
    facts = json.loads(table.schema.metadata[b"striate"])
    assert facts["calibration"]["images"] == 179
    document = json.loads((tmp_path / "out.json").read_text())
    assert document["striate"] == 1
    assert [one["image"] for one in document["predictions"]] == ["photos/a.png", "photos/d.png"]
    assert [one["image"] for one in document["bad"]] == ["photos/b.png", "photos/c.jpg"]
    assert document["passed_over"] == ["photos/notes.txt"]
    assert len(document["predictions"][0]["top"]) == 2


def test_json(striate: Striate, photos: Path) -> None:
    ended = striate("predict", "run", "photos/a.png", "--json", "--quiet")
    assert (ended.code, ended.err) == (0, "")
    found = json.loads(ended.out)
    assert list(found) == [
        *("striate", "run", "classes", "calibration", "limits", "predictions", "bad"),
        "passed_over",
    ]
    assert found["predictions"][0]["class"] in found["classes"]
    assert found["predictions"][0]["unlike"][0]["distance"] > found["limits"]["look"]


def test_quiet_is_the_result(striate: Striate, photos: Path) -> None:
    ended = striate("predict", "run", "photos/a.png", "--quiet", "--top", "10")
    assert ended.err == ""
    assert ended.out.count("\n") == 1
    assert ended.out.count(" · ") == 9


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["run", "photos/b.png"], "photos/b.png is empty; give another image"),
        (["run", "nowhere.png"], "nowhere.png cannot be read (No such file or directory)"),
        (["run", "*.bmp"], "*.bmp: no file matches"),
        (["run", ""], "an empty word names no image"),
        (["run", "photos/a.png", "--out", "x"], "--out x: has no ending; choose from .csv, .json"),
        (["run", "-"], "-: standard input is empty"),
        (["photos", "photos/a.png"], "photos: not a run's folder (it has no run.json)"),
        (["run", "photos/a.png", "--top", "0"], "--top 0: the run knows 10 classes"),
        (["run", "photos/a.png", "--out", "x.xls"], "--out x.xls: .xls is no known table"),
        (["run", "photos/a.png", "--out", "no/x.csv"], "--out no/x.csv: there is no folder no"),
        (["run", "photos/a.png", "--out", "tiny.toml"], ".toml is no known table"),
    ],
)
def test_wrong_inputs(striate: Striate, photos: Path, words: list[str], error: str) -> None:
    ended = striate("predict", *words)
    assert error in ended.error
    assert ended.left == frozenset()


def test_an_out_that_is_there_stays(striate: Striate, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("mine")
    ended = striate("predict", "run", "photos/a.png", "--out", "mine.csv")
    assert "--out mine.csv: exists already; name another" in ended.error
    assert (tmp_path / "mine.csv").read_text() == "mine"
