"""A PostgreSQL server for the length of the tests: on loopback, in a folder that is thrown away."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

USER = "postgres"
NEEDS = "needs PostgreSQL: apt-get install postgresql"


def programs() -> Path:
    """The folder of ``initdb`` and ``pg_ctl``; skips by name where there is none."""
    on_path = shutil.which("pg_ctl")
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))
    if on_path is None and not found:
        pytest.skip(NEEDS)
    return Path(on_path).resolve().parent if on_path else found[-1].parent


def as_server(*command: str | Path) -> list[str]:
    """``command`` as the user that PostgreSQL may run as: it refuses root."""
    words = [str(word) for word in command]
    if os.name != "nt" and os.geteuid() == 0:
        if shutil.which("runuser") is None:
            pytest.skip("needs runuser, since PostgreSQL refuses to run as root")
        return ["runuser", "-u", USER, "--", *words]
    return words


def served() -> Iterator[str]:
    """The address of a database on a server of its own, which ends with the tests."""
    tools = programs()
    as_server("true")
    # Not one of pytest's folders, which it closes to other users.
    with tempfile.TemporaryDirectory(prefix="striate-postgresql-") as made:
        folder = Path(made)
        if os.name != "nt" and os.geteuid() == 0:
            shutil.chown(folder, USER)
        yield from _served(tools, folder)


def _served(tools: Path, folder: Path) -> Iterator[str]:
    data, log = folder / "data", folder / "log"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    _run(tools / "initdb", "-D", data, "-U", "striate", "-A", "trust", "--no-sync")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off"
    _run(tools / "pg_ctl", "-D", data, "-l", log, "-o", options, "-w", "-t", "60", "start")
    try:
        yield f"postgresql://striate@127.0.0.1:{port}/postgres"
    finally:
        _run(tools / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")


def _run(*command: str | Path) -> None:
    ended = subprocess.run(
        as_server(*command),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if Path(command[0]).name == "initdb" else subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
        text=True,
        cwd="/",
        check=False,
    )
    assert ended.returncode == 0, f"{command}: {ended.stdout}"
