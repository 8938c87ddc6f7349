"""The worker processes of one command: started, watched, started anew, asked to stop."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from striate.errors import InputError, Interrupted, StorageError
from striate.flow.sweep_jobs import STORAGE
from striate.flow.sweep_study import Study

STOP_SECONDS = 60.0
"""How long workers may take to end their step and save, when they are asked to stop."""

MOST_IDLE_DEATHS = 3
"""How many workers may die in a row that had taken nothing: the fault is not in a training."""


class Workers:
    """``count`` processes that work by the orders in one file."""

    def __init__(self, count: int, orders: Path, study: Study) -> None:
        self._orders, self._study = orders, study
        self._log = orders.with_suffix(".log")
        self._running: dict[subprocess.Popen[bytes], int] = {}
        self._idle_deaths = 0
        for _ in range(count):
            self._start()

    def _start(self) -> None:
        environment = {**os.environ, STORAGE: self._study.url}
        # Sessions of their own: Ctrl-C in the terminal reaches this process, which passes it on.
        with self._log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "striate.flow.sweep_worker", str(self._orders)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,
            )
        self._running[process] = process.pid

    @property
    def pids(self) -> tuple[int, ...]:
        """Of the processes that run."""
        return tuple(self._running.values())

    def look(self) -> tuple[str, ...]:
        """Take note of those that ended, and start others for those that died; a line for each.

        InputError where they die before they have taken anything, with their last word.
        """
        said: list[str] = []
        for process in list(self._running):
            code = process.poll()
            if code is None:
                continue
            pid = self._running.pop(process)
            if code == 0:
                continue
            if code == StorageError.exit_code:
                raise StorageError(self._last_word())
            held = self._held_by(pid)
            self._idle_deaths = 0 if held else self._idle_deaths + 1
            if self._idle_deaths >= MOST_IDLE_DEATHS:
                raise InputError(f"workers end before they begin: {self._last_word()}")
            how = f"signal {-code}" if code < 0 else f"code {code}: {self._last_word()}"
            said.append(f"a worker died ({how}); another takes up what it had")
            self._start()
        return tuple(said)

    def _held_by(self, pid: int) -> bool:
        """Whether the dead worker had a training; it is given back at once."""
        held = False
        for entry in self._study.entries():
            worker = entry.worker
            mine = worker.get("machine") == self._study.me["machine"] and worker.get("pid") == pid
            if mine and entry.state == "running":
                self._study.release(str(worker["id"]))
            held = held or mine
        return held

    def _last_word(self) -> str:
        lines = self._log.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else f"see {self._log}"

    def stop(self) -> None:
        """Ask all to save and end; end those that do not."""
        for process in self._running:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
        deadline = time.monotonic() + STOP_SECONDS
        for process, pid in list(self._running.items()):
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.returncode not in (0, Interrupted.exit_code):
                self._held_by(pid)
            del self._running[process]

    def clean(self) -> None:
        """Take the orders away, and the log where nothing is in it."""
        self._orders.unlink(missing_ok=True)
        if self._log.exists() and self._log.stat().st_size == 0:
            self._log.unlink()
