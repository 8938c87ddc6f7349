"""What a server is told when it starts, and the limits that it keeps."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

MIB = 2**20


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What is asked at most of a server; beyond it the answer is 413, 408 or 429.

    ``upload_bytes``: of one image file.  ``pixels``: of one image, by its header.
    ``document_bytes``: of a JSON request.  ``held_bytes``: of all bodies being read or waiting.
    ``head_seconds``: until a request's headers must have arrived, ``body_seconds``: its body.
    ``requests``: being answered at once.  ``waiting``: images that wait for the network.
    ``batch``: images that it is shown at a time, and ``wait_seconds`` how long it waits for a batch
    to fill.  ``work_seconds``: until an answer is given up.  ``streams``: event streams at once.
    """

    upload_bytes: int = 16 * MIB
    pixels: int = 50_000_000
    document_bytes: int = MIB
    held_bytes: int = 256 * MIB
    head_seconds: float = 10.0
    body_seconds: float = 20.0
    requests: int = 192
    waiting: int = 128
    batch: int = 32
    wait_seconds: float = 0.004
    work_seconds: float = 60.0
    streams: int = 16


@dataclass(frozen=True, kw_only=True)
class ServeOptions:
    """``run``: the finished run that predicts and is looked into.  ``runs``: folders whose runs
    are listed; by default ``runs`` and ``sweeps`` where they are.  ``token``: what every request
    must bring, where there is one.  ``loopback``: only this machine may ask.  ``device``: as in
    ``predict``.
    """

    run: Path | None = None
    runs: tuple[Path, ...] = ()
    token: str | None = None
    loopback: bool = True
    device: str = "auto"
    limits: Limits = field(default_factory=Limits)
