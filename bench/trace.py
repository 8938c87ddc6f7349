# ruff: noqa: A005  # named for the command; nothing here needs the module of the same name
"""``striate.trace`` beside the tools people use: time, peak memory and total MACs.

    python3 -m venv peers
    peers/bin/pip install -r bench/requirements-trace.txt
    peers/bin/pip install --no-deps timm==1.0.31 torchvision==0.29.2
    peers/bin/pip install --editable .
    peers/bin/python bench/trace.py

Every tool and model has a process of its own, several times over, one process at a time (see
``trace_tools.py`` for how each tool is used).  ``--quick`` does three models once and writes
nothing; ``--models a,b``, ``--tools`` and ``--runs`` choose.  What is done is kept in
``build/bench``: a run that was killed goes on where it was, as long as nothing it measures changed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from common import ROOT, command, commit, hardware, sources, today, versions, write
from trace_table import PEERS, as_record, as_text
from trace_tools import MOST_SECONDS, TOOLS

MODELS = {
    "resnet18": (3, 224, 224),
    "resnet50": (3, 224, 224),
    "resnext50_32x4d": (3, 224, 224),
    "res2net50_26w_4s": (3, 224, 224),
    "densenet121": (3, 224, 224),
    "vgg16": (3, 224, 224),
    "inception_v3": (3, 299, 299),
    "mobilenetv2_100": (3, 224, 224),
    "mobilenetv3_large_100": (3, 224, 224),
    "efficientnet_b0": (3, 224, 224),
    "efficientnet_b7": (3, 600, 600),
    "regnety_032": (3, 224, 224),
    "dm_nfnet_f0": (3, 256, 256),
    "hrnet_w18": (3, 224, 224),
    "convnext_tiny": (3, 224, 224),
    "convnext_large": (3, 224, 224),
    "vit_small_patch16_224": (3, 224, 224),
    "vit_large_patch16_224": (3, 224, 224),
    "deit3_small_patch16_224": (3, 224, 224),
    "cait_s24_224": (3, 224, 224),
    "mixer_b16_224": (3, 224, 224),
    "swin_tiny_patch4_window7_224": (3, 224, 224),
    "maxvit_tiny_tf_224": (3, 224, 224),
    "coatnet_0_rw_224": (3, 224, 224),
}
MEASURED = ("src/striate/tracing", "src/striate/records")
QUICK = ("resnet18", "convnext_tiny", "swin_tiny_patch4_window7_224")
PATIENCE = {"torchlens": 5.0}
"""A tool that takes longer than this many seconds over a model is not asked again."""

Cells = dict[str, list[dict[str, Any]]]
"""By ``tool model``, what each of its processes gave."""


class Kept:
    """What is done, on disk, a line a process; forgotten once something measured has changed."""

    def __init__(self, path: Path, head: dict[str, Any]) -> None:
        self.path, self.cells = path, dict[str, list[dict[str, Any]]]()
        lines = path.read_text("utf-8").splitlines() if path.exists() else []
        if lines and json.loads(lines[0]) == head:
            for line in lines[1:]:
                cell = json.loads(line)
                self.cells.setdefault(cell["of"], []).append(cell)
            print(f"going on after {len(lines) - 1} that are done", file=sys.stderr)
        else:
            if lines:
                print("beginning anew: what is measured has changed", file=sys.stderr)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(head) + "\n", "utf-8")

    def add(self, of: str, cell: dict[str, Any]) -> None:
        """One more."""
        cell = {"of": of, **cell}
        self.cells.setdefault(of, []).append(cell)
        with self.path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(cell) + "\n")


class Server:
    """A process that has imported one tool, and forks one that uses it for each model asked."""

    def __init__(self, tool: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(ROOT / "bench" / "trace_tools.py"), tool],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.broken = "" if self._line() else self._last_word()

    def ask(self, model: str) -> dict[str, Any]:
        """What the tool does with one model."""
        if self.broken:
            return {"error": self.broken}
        assert self._process.stdin is not None
        print(model, *MODELS[model], file=self._process.stdin, flush=True)
        answer = self._line()
        return json.loads(answer) if answer else {"error": self._last_word()}

    def close(self) -> None:
        """End it."""
        self._process.communicate()

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()

    def _last_word(self) -> str:
        lines = self._process.communicate()[1].strip().splitlines()
        return lines[-1][:200] if lines else "ended without a word"


def measure(kept: Kept, models: list[str], tools: list[str], runs: int) -> None:
    """Every tool and model ``runs`` times, in rounds, so that what the machine does meets all."""
    servers = {tool: Server(tool) for tool in tools if _left(kept, models, [tool], runs)}
    try:
        for server in servers.values():
            server.ask(models[0])  # once for nothing: files are read for the first time
        for number in range(1, runs + 1):
            for model in models:
                for tool, server in servers.items():
                    of = f"{tool} {model}"
                    if number not in _left(kept, [model], [tool], runs):
                        continue
                    cell = server.ask(model)
                    kept.add(of, cell)
                    took = f"{cell['seconds']:.2f} s" if "seconds" in cell else cell["error"]
                    print(f"round {number}: {model}: {tool}: {took}", file=sys.stderr, flush=True)
    finally:
        for server in servers.values():
            server.close()


def _left(kept: Kept, models: list[str], tools: list[str], runs: int) -> list[int]:
    """The rounds that are still to be done for any of these."""
    left: set[int] = set()
    for tool in tools:
        for model in models:
            done = kept.cells.get(f"{tool} {model}", [])
            most = PATIENCE.get(tool, MOST_SECONDS)
            if not any(cell.get("seconds", most) >= most for cell in done):
                left.update(range(len(done) + 1, runs + 1))
    return sorted(left)


def main() -> None:
    options = argparse.ArgumentParser(description="striate.trace beside the tools people use")
    options.add_argument("--models", default="", help="of those of the table, with commas")
    options.add_argument("--tools", default="", help="of those of trace_tools.py, with commas")
    options.add_argument("--runs", type=int, default=3, help="processes for each tool and model")
    options.add_argument("--quick", action="store_true", help="three models, once, not written")
    options.add_argument("--fresh", action="store_true", help="forget what is done already")
    asked = options.parse_args()
    quick = QUICK if asked.quick else tuple(MODELS)
    models = asked.models.split(",") if asked.models else list(quick)
    tools = asked.tools.split(",") if asked.tools else list(TOOLS)
    for name, known in [*((m, MODELS) for m in models), *((t, TOOLS) for t in tools)]:
        if name not in known:
            options.error(f"{name} is none of {', '.join(known)}")
    head, changed = commit()
    packages = [tool.package for tool in TOOLS.values()]
    used = versions((*dict.fromkeys(packages), "timm", "torchvision"))
    path = ROOT / "build" / "bench" / "trace.jsonl"
    if asked.fresh:
        path.unlink(missing_ok=True)
    kept = Kept(path, {"src": sources(*MEASURED), "versions": used})
    measure(kept, models, tools, 1 if asked.quick else asked.runs)
    cells = {key: kept.cells[key] for key in kept.cells if key.split()[1] in models}
    print(as_text(cells, models))
    if set(models) == set(MODELS) and {*PEERS, "bare", "striate", "analysis"} <= set(tools):
        sizes = {model: MODELS[model] for model in models}
        record = as_record(
            cells, sizes, command=command(), commit=head, changed=changed, date=today(),
            hardware=hardware(), versions=used,
        )  # fmt: skip
        write(record, "trace")


if __name__ == "__main__":
    main()
