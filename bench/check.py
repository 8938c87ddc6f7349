"""``striate check`` on a project with twenty targets: the first time, and once it is remembered.

    python bench/check.py

Fifteen networks of one package, written for the purpose (each a residual network of its own depth
and width), three designs in TOML and two names of the zoo.  Each run is a process of its own, as a
hook or CI would start it; the seconds are from its start to its end, and those that a core worked
for it, which say what it takes where other work runs beside it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage

from common import command, commit, hardware, today, versions, write
from record import Cell, Claim, Column, Record
from striate.arch import adapt, to_toml, zoo

RUNS = 5
NETWORKS = 15
BLOCKS = """\
from torch import nn


class Block(nn.Module):
    def __init__(self, given, width, stride):
        super().__init__()
        self.branch = nn.Sequential(
            nn.Conv2d(given, width, 3, stride, 1), nn.BatchNorm2d(width), nn.ReLU(),
            nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width),
        )
        same = stride == 1 and given == width
        self.skip = nn.Identity() if same else nn.Conv2d(given, width, 1, stride)

    def forward(self, x):
        return (self.branch(x) + self.skip(x)).relu()
"""
NETS = """\
from torch import nn

from nets.blocks import Block
"""
NET = """

class Net{number}(nn.Sequential):
    def __init__(self):
        layers = [nn.Conv2d(3, {width}, 3, padding=1), nn.BatchNorm2d({width}), nn.ReLU()]
        width = {width}
        for stage in range(3):
            for block in range({depth}):
                out = {width} * 2 ** stage
                layers.append(Block(width, out, 2 if stage and not block else 1))
                width = out
        super().__init__(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 10))
"""


def project(folder: Path) -> list[str]:
    """Write the project; gives its targets."""
    (folder / "nets").mkdir()
    (folder / "nets" / "__init__.py").touch()
    (folder / "nets" / "blocks.py").write_text(BLOCKS)
    nets = [
        NET.format(number=number, width=8 * (1 + number % 3), depth=1 + number // 3)
        for number in range(NETWORKS)
    ]
    (folder / "nets" / "all.py").write_text(NETS + "".join(nets))
    targets = [f"nets.all:Net{number}" for number in range(NETWORKS)]
    for name in ("resnet18", "resnet34", "vgg16"):
        (folder / f"{name}.toml").write_text(to_toml(adapt(zoo(name), image=(3, 64, 64))))
        targets.append(f"{name}.toml")
    targets += ["resnet20", "resnet56"]
    listed = json.dumps(targets)
    (folder / "pyproject.toml").write_text(
        f'[tool.striate]\ntargets = {listed}\nimage = "3x64x64"\n'
    )
    return targets


def seconds(folder: Path, cache: Path) -> tuple[float, float, int]:
    """How long one ``striate check`` takes, its processor's seconds, how many findings it has."""
    program = str(Path(sys.executable).with_name("striate"))
    began, before = time.perf_counter(), getrusage(RUSAGE_CHILDREN)
    done = subprocess.run(
        [program, "check", "--json", "--fail-on", "error"],
        cwd=folder,
        env={**os.environ, "STRIATE_CACHE": str(cache)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=True,
    )
    taken, after = time.perf_counter() - began, getrusage(RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    targets = json.loads(done.stdout)["targets"]
    assert all(target["error"] is None for target in targets)
    return taken, cpu, sum(len(target["findings"]) for target in targets)


def bare_import(folder: Path) -> float:
    """What importing torch and the user's package takes alone."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import nets.all"], cwd=folder, check=True)
    return time.perf_counter() - began


def main() -> None:
    head, changed = commit()
    rows: list[dict[str, Cell]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "project"
        folder.mkdir()
        targets = project(folder)
        bare_import(folder)  # bytecode and the disk's cache, as after an installation
        for run in range(RUNS):
            cache = Path(name) / f"cache{run}"
            alone = bare_import(folder)
            cold, cold_cpu, found = seconds(folder, cache)
            cached, cached_cpu, again = seconds(folder, cache)
            assert found == again
            rows.append(
                {
                    "run": run + 1,
                    "load": round(os.getloadavg()[0], 1),
                    "targets": len(targets),
                    "findings": found,
                    "import": round(alone, 3),
                    "cold": round(cold, 3),
                    "cold_cpu": round(cold_cpu, 3),
                    "cached": round(cached, 3),
                    "cached_cpu": round(cached_cpu, 3),
                    "ratio": round(cold / cached, 1),
                }
            )
            print(f"run {run + 1}: cold {cold:.2f} s, cached {cached:.2f} s", file=sys.stderr)
    write(
        Record(
            title="The linter on a project with twenty targets",
            what=(
                "Seconds of `striate check` from start to end, with nothing remembered and with "
                "everything remembered, beside those of importing PyTorch and the project alone; "
                "and the seconds that a core worked for it, which other work beside it (the load "
                "average) changes little."
            ),
            command=command(),
            commit=head,
            changed=changed,
            date=today(),
            hardware=hardware(),
            versions=versions(("torch",)),
            seeds=(),
            columns=(
                Column(key="run", title="run", shown="d"),
                Column(key="load", title="load average", shown=".1f"),
                Column(key="targets", title="targets", shown="d"),
                Column(key="findings", title="findings", shown="d"),
                Column(key="import", title="import alone", unit="s", shown=".2f"),
                Column(key="cold", title="cold", unit="s", shown=".2f"),
                Column(key="cold_cpu", title="of a core", unit="s", shown=".2f"),
                Column(key="cached", title="cached", unit="s", shown=".2f"),
                Column(key="cached_cpu", title="of a core", unit="s", shown=".2f"),
                Column(key="ratio", title="cold / cached", shown=".1f"),
            ),
            rows=tuple(rows),
            averaged=("import", "cold", "cold_cpu", "cached", "cached_cpu", "ratio"),
            claims=(
                Claim(text="under 10 s of a core cold", column="cold_cpu", at_most=10),
                Claim(text="under 1 s of a core remembered", column="cached_cpu", at_most=1),
            ),
        ),
        "check",
    )


if __name__ == "__main__":
    main()
