"""How much memory and disk there is, from files as Linux writes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from striate.data.room import available_memory, disk_room, ram_room

MEMINFO = "MemTotal:       8000000 kB\nMemFree: 100 kB\nMemAvailable:    4000000 kB\n"


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def group(most: str, used: int, cache: int = 0) -> dict[str, str]:
    return {"memory.max": most + "\n", "memory.current": f"{used}\n",
            "memory.stat": f"anon 7\ninactive_file {cache}\nactive_file 9\n"}  # fmt: skip


def under(folder: str, files: dict[str, str]) -> dict[str, str]:
    return {f"{folder}/{name}": text for name, text in files.items()}


@pytest.mark.parametrize(
    ("own", "outer", "expected"),
    [
        (("max", 5), ("max", 5), 4_096_000_000),
        (("1000", 400), ("max", 5), 600),
        (("1000", 400, 250), ("max", 5), 850),
        (("max", 400), ("900", 500), 400),
        (("1000", 1200), ("max", 5), 0),
    ],
)
def test_a_containers_limit_counts(
    tmp_path: Path, own: tuple[str, int], outer: tuple[str, int], expected: int
) -> None:
    root = write(
        tmp_path,
        {"proc/meminfo": MEMINFO, "proc/self/cgroup": "0::/a/b\n"}
        | under("sys/fs/cgroup/a/b", group(*own))
        | under("sys/fs/cgroup/a", group(*outer)),
    )
    assert available_memory(root) == expected


def test_the_older_groups_count(tmp_path: Path) -> None:
    files = {"memory.limit_in_bytes": "5000", "memory.usage_in_bytes": "3000",
             "memory.stat": "total_inactive_file 200\n"}  # fmt: skip
    root = write(tmp_path, {"proc/meminfo": MEMINFO} | under("sys/fs/cgroup/memory", files))
    assert available_memory(root) == 2200
    write(tmp_path, {"sys/fs/cgroup/memory/memory.limit_in_bytes": str(2**63 - 4096)})
    assert available_memory(root) == 4_096_000_000


def test_a_system_that_says_nothing(tmp_path: Path) -> None:
    assert available_memory(tmp_path) > 1 << 28


def test_shares(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("striate.data.room.available_memory", lambda: 4001)
    assert ram_room() == 1000
    assert disk_room(tmp_path / "not" / "made" / "yet") > 0
