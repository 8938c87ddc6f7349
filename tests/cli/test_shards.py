"""``striate data --shards`` and what is trained on them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from striate.cli.main import outcome

pytest.importorskip("litdata")


def test_a_network_trained_on_shards_is_the_one_trained_on_the_data(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert outcome(["data", "digits", "--shards", "there", "--shard-size", "8kB", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    facts = said["shards"]
    assert said["striate"] == 1
    assert facts["holds"] == "pixels"
    assert sum(facts["images"].values()) == 1797
    assert facts["shards"]["train"] > 5
    assert facts["bytes"] == sum(path.stat().st_size for path in Path("there").rglob("*.bin"))
    weights: list[bytes] = []
    common = ["--epochs", "1", "--setting", "fp32", "--threads", "1", "--quiet"]
    for number, data in enumerate(("digits", f"local:{tmp_path}/there")):
        assert outcome(["fit", data, *common, "--out", f"run{number}"]) == 0
        weights.append(Path(f"run{number}", "weights.safetensors").read_bytes())
    assert weights[1] == weights[0]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["digits", "--holds", "pixels"], "--holds pixels is about shards; add --shards DIR"),
        (["digits", "--shard-size", "1MB"], "--shard-size 1MB is about shards; add --shards DIR"),
        (
            ["digits", "--shards", "x", "--exact"],
            "--shards writes and does not describe; leave out --exact",
        ),
        (
            ["digits", "--shards", "x", "--shard-size", "much"],
            "--shard-size much: not a size; write 16GiB, 24GB or 512MiB",
        ),
        (["digits", "--shards", "full"], "full: holds something already; name a new folder"),
        (["digits", "--shards", "x", "--holds", "bytes"], "digits came as arrays, which have no"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(
    arguments: list[str],
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("full").mkdir()
    Path("full", "x").touch()
    assert outcome(["data", *arguments]) == 2
    error = capsys.readouterr().err
    assert said in " ".join(error.split())
    assert [path.name for path in tmp_path.iterdir()] == ["full"]


def test_shards_are_not_described(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert outcome(["data", "digits", "--shards", "there", "-q"]) == 0
    assert outcome(["data", "there"]) == 2
    assert "describe the data they were written from" in " ".join(capsys.readouterr().err.split())
