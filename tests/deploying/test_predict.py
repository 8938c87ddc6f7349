"""``striate.predict`` and the flow behind the command."""

from __future__ import annotations

import io
import json
import re
import shutil
import struct
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import striate
from striate.data import open_data
from striate.errors import ImageError, InputError
from striate.flow.confidence import confidence_of
from striate.flow.predict import Batch, PredictOptions, Ready, gather, predict_events
from striate.records import BadImage, Prediction
from striate.runs import RunPaths, at_temperature


def digit(index: int = 0) -> Image.Image:
    """An image of the test split, as a scanner would save it: 8 bits."""
    pixels = open_data("digits").test.pixels(np.array([index]))[0, 0]
    return Image.fromarray((pixels.astype(np.uint16) * 255 // 16).astype(np.uint8))


def encoded(image: Image.Image, kind: str = "PNG") -> bytes:
    out = io.BytesIO()
    image.save(out, kind)
    return out.getvalue()


def test_it_says_what_the_module_says_at_the_temperature(finished: Path, tmp_path: Path) -> None:
    for index in range(3):
        digit(index).save(tmp_path / f"{index}.png")
    said = striate.predict(finished, tmp_path, top=10)
    run = striate.load(finished)
    temperature = confidence_of(run).confidence.temperature
    assert [one.image for one in said] == [str(tmp_path / f"{i}.png") for i in range(3)]
    for index, one in enumerate(said):
        values = np.asarray(digit(index)).astype(np.float32) / 255
        inputs = (values - run.preprocessing.mean[0]) / run.preprocessing.std[0]
        with torch.no_grad():
            logits = run.module(torch.tensor(inputs)[None, None]).numpy()
        wanted = at_temperature(logits, temperature)[0]
        assert one.classes[0] == run.preprocessing.classes[int(wanted.argmax())]
        assert one.confidences == pytest.approx(sorted(wanted, reverse=True), abs=1e-5)
        assert sum(one.confidences) == pytest.approx(1, abs=1e-5)


def test_two_lines_load_a_run(finished: Path, tmp_path: Path) -> None:
    digit().save(tmp_path / "a.png")
    run = striate.load(finished)
    logits = run.module(run.preprocessing.read(tmp_path / "a.png"))
    assert logits.shape == (1, 10)
    (said,) = striate.predict(finished, tmp_path / "a.png")
    assert run.preprocessing.classes[int(logits.argmax())] == said.classes[0]


def test_eight_and_sixteen_bits_are_the_same_picture(finished: Path, tmp_path: Path) -> None:
    shallow = np.asarray(digit())
    Image.fromarray(shallow).save(tmp_path / "8.png")
    Image.fromarray(shallow.astype(np.uint16) * 257).save(tmp_path / "16.png")
    one, other = striate.predict(finished, tmp_path / "8.png", tmp_path / "16.png", top=10)
    assert one.classes == other.classes
    assert one.confidences == pytest.approx(other.confidences, abs=1e-6)


def _float() -> bytes:
    return encoded(Image.fromarray(np.zeros((8, 8), np.float32)), "TIFF")


def _several() -> bytes:
    out = io.BytesIO()
    digit().save(out, "GIF", save_all=True, append_images=[digit(1), digit(2)])
    return out.getvalue()


def _bomb() -> bytes:
    """A PNG of 10,000 × 10,000 as its header says, and nothing behind it."""
    body = struct.pack(">IIBBBBB", 10_000, 10_000, 8, 0, 0, 0, 0)
    check = struct.pack(">I", zlib.crc32(b"IHDR" + body))
    end = struct.pack(">I", 0) + b"IEND" + struct.pack(">I", zlib.crc32(b"IEND"))
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + body + check + end


BAD = {
    "empty.png": (lambda: b"", "is empty"),
    "cut.png": (lambda: encoded(digit())[:60], "truncated|cannot be decoded|corrupt"),
    "cut.jpg": (lambda: encoded(digit(), "JPEG")[:200], "truncated|cannot be decoded|corrupt|ends"),
    "text.png": (lambda: b"hello, I am no image", "is no image striate reads"),
    "float.tif": (_float, "has float pixels"),
    "frames.gif": (_several, "holds several frames"),
    "bomb.png": (_bomb, "10000x10000, more than|decompression bomb"),
}


@pytest.mark.parametrize("name", BAD)
def test_each_kind_of_bad_image_is_named_and_the_others_are_predicted(
    finished: Path, tmp_path: Path, name: str
) -> None:
    make, why = BAD[name]
    (tmp_path / name).write_bytes(make())
    digit().save(tmp_path / "a.png")
    digit(1).save(tmp_path / "z.png")
    _, batch = list(predict_events(finished, [str(tmp_path)]))
    assert isinstance(batch, Batch)
    first, bad, last = batch.results
    assert isinstance(first, Prediction)
    assert isinstance(last, Prediction)
    assert isinstance(bad, BadImage)
    assert bad.image == str(tmp_path / name)
    assert bad.reason.startswith(str(tmp_path / name))
    assert re.search(why, bad.reason)
    with pytest.raises(ImageError, match=re.escape(str(tmp_path / name))):
        striate.predict(finished, tmp_path)


def test_what_words_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for path in ("b.png", "a.png", "deep/er/c.jpg", "notes.txt", ".hidden.png", "odd[1].png"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(b"x")

    def names(*words: str) -> list[str]:
        return [source.name for source in gather(words).images]

    assert names(".") == ["a.png", "b.png", "deep/er/c.jpg", "odd[1].png"]
    assert [str(path) for path in gather(["."]).passed_over] == ["notes.txt"]
    assert names("*.png") == ["a.png", "b.png", "odd[1].png"]
    assert names("**/*.jpg", "a.png") == ["deep/er/c.jpg", "a.png"]
    assert names("odd[1].png") == ["odd[1].png"]  # a file of that name comes before a pattern
    assert names("gone.png") == ["gone.png"]  # told as a bad image, with the others
    with pytest.raises(InputError, match=r"\*.bmp: no file matches"):
        gather(["*.bmp"])
    (tmp_path / "none").mkdir()
    with pytest.raises(InputError, match="none: holds no images"):
        gather(["none"])
    with pytest.raises(InputError, match="no image was named"):
        gather([])


def test_standard_input(monkeypatch: pytest.MonkeyPatch, finished: Path, tmp_path: Path) -> None:
    def given(content: bytes) -> list[Any]:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
        return list(gather(["-"]).images)

    digit().save(tmp_path / "a.png")
    (image,) = given(encoded(digit()))
    assert image.content == encoded(digit())
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(encoded(digit()))))
    (said,) = striate.predict(finished, "-")
    assert said.confidences == striate.predict(finished, tmp_path / "a.png")[0].confidences
    assert [one.content for one in given(b"a.png\n\nb c.png\n")] == [Path("a.png"), Path("b c.png")]
    with pytest.raises(InputError, match="standard input is empty"):
        given(b"")


def test_top_beyond_the_classes(finished: Path, tmp_path: Path) -> None:
    digit().save(tmp_path / "a.png")
    for top in (0, 11):
        with pytest.raises(InputError, match=rf"--top {top}: the run knows 10 classes"):
            striate.predict(finished, tmp_path / "a.png", top=top)


def test_a_run_made_before_confidence_was_kept_has_it_measured(
    finished: Path, tmp_path: Path
) -> None:
    old = tmp_path / "old"
    shutil.copytree(finished, old)
    before = RunPaths(old).confidence.read_bytes()
    RunPaths(old).confidence.unlink()
    digit().save(tmp_path / "a.png")
    ready, _ = predict_events(old, [str(tmp_path / "a.png")], PredictOptions())
    assert isinstance(ready, Ready)
    assert ready.said[0].startswith(
        "confidence was not measured when this run was made; it was now"
    )
    assert RunPaths(old).confidence.read_bytes() == before
    ready, _ = predict_events(old, [str(tmp_path / "a.png")], PredictOptions())
    assert isinstance(ready, Ready)
    assert ready.said == ()


def test_a_run_whose_data_are_gone_says_that_nothing_is_calibrated(
    finished: Path, tmp_path: Path
) -> None:
    old = tmp_path / "old"
    shutil.copytree(finished, old)
    RunPaths(old).confidence.unlink()
    info = json.loads((old / "run.json").read_text())
    info["data"]["spec"] = "/gone/away"
    (old / "run.json").write_text(json.dumps(info))
    digit().save(tmp_path / "a.png")
    ready, batch = predict_events(old, [str(tmp_path / "a.png")])
    assert isinstance(ready, Ready)
    assert ready.said[0].startswith(
        "confidence is not calibrated: its data cannot be opened again: /gone/away does not exist"
    )
    assert ready.said[1].startswith("no image can be said to be unlike the training data")
    assert ready.confidence.temperature == 1
    assert isinstance(batch, Batch)
    assert isinstance(batch.results[0], Prediction)
    assert not RunPaths(old).confidence.exists()


def test_many_images_come_in_order(finished: Path, tmp_path: Path) -> None:
    digit().save(tmp_path / "a.png")
    words = [str(tmp_path / "a.png"), "gone.png"] * 70
    _, *batches = predict_events(finished, words)
    results = [one for batch in batches if isinstance(batch, Batch) for one in batch.results]
    assert [type(one) for one in results] == [Prediction, BadImage] * 70
