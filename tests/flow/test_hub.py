"""Weights from a stand-in of the hub: verified, cached, kept to, and said when they cannot be."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
import torch
from stand_in_hub import COMMIT, Hub, stand_in

from striate.arch import zoo
from striate.building import build
from striate.errors import ArchError, InputError
from striate.flow.hub import fetch
from striate.flow.hub_table import HOSTED, Hosted
from striate.flow.weights import load_weights
from striate.flow.weights_given import hub_weights
from striate.runs.weights import pack

huggingface_hub = pytest.importorskip("huggingface_hub", reason="needs the extra hub")

REPO = "timm/resnet20.made_up"
FILE = "model.safetensors"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Hub]:
    """A hub with made-up weights of resnet20, which the table knows; empty caches."""
    monkeypatch.setenv("STRIATE_CACHE", str(tmp_path / "striate"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    for name in ("HF_HUB_OFFLINE", "HF_TOKEN", "HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    entry = Hosted(
        repo=REPO, side=32, licence="mit", mean=(0.1, 0.2, 0.3), std=(0.4, 0.5, 0.6), classes=10
    )
    monkeypatch.setitem(HOSTED, "resnet20", entry)
    with stand_in() as made:
        monkeypatch.setenv("HF_ENDPOINT", made.url)
        made.files[REPO, FILE] = pack(build(zoo("resnet20"), seed=9).state_dict())
        yield made


@pytest.fixture
def unplug(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From now on nothing answers."""
    return lambda: monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_a_file_is_fetched_verified_and_locked(hub: Hub, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    fetched = fetch(REPO, FILE, progress=lambda done, total: seen.append((done, total)))
    data = hub.files[REPO, FILE]
    assert fetched.path.read_bytes() == data
    assert fetched.path.is_relative_to(tmp_path / "hub")
    assert (fetched.revision, fetched.sha256, fetched.offline) == (COMMIT, sha256(data), False)
    assert seen[-1] == (len(data), len(data))
    lock = json.loads(
        (tmp_path / "striate/hub/timm--resnet20.made_up--model.safetensors.lock.json").read_text()
    )
    assert lock == {"repo": REPO, "file": FILE, "revision": COMMIT, "sha256": sha256(data)}


def test_a_second_fetch_asks_nobody(hub: Hub) -> None:
    first = fetch(REPO, FILE)
    asked = len(hub.asked)
    assert fetch(REPO, FILE) == first
    assert len(hub.asked) == asked


def test_without_the_cache_the_locked_commit_is_asked_for(hub: Hub, tmp_path: Path) -> None:
    fetch(REPO, FILE)
    (tmp_path / "hub").rename(tmp_path / "lost")
    hub.asked.clear()
    fetch(REPO, FILE)
    assert ("HEAD", f"/{REPO}/resolve/{COMMIT}/{FILE}") in hub.asked
    assert not any("/main/" in path for _, path in hub.asked)


def test_other_bytes_than_the_hub_states(hub: Hub) -> None:
    hub.lies = "f" * 64
    with pytest.raises(InputError) as error:
        fetch(REPO, FILE)
    found = sha256(hub.files[REPO, FILE])
    assert re.search(
        rf"is not the file it should be: its SHA-256 is {found}, and the hub states f{{64}}; "
        r"delete \S+ and fetch it again$",
        str(error.value),
    )


def test_other_bytes_than_were_locked(hub: Hub, tmp_path: Path) -> None:
    first = fetch(REPO, FILE)
    (tmp_path / "hub").rename(tmp_path / "lost")
    hub.files[REPO, FILE] = other = pack(build(zoo("resnet20"), seed=10).state_dict())
    with pytest.raises(InputError) as error:
        fetch(REPO, FILE)
    assert f"its SHA-256 is {sha256(other)}, and " in str(error.value)
    assert f"lock.json has {first.sha256}" in str(error.value)


def test_a_cached_file_that_was_changed(hub: Hub) -> None:
    path = fetch(REPO, FILE).path
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.resolve().write_bytes(bytes(data))
    with pytest.raises(InputError, match=f"SHA-256 is {sha256(bytes(data))}"):
        fetch(REPO, FILE)


def test_offline_and_cached(hub: Hub, unplug: Callable[[], None]) -> None:
    first = fetch(REPO, FILE)
    unplug()
    assert fetch(REPO, FILE) == first


def test_offline_and_cached_by_another_library(
    hub: Hub, unplug: Callable[[], None], tmp_path: Path
) -> None:
    # As timm does it.
    path = huggingface_hub.hf_hub_download(
        REPO, FILE, endpoint=hub.url, cache_dir=str(tmp_path / "hub")
    )
    unplug()
    found = fetch(REPO, FILE)
    assert (found.path, found.revision) == (Path(path), COMMIT)
    assert found.sha256 == sha256(hub.files[REPO, FILE])
    assert found.offline
    assert "the hub could not be asked; the file was in its cache" in hub_weights("resnet20").said


def test_offline_and_not_cached(hub: Hub, unplug: Callable[[], None]) -> None:
    unplug()
    with pytest.raises(InputError) as error:
        fetch(REPO, FILE)
    assert re.fullmatch(
        r"--pretrained: the hub cannot be reached \(\w+: .+\), and timm/resnet20\.made_up is not "
        r"in the cache; where there is a network fetch https://huggingface\.co/timm/resnet20\.made_up/"
        r"resolve/main/model\.safetensors and give the file by --weights FILE",
        str(error.value),
    )


def test_a_repository_and_a_file_that_are_not_there(hub: Hub) -> None:
    with pytest.raises(InputError, match=r"no such repository, or shows it to nobody .* timm/none"):
        fetch("timm/none", FILE)
    with pytest.raises(InputError, match=r"timm/resnet20\.made_up has no other; give a file by"):
        fetch(REPO, "other")


def test_a_lock_that_cannot_be_read(hub: Hub, tmp_path: Path) -> None:
    fetch(REPO, FILE)
    (lock,) = (tmp_path / "striate/hub").iterdir()
    for text in ("{", "[]", '{"repo": "a"}'):
        lock.write_text(text)
        with pytest.raises(InputError, match=r"lock\.json: cannot be read as the lock of timm/res"):
            fetch(REPO, FILE)


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(InputError, match=r"run pip install 'striate\[hub\]', or fetch https"):
        fetch(REPO, FILE)


def test_the_hubs_weights_are_in_the_network(hub: Hub) -> None:
    network = build(zoo("resnet20"), seed=1)
    loaded = load_weights(network, pretrained=True)
    expected = build(zoo("resnet20"), seed=9).state_dict()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in network.state_dict().items())
    assert loaded.source == f"{REPO} at 0123456789ab, licence mit"
    assert (loaded.mean, loaded.std) == ((0.1, 0.2, 0.3), (0.4, 0.5, 0.6))  # the table's
    assert loaded.said[-1] == (
        "images are normalised by mean 0.100 0.200 0.300 and deviation 0.400 0.500 0.600, as the "
        f"weights expect: {REPO} was trained so"
    )


def test_what_the_repository_states_goes_before_the_table(hub: Hub) -> None:
    config = {"pretrained_cfg": {"mean": [0.5] * 3, "std": [0.25] * 3, "input_size": [3, 48, 48]}}
    hub.files[REPO, "config.json"] = json.dumps(config).encode()
    given = hub_weights("resnet20-small")
    assert given.normalise == ((0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
    assert given.side == (48, 48)
    assert given.facts["revision"] == COMMIT


def test_networks_without_weights_on_the_hub(hub: Hub) -> None:
    with pytest.raises(ArchError, match="the hub has no weights for resnet56, only for the 40 net"):
        hub_weights("resnet56")
    with pytest.raises(InputError, match="Linear is no network of the zoo; give a file"):
        load_weights(torch.nn.Linear(2, 2), pretrained=True)
