"""Runs ``striate`` in child processes that may be stopped at stated places.

One process imports everything once and forks a child for each command, before any thread exists.
Reads a JSON request a line and answers it with a line {code, out, err}.  A request is {argv, cwd,
env, stop, columns, stdout}.  ``stop``: {"at": place, "signal": number, "step": number}, where the
places are the keys of ``PLACES``; or, from outside, {"once": file, "bytes": number, "seconds":
number, "signal": number}: so long after the file has come to that size, wherever the command is
then.  ``columns``: the width of a terminal to run in, whose text is ``out``; ``stdout``: a file (or
``pipe without a reader``) to write to instead.  Each of the last three may be null.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import struct
import sys
import tempfile
import termios
import time
import traceback
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import PIL.Image
import pyarrow.parquet
import sklearn.datasets  # noqa: F401 # imported here so that no child needs to
import torch._dynamo  # noqa: F401 # optimisers import it

import striate.cli.fitting
import striate.data.opening
import striate.flow.fit
import striate.flow.fit_job
import striate.flow.planning
import striate.flow.trace
import striate.reporting.charts
import striate.runs
import striate.seeing
from striate.cli.main import run
from striate.records import EpochRecord, StepRecord

PIL.Image.init()
job: Any = striate.flow.fit_job


def before(owner: Any, name: str, stop: Callable[[], Any]) -> None:
    """Call ``stop`` whenever ``owner.name`` is about to run."""
    real = getattr(owner, name)

    def stopping(*arguments: Any, **options: Any) -> Any:
        stop()
        return real(*arguments, **options)

    setattr(owner, name, stopping)


def after_training(stop: Callable[[], Any]) -> None:
    """Call ``stop`` when the last step's state is saved and the test images are next."""
    real = job.train

    def train(*arguments: Any, **options: Any) -> Iterator[Any]:
        yield from real(*arguments, **options)
        stop()

    job.train = train


def in_epoch(stop: Callable[[], Any], step: int) -> None:
    """Call ``stop`` when the step has been shown; at step −n, when epoch n has."""
    display: Any = striate.cli.fitting.Display
    real = vars(display)["show"]

    def show(self: Any, event: Any) -> None:
        real.__get__(self, display)(event)
        if isinstance(event, StepRecord) and event.step == step:
            stop()
        if isinstance(event, EpochRecord) and event.epoch == -step:
            stop()

    display.show = show


PLACES: dict[str, Callable[[Callable[[], Any], int], None]] = {
    "reading": lambda stop, _: before(striate.flow.fit, "open_data", stop),
    "probing": lambda stop, _: before(striate.flow.planning, "probe", stop),
    "beginning": lambda stop, _: before(striate.runs.RunInfo, "save", stop),
    "tracing": lambda stop, _: before(striate.flow.trace, "resolve", stop),
    "training": in_epoch,
    "twice": lambda stop, step: in_epoch(lambda: (stop(), time.sleep(0.2), stop()), step),
    "evaluating": lambda stop, _: after_training(stop),
    "reporting": lambda stop, _: before(job, "write_report", stop),
}


def child(request: dict[str, Any], streams: tuple[int, int, int]) -> None:
    """The command, in this process."""
    os.setsid()  # a signal to the group, as a terminal sends Ctrl-C, stays with this command
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    stop = request["stop"]
    if stop is not None and "at" in stop:
        PLACES[stop["at"]](lambda: os.killpg(0, stop["signal"]), stop.get("step", 0))
    sys.argv = ["striate", *request["argv"]]
    run()


def forked(request: dict[str, Any], streams: tuple[int, int, int]) -> int:
    """The number of the child that runs the request."""
    number = os.fork()
    if number:
        return number
    code: Any = 1
    try:
        child(request, streams)
    except SystemExit as end:
        code = end.code
    except BaseException:  # noqa: BLE001 # the test is to see it
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 1)


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Run the request in a child and wait for its end."""
    if request["columns"] is not None:
        return in_terminal(request, request["columns"])
    texts: list[str] = []
    with (
        tempfile.TemporaryFile() as out,
        tempfile.TemporaryFile() as err,
        Path(os.devnull).open("rb") as nothing,
        other(request["stdout"]) as stdout,
    ):
        streams = (nothing.fileno(), (stdout or out).fileno(), err.fileno())
        number = forked(request, streams)
        if request["stop"] is not None and "once" in request["stop"]:
            stop_from_outside(number, request["cwd"], request["stop"])
        code = os.waitstatus_to_exitcode(os.waitpid(number, 0)[1])
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode())
    return {"code": code, "out": texts[0], "err": texts[1]}


def stop_from_outside(number: int, cwd: str, stop: dict[str, Any]) -> None:
    """Wait for the file to grow, and a little longer; the child may end before that."""
    file = Path(cwd, stop["once"])
    while os.waitid(os.P_PID, number, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        if file.exists() and file.stat().st_size >= stop["bytes"]:
            time.sleep(stop["seconds"])
            os.killpg(number, stop["signal"])
            return
        time.sleep(0.001)


@contextmanager
def other(stdout: str | None) -> Generator[IO[bytes] | None]:
    """Where else stdout goes: a file, a pipe that nobody reads, or nowhere else."""
    if stdout is None:
        yield None
    elif stdout == "pipe without a reader":
        reader, writer = os.pipe()
        os.close(reader)
        with os.fdopen(writer, "wb") as file:
            yield file
    else:
        with Path(stdout).open("wb") as file:
            yield file


def in_terminal(request: dict[str, Any], columns: int) -> dict[str, Any]:
    """Run it where stdin, stdout and stderr are one terminal."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    number = forked(request, (theirs, theirs, theirs))
    os.close(theirs)
    shown = b""
    while True:
        try:
            more = os.read(ours, 65536)
        except OSError:  # the last process that held the other end is gone
            break
        if not more:
            break
        shown += more
    os.close(ours)
    code = os.waitstatus_to_exitcode(os.waitpid(number, 0)[1])
    return {"code": code, "out": shown.decode(), "err": ""}


def main() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for line in sys.stdin:
        sys.stdout.write(json.dumps(answer(json.loads(line))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    assert Path(striate.__file__ or "").exists()
    assert pyarrow.parquet
    main()
