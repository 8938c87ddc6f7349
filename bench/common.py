"""What every benchmark states: the machine, the versions and the commit.

Nothing here names a machine or a folder of one: a record says what kind of hardware it was.
"""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from record import RESULTS, Hardware, Record

ROOT = Path(__file__).resolve().parents[1]


def hardware() -> Hardware:
    """The processor, the cores this process may use, the memory, the first GPU."""
    return Hardware(
        cpu=_cpu(),
        cores=len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count() or 1,
        memory_gib=_memory_gib(),
        gpu=_gpu(),
    )


def versions(packages: Iterable[str] = ("torch", "numpy")) -> dict[str, str]:
    """Python's and striate's versions, and those of ``packages`` that are installed."""
    found = {"python": platform.python_version()}
    for package in ("striate", *packages):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def commit() -> tuple[str, bool]:
    """The commit that is checked out, and whether ``src`` or ``bench/*.py`` differ from it."""
    head = _git("rev-parse", "HEAD").strip()
    changed = _git("status", "--porcelain", "--", "src", "bench/*.py", "pyproject.toml")
    return head, bool(changed.strip())


def sources(*folders: str) -> str:
    """A digest of what these folders hold: it changes with a commit or an edit of them alone."""
    held = _git("ls-tree", "-r", "HEAD", "--", *folders) + _git("diff", "HEAD", "--", *folders)
    return hashlib.blake2b(held.encode()).hexdigest()[:16]


def today() -> str:
    """The day, UTC, as ``YYYY-MM-DD``."""
    return datetime.now(UTC).date().isoformat()


def command() -> str:
    """The command line that ran this benchmark, as one would type it in the repository.

    Variables that change what is measured are part of it.
    """
    script = Path(sys.argv[0]).resolve().relative_to(ROOT).as_posix()
    set_ = [f"{name}={os.environ[name]}" for name in ("OMP_NUM_THREADS",) if name in os.environ]
    return " ".join([*set_, "python", script, *sys.argv[1:]])


def write(record: Record, name: str) -> Path:
    """Write ``bench/results/<name>.json`` and return its path."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(record.model_dump_json(indent=1) + "\n", encoding="utf-8")
    print(f"wrote {path.relative_to(ROOT)}; now: python tools/bench_results.py")
    return path


def _git(*arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout


def _cpu() -> str:
    facts = Path("/proc/cpuinfo")
    if facts.is_file():
        for line in facts.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory_gib() -> float:
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return round(pages / 2**30, 1)


def _gpu() -> str | None:
    try:
        import torch
    except ImportError:
        return None
    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else None
