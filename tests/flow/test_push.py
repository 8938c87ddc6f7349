"""A run on a stand-in of the hub: what goes, what stays, what the hub may answer, and back."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Generator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from stand_in_hub import Hub, stand_in
from stand_in_push import TOKEN, PushHub, Repo, stand_in_push

import striate
from striate.arch import Arch, Stage, Stem, to_toml
from striate.deploying import load_confidence
from striate.errors import InputError, OutputError
from striate.flow.confidence import confidence_of
from striate.flow.events import FitOptions
from striate.flow.fit import fit
from striate.flow.hub_run import run_folder
from striate.flow.push import PushOptions, push
from striate.flow.weights import load_weights

huggingface_hub = pytest.importorskip("huggingface_hub", reason="needs the extra hub")

# How the library's own client is called is the library's affair.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

USUAL = {
    "README.md", "config.json", "run.json", "arch.toml", "preprocessing.json", "recipe.toml",
    "metrics.jsonl", "confidence.safetensors", "weights.safetensors",
}  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on a folder of photographs with a secret in its path."""
    folder = tmp_path_factory.mktemp("secret-patient")
    random = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (folder / "photos" / name).mkdir(parents=True)
        for index in range(20):
            pixels = random.integers(0, 255, (16, 16, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / "photos" / name / f"{index}.png")
    tiny = Arch(
        name="tiny",
        image=(3, 16, 16),
        classes=2,
        stem=Stem(width=8),
        stages=(Stage(block="basic", depth=1, width=16, stride=2),),
    )
    (folder / "tiny.toml").write_text(to_toml(tiny))
    options = FitOptions(
        arch=str(folder / "tiny.toml"), epochs=1, threads=1, setting="fp32", out=folder / "run"
    )
    fit(str(folder / "photos"), options)
    return folder / "run"


@pytest.fixture
def run(made: Path, tmp_path: Path) -> Path:
    return shutil.copytree(made, tmp_path / "run")


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[PushHub]:
    """A hub that takes pushes with ``TOKEN``; empty caches."""
    monkeypatch.setenv("STRIATE_CACHE", str(tmp_path / "striate"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    for name in ("HF_HUB_OFFLINE", "HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with stand_in_push() as made_up:
        monkeypatch.setenv("HF_ENDPOINT", made_up.url)
        yield made_up


def test_a_run_goes_in_one_commit(run: Path, hub: PushHub) -> None:
    pushed = push(run, "hub:me/photos", PushOptions(message="first"))
    repo = hub.repos["me/photos"]
    assert repo.commits == ["first"]
    assert set(repo.files) == USUAL
    assert repo.files["weights.safetensors"] == (run / "weights.safetensors").read_bytes()
    assert len(repo.files["weights.safetensors"]) > 10_000  # went apart, as large files do
    assert pushed.url == f"{hub.url}/me/photos/commit/1"
    assert dict(pushed.files) == {name: len(content) for name, content in repo.files.items()}
    assert not repo.private


def test_a_new_repository_is_private_where_asked(run: Path, hub: PushHub) -> None:
    assert push(run, "hub:me/photos", PushOptions(private=True)).private
    assert hub.repos["me/photos"].private


def test_nothing_of_the_images_and_no_path_goes(run: Path, hub: PushHub) -> None:
    push(run, "hub:me/photos")
    files = hub.repos["me/photos"].files
    for name, content in files.items():
        assert b"secret-patient" not in content, name
        assert b"data:image" not in content, name
    (run / "kept.safetensors").write_bytes(files["confidence.safetensors"])
    kept = load_confidence(run / "kept.safetensors")
    assert kept.familiar is None
    assert "were not published" in str(kept.why_not)
    assert json.loads(files["run.json"])["data"]["spec"] == "photos"
    assert all(json.loads(line)["kind"] == "epoch" for line in files["metrics.jsonl"].splitlines())


def test_the_report_goes_where_images_may(run: Path, hub: PushHub) -> None:
    push(run, "hub:me/photos", PushOptions(images="embed"))
    assert set(hub.repos["me/photos"].files) == {*USUAL, "report.html"}
    push(run, "hub:me/photos")
    assert set(hub.repos["me/photos"].files) == USUAL  # an earlier push's report is no longer true


def test_what_was_exported_goes_along(run: Path, hub: PushHub) -> None:
    (run / "export").mkdir()
    (run / "export" / "model.onnx").write_bytes(b"onnx")
    (run / "export" / "README.md").write_text("its card")
    push(run, "hub:me/photos")
    files = hub.repos["me/photos"].files
    assert files["onnx/model.onnx"] == b"onnx"
    assert files["onnx/README.md"] == b"its card"
    assert b"`onnx/`" in files["README.md"]
    shutil.rmtree(run / "export")
    pushed = push(run, "hub:me/photos")
    assert pushed.removed == ("onnx/README.md", "onnx/model.onnx")
    assert set(hub.repos["me/photos"].files) == USUAL


def test_the_card_is_one_of_the_hub(run: Path, hub: PushHub) -> None:
    push(run, "hub:me/photos")
    card = huggingface_hub.ModelCard(hub.repos["me/photos"].files["README.md"].decode())
    assert card.data.pipeline_tag == "image-classification"
    assert card.data.model_name == "tiny on photos"
    found = {one.metric_type: one for one in card.data.eval_results}
    result = striate.load(run).result
    assert result is not None
    assert found["accuracy"].metric_value == pytest.approx(result.accuracy, abs=1e-5)
    assert found["accuracy"].dataset_name == "photos"
    assert found["expected_calibration_error"].metric_value == pytest.approx(result.ece, abs=1e-5)
    assert 'striate.load("hub:me/photos")' in card.text
    assert "`cat`, `dog`" in card.text


def test_a_dry_run_asks_the_hub_nothing(run: Path, hub: PushHub) -> None:
    pushed = push(run, "hub:me/photos", PushOptions(dry_run=True))
    assert {name for name, _ in pushed.files} == USUAL
    assert pushed.url is None
    assert hub.asked == []


def test_without_a_token_nothing_is_asked(
    run: Path, hub: PushHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    with pytest.raises(InputError, match="takes nothing without a token; set HF_TOKEN"):
        push(run, "hub:me/photos")
    assert hub.asked == []


@pytest.mark.parametrize(
    ("word", "status", "said"),
    [
        ("/api/models/", 401, "does not accept the token"),
        ("/api/repos/create", 403, "may not write to me"),
        ("/commit/", 403, "may not write to me"),
        ("/commit/", 409, "somebody else is pushing there"),
        ("/commit/", 412, "somebody else pushed meanwhile"),
        ("/api/repos/create", 429, "asks to wait"),
        ("/api/repos/create", 500, "out of order"),
        ("/commit/", 400, "the hub refused"),
        ("/storage/", 403, "may not write to me"),
    ],
)
def test_what_the_hub_answers_is_said_and_no_file_is_there(
    run: Path, hub: PushHub, word: str, status: int, said: str
) -> None:
    hub.answers[word] = status
    with pytest.raises(OutputError, match=f"hub:me/photos: .*{said}.*{status}") as error:
        push(run, "hub:me/photos")
    assert "no file was written" in str(error.value)
    assert "\n" not in str(error.value)
    assert hub.repos.get("me/photos", Repo()).files == {}


def test_a_wrong_token_is_said(run: Path, hub: PushHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_another")
    with pytest.raises(OutputError, match="does not accept the token"):
        push(run, "hub:me/photos")
    assert hub.repos == {}


def test_no_network_is_said(run: Path, hub: PushHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(OutputError, match=r"cannot be reached .* push again when there is a net"):
        push(run, "hub:me/photos")


def test_another_model_is_not_overwritten(run: Path, hub: PushHub) -> None:
    theirs = {"pytorch_model.bin": b"theirs", "README.md": b"", ".gitattributes": b""}
    hub.repos["me/photos"] = Repo(files=dict(theirs))
    with pytest.raises(InputError, match=r"holds something .*\(pytorch_model.bin\)"):
        push(run, "hub:me/photos")
    assert hub.repos["me/photos"].files == theirs


def test_a_public_repository_is_not_taken_for_a_private_one(run: Path, hub: PushHub) -> None:
    hub.repos["me/photos"] = Repo()
    with pytest.raises(InputError, match="exists and is public"):
        push(run, "hub:me/photos", PushOptions(private=True))
    assert hub.repos["me/photos"].files == {}


@pytest.mark.parametrize("to", ["me/photos", "hub:photos", "hub:me/", "hub:a/b/c", "hub:../x"])
def test_a_wrong_name_is_said(made: Path, to: str) -> None:
    with pytest.raises(InputError, match=f"{re.escape(to)}: is no place on the hub"):
        push(made, to)


def test_a_wrong_choice_of_images_is_said(made: Path) -> None:
    with pytest.raises(InputError, match="--images all: no such choice"):
        push(made, "hub:me/photos", PushOptions(images="all"))


def test_a_network_of_ones_own_code_is_not_pushed(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(
        "from torch import nn\n"
        "def net():\n"
        "    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(10))\n"
    )
    options = FitOptions(
        arch=f"{tmp_path / 'net.py'}:net", epochs=1, threads=1, setting="fp32", out=tmp_path / "run"
    )
    fit("digits", options)
    with pytest.raises(InputError, match="a push carries no code: striate export"):
        push(tmp_path / "run", "hub:me/digits", PushOptions(dry_run=True))


@pytest.fixture
def pulled(run: Path, hub: PushHub, monkeypatch: pytest.MonkeyPatch) -> Generator[Hub]:
    """A hub that gives what was pushed."""
    push(run, "hub:me/photos")
    with stand_in() as served:
        for name, content in hub.repos["me/photos"].files.items():
            served.files["me/photos", name] = content
        monkeypatch.setenv("HF_ENDPOINT", served.url)
        yield served


def test_what_was_pushed_comes_back_the_same(run: Path, pulled: Hub) -> None:
    here, there = striate.load(run), striate.load("hub:me/photos")
    images = torch.rand(2, 3, 16, 16)
    assert torch.equal(here.module(images), there.module(images))
    assert there.preprocessing == here.preprocessing
    assert there.arch == here.arch
    there_found = confidence_of(there).confidence
    here_found = confidence_of(here).confidence
    assert there_found.calibration == here_found.calibration
    asked = len(pulled.asked)
    assert run_folder("hub:me/photos") == there.path  # a second time from the cache
    assert len(pulled.asked) == asked


def test_its_weights_begin_another_network(run: Path, pulled: Hub) -> None:
    here = striate.load(run)
    module = striate.build(here.arch)
    load_weights(module, "hub:me/photos")
    for name, tensor in here.module.state_dict().items():
        assert torch.equal(module.state_dict()[name], tensor), name


def test_a_run_that_is_not_there_is_said(pulled: Hub) -> None:
    with pytest.raises(InputError, match=r"^hub:me/dogs: the hub has no such repository"):
        striate.load("hub:me/dogs")
