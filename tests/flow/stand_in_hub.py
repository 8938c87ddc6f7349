"""The part of the hub's HTTP interface that fetching a file needs, on loopback.

As the hub does, a large file is answered with a redirect to its storage, which is another host, and
its SHA-256, its size and the commit stand in the headers; a small one comes at once.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LARGE = 10_000  # bytes from which a file is stored apart


@dataclass
class Hub:
    """``files``: by (repo, name).  ``lies``: a digest that is stated instead of the true one.
    ``asked``: (method, path) of every request.
    """

    url: str
    files: dict[tuple[str, str], bytes] = field(default_factory=dict)
    lies: str | None = None
    commit: str = COMMIT
    asked: list[tuple[str, str]] = field(default_factory=list)

    def stored(self, digest: str) -> bytes:
        return next(d for d in self.files.values() if hashlib.sha256(d).hexdigest() == digest)


@contextmanager
def stand_in() -> Generator[Hub]:
    """A hub that serves ``files`` until the end of ``with``."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base's name
            pass

        def do_HEAD(self) -> None:
            self.answer(body=False)

        def do_GET(self) -> None:
            self.answer(body=True)

        def answer(self, *, body: bool) -> None:
            hub.asked.append((self.command, self.path))
            parts = self.path.strip("/").split("/")
            if parts[0] == "storage":
                self.give(200, {}, hub.stored(parts[1]), body=body)
                return
            repo, name = "/".join(parts[:2]), parts[-1]
            if parts[2:3] != ["resolve"] or not any(repo == known for known, _ in hub.files):
                self.give(404, {"X-Error-Code": "RepoNotFound"}, b"", body=body)
                return
            commit = {"X-Repo-Commit": hub.commit}
            data = hub.files.get((repo, name))
            if data is None:
                self.give(404, {**commit, "X-Error-Code": "EntryNotFound"}, b"", body=body)
            elif len(data) < LARGE:
                blob = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
                self.give(200, {**commit, "ETag": f'"{blob}"'}, data, body=body)
            else:
                digest = hashlib.sha256(data).hexdigest()
                large = {
                    "X-Linked-Etag": f'"{hub.lies or digest}"',
                    "X-Linked-Size": str(len(data)),
                    "Location": f"{hub.url.replace('127.0.0.1', 'localhost')}/storage/{digest}",
                }
                self.give(302, {**commit, **large}, b"", body=body)

        def give(self, status: int, headers: dict[str, str], data: bytes, *, body: bool) -> None:
            self.send_response(status)
            for key, value in {**headers, "Content-Length": str(len(data))}.items():
                self.send_header(key, value)
            self.end_headers()
            if body:
                self.wfile.write(data)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub = Hub(url=f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
