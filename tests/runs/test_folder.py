"""Making, opening and locking a run's folder."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from striate.arch import load_arch, zoo
from striate.errors import OutputError, RunError
from striate.runs import FORMAT, Preprocessing, RunFolder, RunInfo, Target, is_run, versions

PREPROCESSING = Preprocessing(
    image=(3, 32, 32),
    fit="crop",
    mean=(0.1, 0.2, 1 / 3),
    std=(0.5, 0.25, 0.1),
    scale=255.0,
    classes=("cat", "été"),
    decoder="pillow",
)


def begin(folder: RunFolder) -> None:
    folder.begin(
        zoo("resnet20"),
        info=RunInfo(network="resnet20", data={"spec": "digits"}),
        preprocessing=PREPROCESSING,
        recipe="seed = 0\n",
    )


def test_begun_and_opened_again(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "run"
    with RunFolder.create(path) as folder:
        assert not is_run(path)
        begin(folder)
    assert is_run(path)
    with RunFolder.open(path) as folder:
        assert load_arch(folder.paths.arch) == zoo("resnet20")
        assert Preprocessing.from_json(folder.paths.preprocessing.read_text()) == PREPROCESSING
        stored = RunInfo.load(folder.paths.info)
        assert stored.data == {"spec": "digits"}
        assert stored.state == "training"
    assert json.loads((path / "run.json").read_text())["format"] == FORMAT


def test_an_out_that_is_taken(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="is a file, not a folder; choose another --out"):
        RunFolder.create(tmp_path / "file")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thing").write_text("")
    with pytest.raises(OutputError, match="not empty; empty it, or choose another --out"):
        RunFolder.create(tmp_path / "full")
    with RunFolder.create(tmp_path / "run") as folder:
        begin(folder)
    with pytest.raises(OutputError, match=f"continue it with --resume {tmp_path / 'run'}"):
        RunFolder.create(tmp_path / "run")


def test_no_run_there(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="not a run's folder"):
        RunFolder.open(tmp_path / "none")
    with pytest.raises(RunError, match="not a run's folder"):
        RunFolder.open(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_one_process_at_a_time(tmp_path: Path) -> None:
    fcntl = pytest.importorskip("fcntl", reason="needs POSIX locks (not on Windows)")
    assert fcntl
    path = tmp_path / "run"
    with RunFolder.create(path) as folder:
        begin(folder)
        with pytest.raises(RunError, match="this process is writing to this run already"):
            RunFolder.open(path)
    holder = (
        "import fcntl, os, sys; file = open(sys.argv[1], 'r+'); file.truncate()\n"
        "fcntl.lockf(file, fcntl.LOCK_EX); file.write(str(os.getpid())); file.flush()\n"
        "print(flush=True); sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", holder, str(path / ".lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(RunError) as raised:
            RunFolder.open(path)
        other.kill()  # a lock ends with its process, however that ends
    assert str(raised.value) == (
        f"{path}: another process ({other.pid}) is writing to this run; wait for it to end, or "
        "choose another --out"
    )
    RunFolder.open(path).close()


def test_what_a_killed_writer_left_is_swept_up(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path / "run") as folder:
        begin(folder)
        folder.make(folder.paths.checkpoints)
    left = [tmp_path / "run" / ".run.json.7.part", tmp_path / "run" / "checkpoint" / ".x.7.part"]
    for part in left:
        part.write_bytes(b"half")
    RunFolder.open(tmp_path / "run").close()
    assert not any(part.exists() for part in left)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "broken"),
        ("[]", "broken"),
        ('{"format": 1}', "broken"),
        (f'{{"format": {FORMAT + 1}}}', f"format {FORMAT + 1} is newer than this striate's"),
    ],
)
def test_a_broken_or_newer_run_json(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(RunError, match=words):
        RunFolder.open(tmp_path)


def test_an_older_format_is_migrated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from striate.runs import info as module

    RunInfo(network="net", data={}).save(tmp_path / "run.json")
    old = json.loads((tmp_path / "run.json").read_text())
    old["net"] = old.pop("network")
    (tmp_path / "run.json").write_text(json.dumps(old))
    monkeypatch.setattr(module, "FORMAT", FORMAT + 1)

    def migrate(plain: dict[str, object]) -> dict[str, object]:
        return {"network": plain.pop("net"), **plain}

    monkeypatch.setitem(module._MIGRATIONS, FORMAT, migrate)
    assert RunInfo.load(tmp_path / "run.json").network == "net"


def test_versions_name_what_decides_bits() -> None:
    import numpy
    import torch

    found = versions()
    assert found["torch"] == torch.__version__
    assert found["numpy"] == numpy.__version__
    assert set(found) == {"striate", "torch", "numpy", "python", "processor"}


def test_a_target_knows_when_its_source_changes(tmp_path: Path) -> None:
    import importlib.util

    file = tmp_path / "mine.py"

    def module() -> object:
        spec = importlib.util.spec_from_file_location("mine", file)
        assert spec is not None
        assert spec.loader is not None
        loaded = importlib.util.module_from_spec(spec)
        sys.modules["mine"] = loaded
        spec.loader.exec_module(loaded)
        return loaded.Net()

    file.write_text("from torch import nn\nclass Net(nn.Sequential):\n    pass\n")
    before = module()
    target = Target.of("mine.py:Net", before)
    assert Target.from_json(target.to_json()) == target
    assert target.changed(before) is None
    file.write_text("from torch import nn\nclass Net(nn.Sequential):\n    changed = True\n")
    assert target.changed(module()) == (
        "mine.py:Net: its source has changed since the run was started"
    )
    with pytest.raises(RunError, match="not a target document"):
        Target.from_json("{}")


def test_a_broken_preprocessing_document() -> None:
    plain = json.loads(PREPROCESSING.to_json())
    del plain["std"]
    with pytest.raises(RunError, match=r"p\.json: not a preprocessing document \(KeyError: 'std'"):
        Preprocessing.from_json(json.dumps(plain), where="p.json")
