"""The part of the hub's HTTP interface that a push needs, on loopback.

Small files come with the commit; of large ones the hub first asks for the bytes, and a commit that
names one that never came is refused.  What a commit changes is there at once, or not at all.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "hf_made_up"
LARGE = 10_000


@dataclass
class Repo:
    private: bool = False
    files: dict[str, bytes] = field(default_factory=dict)
    commits: list[str] = field(default_factory=list)


@dataclass
class PushHub:
    """``repos``: by ``user/name``.  ``answers``: status by a word of the path, instead of work."""

    url: str
    repos: dict[str, Repo] = field(default_factory=dict)
    stored: dict[str, bytes] = field(default_factory=dict)
    answers: dict[str, int] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)


@contextmanager
def stand_in_push() -> Generator[PushHub]:
    """A hub that takes pushes until the end of ``with``."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base's name
            pass

        def do_GET(self) -> None:
            if self.refused():
                return
            repo = hub.repos.get(self.path.removeprefix("/api/models/").partition("?")[0])
            if repo is None:
                self.give(404, {"error": "Repository not found"}, code="RepoNotFound")
                return
            sha = hashlib.sha1(str(repo.commits).encode()).hexdigest()
            siblings = [{"rfilename": name} for name in repo.files]
            name = self.path.removeprefix("/api/models/")
            self.give(200, {"id": name, "private": repo.private, "sha": sha, "siblings": siblings})

        def do_PUT(self) -> None:
            content = self.content()
            if self.refused():
                return
            hub.stored[hashlib.sha256(content).hexdigest()] = content
            self.give(200, {})

        def do_POST(self) -> None:
            content = self.content()
            if self.refused():
                return
            path = self.path.partition("?")[0]
            if path == "/api/validate-yaml":
                self.give(200, {"warnings": [], "errors": []})
            elif path == "/api/repos/create":
                self.create(json.loads(content))
            elif "/preupload/" in path:
                modes = [
                    {
                        "path": one["path"],
                        "uploadMode": "lfs" if one["size"] >= LARGE else "regular",
                        "shouldIgnore": False,
                    }
                    for one in json.loads(content)["files"]
                ]
                self.give(200, {"files": modes})
            elif path.endswith("/info/lfs/objects/batch"):
                objects = [
                    {**one, "actions": {"upload": {"href": f"{hub.url}/storage/{one['oid']}"}}}
                    for one in json.loads(content)["objects"]
                ]
                self.give(200, {"transfer": "basic", "objects": objects})
            elif "/commit/" in path:
                self.commit(path.removeprefix("/api/models/").partition("/commit/")[0], content)
            else:
                self.give(404, {"error": f"no {path}"})

        def create(self, asked: dict[str, Any]) -> None:
            name = f"{asked['organization']}/{asked['name']}"
            private = asked.get("private") is True or asked.get("visibility") == "private"
            hub.repos.setdefault(name, Repo(private=private))
            self.give(200, {"url": f"{hub.url}/{name}", "name": name})

        def commit(self, name: str, content: bytes) -> None:
            repo, lines = hub.repos[name], [json.loads(line) for line in content.splitlines()]
            files = dict(repo.files)
            for line in lines[1:]:
                value = line["value"]
                if line["key"] == "file":
                    files[value["path"]] = base64.b64decode(value["content"])
                elif line["key"] == "lfsFile":
                    if value["oid"] not in hub.stored:
                        self.give(400, {"error": f"{value['path']} was never uploaded"})
                        return
                    files[value["path"]] = hub.stored[value["oid"]]
                else:
                    del files[value["path"]]
            repo.files = files
            repo.commits.append(lines[0]["value"]["summary"])
            url = f"{hub.url}/{name}/commit/1"
            self.give(200, {"commitUrl": url, "commitOid": "1" * 40, "success": True})

        def refused(self) -> bool:
            hub.asked.append((self.command, self.path))
            for word, status in hub.answers.items():
                if word in self.path:
                    self.give(status, {"error": "as the test wants"})
                    return True
            elsewhere = self.path.startswith("/storage/")  # which has addresses that are signed
            if not elsewhere and self.headers.get("Authorization") != f"Bearer {TOKEN}":
                self.give(401, {"error": "Invalid username or password."})
                return True
            return False

        def content(self) -> bytes:
            if self.headers.get("Transfer-Encoding") != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length") or 0))
            parts: list[bytes] = []
            while size := int(self.rfile.readline().strip(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)

        def give(self, status: int, answer: dict[str, Any], *, code: str | None = None) -> None:
            data = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            if code is not None:
                self.send_header("X-Error-Code", code)
            self.end_headers()
            self.wfile.write(data)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub = PushHub(url=f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
