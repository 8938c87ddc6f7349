"""``striate code``: a run's source reads its weights and says what the run says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import striate
from striate.data import open_data
from striate.errors import TargetError
from striate.flow.code import code
from striate.runs import RunPaths

ALONE = """
import sys
sys.path.append(sys.argv[1])
import torch, photos
network = photos.load()
pixels = torch.load("pixels.pt")
print(photos.predict(network, pixels))
torch.save(network(photos.prepare(pixels)), "logits.pt")
assert not [name for name in sys.modules if name.split(".")[0] in ("striate", "safetensors")]
"""


def test_a_run_alone_with_torch(finished: Path, tmp_path: Path) -> None:
    written = code(finished, out=tmp_path / "photos.py")
    assert written.checked[-1] == "logits with the run's weights"
    (tmp_path / "photos.py").write_text(written.text)
    pixels = (open_data("digits").test.pixels(np.arange(5)).astype(np.uint16) * 255 // 16).astype(
        np.uint8
    )
    torch.save(torch.as_tensor(pixels), tmp_path / "pixels.pt")
    done = subprocess.run(
        [sys.executable, "-S", "-c", ALONE, str(Path(torch.__file__).parents[1])],
        cwd=tmp_path,
        env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for index in range(5):
        Image.fromarray(pixels[index, 0]).save(tmp_path / f"{index}.png")
    said = striate.predict(finished, *(tmp_path / f"{i}.png" for i in range(5)))
    found = eval(done.stdout)
    assert [name for name, _ in found] == [one.classes[0] for one in said]
    assert [p for _, p in found] == pytest.approx([one.confidences[0] for one in said], abs=1e-6)
    run = striate.load(finished)
    own = torch.cat([run.preprocessing.read(tmp_path / f"{i}.png") for i in range(5)])
    with torch.no_grad():
        assert torch.equal(run.module(own), torch.load(tmp_path / "logits.pt"))


def test_what_is_source_already_is_said_to_be(tmp_path: Path, finished: Path) -> None:
    (tmp_path / "net.py").write_text("from torch import nn\nnet = nn.Linear(2, 2)\n")
    with pytest.raises(TargetError, match=r"is Python source already; striate code writes"):
        code(f"{tmp_path / 'net.py'}:net")
    old = tmp_path / "old"
    old.mkdir()
    for path in finished.iterdir():
        if path.is_file() and path.name != "arch.toml":
            (old / path.name).write_bytes(path.read_bytes())
    (tmp_path / "net.py").write_text(
        "import sys\nfrom striate import build, load_arch\n".replace(", load_arch", "")
        + "from pathlib import Path\nfrom striate.arch import load_arch\n"
        f"def net():\n    return build(load_arch(Path({str(finished / 'arch.toml')!r})))\n"
    )
    target = {"target": f"{tmp_path / 'net.py'}:net", "source": "", "versions": {}}
    RunPaths(old).target.write_text(json.dumps(target))
    with pytest.raises(TargetError, match=r"its network is .*net.py:net, which is Python source"):
        code(old)
