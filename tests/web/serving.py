"""A server in a process of its own, and images to send it."""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
from PIL import Image

COMMAND = (sys.executable, "-c", "from striate.cli.start import run; run()", "serve")
ENV = {**os.environ, "OMP_NUM_THREADS": "1"}


class Server:
    """``striate serve … --port 0 --json``, when it answers."""

    def __init__(self, *arguments: str | Path, cwd: Path) -> None:
        self.process = subprocess.Popen(
            [*COMMAND, *map(str, arguments), "--port", "0", "--json"], cwd=cwd, env=ENV,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.process.communicate()[1]
        self.told = json.loads(line)
        self.port: int = self.told["port"]

    def get(self, path: str, **headers: str) -> tuple[int, bytes]:
        asked = urllib.request.Request(self.told["address"] + path, headers=headers)
        try:
            with urllib.request.urlopen(asked, timeout=30) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def raw(self, sent: bytes) -> bytes:
        """What comes back until the server closes the connection."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as line:
            line.sendall(sent)
            found = b""
            while part := line.recv(65_536):
                found += part
        return found

    def stop(self, how: signal.Signals) -> tuple[int, str]:
        self.process.send_signal(how)
        _, err = self.process.communicate(timeout=30)
        return self.process.returncode, err


def noise(seed: int, side: int = 8) -> bytes:
    """Noise, gray, as PNG."""
    stream = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side), dtype=np.uint8)
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()
