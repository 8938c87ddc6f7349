"""A wrong input ends in one line that names it and its mend, exit code 2, and nothing on disk.

``Ended.error`` (in ``conftest.py``) asserts the exit code, the one line and that no traceback came.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Striate = Callable[..., Any]
FAST = ("--arch", "tiny.toml", "--threads", "1", "--setting", "fp32")


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (["nowhere"], "DATA 'nowhere' is neither built in nor a folder or file here"),
        (["digit"], "did you mean digits"),
        (["--epochs", "0"], "--epochs 0: must be at least 1"),
        (["--epochs", "-3"], "--epochs -3: must be at least 1"),
        (["--epochs", "many"], "--epochs many: must be a whole number; striate fit --help says"),
        (["--minutes", "0"], "--minutes 0: must be a positive number"),
        (["--minutes", "-1"], "--minutes -1: must be a positive number"),
        (["--minutes", "nan"], "--minutes nan: must be a positive number"),
        (["--minutes", "inf"], "--minutes inf: must be a positive number"),
        (["--lr", "nan"], "--lr nan: must be a positive number"),
        (["--batch", "0"], "--batch 0: must be at least 1"),
        (["--threads", "0"], "--threads 0: must be at least 1"),
        (["--workers", "-1"], "--workers -1: must be at least 0"),
        (["--workers", "1000"], "options: workers = 1000 should be less than or equal to 256"),
        (["--seed", "-1"], "--seed -1: must be at least 0"),
        (
            ["--epochs", "2", "--minutes", "1"],
            "--epochs 2 and --minutes 1 both set the length; give one of them",
        ),
        (["--setting", "fp16"], "'fp16' is not one of 'auto', 'fp32'"),
        (["--fit", "squash"], "'squash' is not one of 'crop', 'pad', 'stretch'"),
        (["--device", "cuda:9"], "'cuda:9' is not one of 'auto', 'cpu'"),
        (["--val", "1.5"], "val 1.5 and test 0.2 leave nothing to train on"),
        (["--val", "nan"], "val nan and test 0.2 leave nothing to train on"),
        (["--test", "0"], "leaves no test image"),
        (["--group", "("], "group '(' is no regular expression"),
        (["--image", "3x0x10"], "--image 3x0x10: every number must be at least 1"),
        (["--image", "0x8"], "--image 0x8: every number must be at least 1"),
        (["--image", "8"], "--image 8: not a size; write 3x224x224 or 224x224"),
        (["--image", "2x8x8"], "--image 2x8x8: images have 1 or 3 channels, not 2"),
        (["--image", "99999x99999"], "--image 99999x99999: more than 268,435,456 values"),
        (["--image", "2x2"], "--arch auto: no design suits 1x2x2 images"),
        (["--bogus"], "No such option: --bogus"),
        (["--epoch", "3"], "No such option: --epoch"),
        (["digits", "shapes"], "Got unexpected extra argument"),
        (["--recipe", "none.toml"], "none.toml: cannot be read (No such file or directory)"),
        (["--resume", "nowhere"], "nowhere: not a run's folder (it has no run.json)"),
        (["--out", "tiny.toml"], "tiny.toml: is a file, not a folder; choose another --out"),
        (["--out", "tiny.toml/run"], "tiny.toml is a file, not a folder; choose another --out"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_fit(striate: Striate, options: list[str], error: str) -> None:
    ended = striate("fit", "--json", "--quiet", *options)
    assert error in ended.error
    assert ended.out == ""
    assert ended.left == set()


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["trace"], "Missing argument 'TARGET'"),
        (["trace", "resnt50"], "resnt50: no such network; did you mean resnet50?"),
        (["trace", "none.toml"], "none.toml: no such file"),
        (["trace", "none.py:Net"], "none.py: no such file"),
        (["trace", "tiny.py"], "tiny.py: say which factory of the file, for example tiny.py:Net"),
        (["trace", "no.such.module:Net"], "no module named 'no.such.module' can be found"),
        (["trace", "json:Net"], "json:Net: json has no 'Net'"),
        (["trace", "resnet18", "--image", "3x0x10"], "--image 3x0x10: every number"),
        (["trace", "resnet18", "--image", "1x32x32"], "resnet18 takes images of 3 channels, not 1"),
        (["trace", "vgg16", "--image", "3x8x8"], "vgg16"),
        (["check"], "no TARGET; name one, for example striate check resnet18"),
        (["check", "resnet5O"], "resnet5O: no such network"),
        (["check", "resnet18", "--select", "XY999"], "XY999"),
        (["check", "--explain", "XY999"], "unknown rule 'XY999'; choose from AF701"),
        (["check", "resnet18", "--explain", "FL201"], "leave resnet18 out"),
        (["check", "resnet18", "--fail-on", "never"], "'never' is not one of 'error'"),
        (["zoo", "resnet5O"], "resnet5O"),
        (["zoo", "resnet50", "--schema"], "leave resnet50 out"),
        (["conv", "none.png"], "none.png"),
        (["conv", "tiny.toml"], "tiny.toml"),
        (["conv", "--kernel", "sobel"], "sobel"),
        (["conv", "--kernel", "1 2; 3"], "1 2; 3"),
        (["conv", "--stride", "0"], "stride 0 is too small; use 1 or more"),
        (["conv", "--padding", "-1"], "padding -1"),
        (["conv", "--dilation", "9"], "dilation"),
        (["conv", "--at", "9,9"], "position (9, 9) is outside the 3×3 output"),
        (["conv", "--at", "1"], "--at 1: not a position; write row,column, for example 0,0"),
        (["conv", "--out", "map.jpg"], "--out map.jpg: the feature map is written as PNG"),
        (["scale", "resnet18"], "scale resnet18: give a budget (--to macs=1.2G) or members"),
        (["scale", "torch.nn:Identity", "--phi", "1"], "only an architecture can be scaled"),
        (["scale", "resnet18", "--to", "macs"], "--to macs: write KEY=VALUE, such as macs=1.2G"),
        (["scale", "resnet18", "--to", "macs=1k"], "the smallest that can be built has 116,288"),
        (["scale", "resnet18", "--phi", "1", "--rule", "up"], "--rule up: no such rule"),
        (
            ["scale", "resnet20", "--phi", "1:2", "--rule", "width", "--out", "a.toml"],
            "--out a.toml: one file, and 2 networks; name a folder",
        ),
        (["paint"], "No such command 'paint'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_other_commands(striate: Striate, arguments: list[str], error: str) -> None:
    ended = striate(*arguments)
    assert error in ended.error
    assert ended.out == ""
    assert ended.left == set()


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("widht = 3\n", "net.toml"),
        ('name = "n"\nimage = [1, 8, 8]\nclasses = 10\nwidht = 3\n', "widht"),
        ("name = \n", "net.toml"),
    ],
)
def test_a_toml_that_cannot_be(striate: Striate, tmp_path: Path, text: str, error: str) -> None:
    (tmp_path / "net.toml").write_text(text)
    ended = striate("fit", "--arch", "net.toml")
    assert error in ended.error
    assert ended.left == set()


def test_an_unknown_key_in_a_toml_is_named_with_its_neighbour(
    striate: Striate, tmp_path: Path
) -> None:
    text = (tmp_path / "tiny.toml").read_text().replace("width = 16", "widht = 16")
    (tmp_path / "net.toml").write_text(text)
    error = striate("fit", "--arch", "net.toml").error
    assert error.startswith("net.toml: ")
    assert "widht" in error
    assert "did you mean width?" in error


def test_an_image_too_small_for_the_net_names_the_stage(striate: Striate, tmp_path: Path) -> None:
    text = (tmp_path / "tiny.toml").read_text()
    text = text.replace("width = 8", "width = 8\nkernel = 7\npadding = 0")
    (tmp_path / "net.toml").write_text(text)
    error = striate("trace", "net.toml", "--image", "1x4x4").error
    assert "stem" in error


def test_a_recipe_that_cannot_be(striate: Striate, tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text("learning_rate = 0.1\n")
    ended = striate("fit", "--recipe", "recipe.toml")
    assert ended.error.startswith("recipe.toml: unknown key 'learning_rate'")
    (tmp_path / "recipe.toml").write_text("lr = -1\n")
    assert (
        "recipe.toml: lr = -1 should be greater than 0"
        in striate("fit", "--recipe", "recipe.toml").error
    )


# Data


def test_an_empty_folder(striate: Striate, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    ended = striate("fit", "photos", *FAST)
    assert ended.error == "photos is empty; put a folder of images per class into it"
    assert ended.left == set()


def test_one_class_only(striate: Striate, photos: Path) -> None:
    for path in (photos / "dog").iterdir():
        path.rename(photos / "cat" / path.name)
    (photos / "dog").rmdir()
    ended = striate("fit", "photos", *FAST)
    assert "cat" in ended.error
    assert "class" in ended.error
    assert ended.left == set()


def test_a_class_folder_with_no_images(striate: Striate, photos: Path) -> None:
    (photos / "eel").mkdir()
    ended = striate("fit", "photos", *FAST)
    assert ended.error == "photos/eel holds no images; add some, or remove the folder"
    assert ended.left == set()


def test_an_unreadable_image_is_named_unless_it_is_to_be_skipped(
    striate: Striate, photos: Path
) -> None:
    (photos / "cat" / "00.png").write_bytes(b"not a picture")
    ended = striate("fit", "photos", *FAST)
    assert ended.error.startswith("photos/cat/00.png ")
    assert "--bad-images skip" in ended.error
    assert ended.left == set()
    skipped = striate(
        "fit", "photos", *FAST, "--epochs", "1", "--bad-images", "skip", "--out", "run"
    )
    assert skipped.code == 0, skipped.err
    assert "Bad images skipped: 1 (cat/00.png" in skipped.out


# Where it is written


def test_an_out_that_is_a_run_or_holds_something(striate: Striate, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    ended = striate("fit", *FAST, "--out", "full")
    assert ended.error == "full: exists and is not empty; empty it, or choose another --out"
    assert ended.left == set()
    assert (tmp_path / "full" / "mine.txt").read_text() == "mine"
    assert striate("fit", *FAST, "--epochs", "1", "--out", "run").code == 0
    ended = striate("fit", *FAST, "--out", "run")
    assert ended.error == (
        "run: exists and is not empty; continue it with --resume run, or choose another --out"
    )
    assert ended.left == set()


def test_an_out_that_is_empty_is_taken(striate: Striate, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    assert striate("fit", *FAST, "--epochs", "1", "--out", "run").code == 0


def test_a_feature_map_never_replaces_a_file_that_was_not_named(
    striate: Striate, photos: Path
) -> None:
    kept = photos / "cat" / "00.laplacian.png"
    kept.write_text("mine")
    ended = striate("conv", photos / "cat" / "00.png", "--kernel", "laplacian")
    assert "00.laplacian.png: exists already; name another file with --out" in ended.error
    assert kept.read_text() == "mine"
