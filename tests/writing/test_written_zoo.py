"""Every network of the zoo, written as source, is that network: keys, operations, logits."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch

from striate.arch import Arch, adapt, zoo, zoo_costs, zoo_names
from striate.building import build
from striate.errors import ArchError
from striate.tracing import trace
from striate.writing import class_name, write_code

HERE = Path(__file__).with_name("isolated.py")
_spec = importlib.util.spec_from_file_location("isolated", HERE)
assert _spec is not None
assert _spec.loader is not None
isolated: Any = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(isolated)


def written(arch: Arch) -> Any:
    """The written class."""
    names: dict[str, Any] = {"__name__": "written"}
    exec(compile(write_code(arch), f"{arch.name}.py", "exec"), names)
    return names[class_name(arch)]


MOST = 30_000_000
"""Parameters, above which an entry's operations are compared here and its logits are not: with all
of them the test would take minutes.  ``python bench/written.py`` compares all logits."""


def operations(module: Any, arch: Arch) -> list[tuple[str, tuple[int, ...], int, int | None]]:
    """Operation, output shape, parameters and MACs of each layer that computes something."""
    found = trace(module, arch.image)
    assert found.complete
    # ours has a dropout of its own, and flattens what is flat already: neither computes
    idle = ("dropout", "flatten")
    return [(x.op, x.shape, x.params, x.macs) for x in found if x.op not in idle]


def large(name: str) -> bool:
    return zoo_costs()[name].params > MOST


def small(name: str) -> Arch:
    """The entry in its form for small images, at the smallest image that it can take."""
    arch = zoo(name)
    arch = arch if arch.image[1] <= 32 else zoo(name, small=True)
    for side in (8, 16):
        with suppress(ArchError):
            return adapt(arch, image=(arch.image[0], side, side), name=arch.name)
    return arch


@pytest.mark.parametrize("name", zoo_names())
def test_the_same_state(name: str) -> None:
    arch = zoo(name)
    with torch.device("meta"):
        own, other = build(arch, device="meta").state_dict(), written(arch)().state_dict()
    assert {k: v.shape for k, v in own.items()} == {k: v.shape for k, v in other.items()}


@pytest.mark.parametrize("name", [name for name in zoo_names() if large(name)])
def test_large_ones_have_the_same_operations(name: str) -> None:
    arch = zoo(name)
    ours, theirs = lambda: build(arch, device="meta"), written(arch)
    assert operations(theirs, arch) == operations(ours, arch)


def test_the_same_logits_where_only_torch_can_be_imported(tmp_path: Path) -> None:
    archs = [small(name) for name in zoo_names() if not large(name)]
    wanted = {arch.name.replace("-", "_"): [class_name(arch), arch.image] for arch in archs}
    (tmp_path / "wanted.json").write_text(json.dumps(wanted))
    for arch in archs:
        (tmp_path / f"{arch.name.replace('-', '_')}.py").write_text(write_code(arch))
    site = str(Path(torch.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-S", "-P", str(HERE), site, str(tmp_path)],
        env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    for arch in archs:
        network = build(arch, device="meta").eval()
        isolated.fill(network)
        with torch.no_grad():
            ours = network(isolated.image(arch.image))
        theirs = torch.load(tmp_path / f"{arch.name.replace('-', '_')}.logits")
        assert torch.equal(ours, theirs), arch.name
        assert torch.isfinite(ours).all(), arch.name
        assert ours.std() > 0, arch.name
