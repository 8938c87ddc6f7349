"""The command in a process of its own: how it begins, what it says on the wire, how it ends."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from serving import COMMAND, ENV, Server, noise

from striate.runs import RunPaths
from striate.runs.lock import Lock


@pytest.fixture(scope="module")
def server(runs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    own = tmp_path_factory.mktemp("served") / "all"
    shutil.copytree(runs, own)
    lock = Lock(RunPaths(own / "two").lock)  # as though it trained
    made = Server(own / "one", "--runs", own, cwd=own.parent)
    yield made
    lock.release()
    if made.process.poll() is None:
        made.process.kill()
        made.process.communicate()


def head(path: str, *lines: str) -> bytes:
    return "\r\n".join([f"POST {path} HTTP/1.1", "Host: localhost", *lines, "", ""]).encode()


def test_a_gigabyte_that_is_announced_is_answered_and_the_line_closed(server: Server) -> None:
    answer = server.raw(head("/predict", "Content-Length: 1000000000") + b"x" * 1000)
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"1,000,000,000 bytes are announced" in answer


@pytest.mark.parametrize(
    "sent",
    [
        head("/predict", "Content-Length: -1"),
        head("/predict", "Content-Length: 5", "Content-Length: 6"),
        head("/predict", "Content-Length: 5", "Transfer-Encoding: nonsense"),
        head("/predict", "Transfer-Encoding: chunked") + b"nonsense\r\n",
        head("/predict", "X: " + "y" * 40_000)[:-4],
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    ],
)
def test_what_is_no_http_is_400(server: Server, sent: bytes) -> None:
    assert server.raw(sent).startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize(
    ("lines", "status"),
    [((), 413), (("Origin: http://evil.example",), 403)],
    ids=["too large", "a stranger's"],
)
def test_who_sends_all_before_reading_hears_the_refusal(
    server: Server, lines: tuple[str, ...], status: int
) -> None:
    body = b"x" * (17 * 2**20)
    answer = server.raw(head("/predict", f"Content-Length: {len(body)}", *lines) + body)
    assert answer.startswith(f"HTTP/1.1 {status}".encode())


def test_another_name_is_misdirected(server: Server) -> None:
    answer = server.raw(b"GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 421")


def test_a_body_that_breaks_off_is_no_fault(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as line:
        line.sendall(head("/predict", "Content-Length: 100") + b"x" * 10)
    assert server.get("health")[0] == 200


def test_it_predicts_and_serves_its_page(server: Server) -> None:
    request = urllib.request.Request(server.told["address"] + "predict", data=noise(2))
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert json.loads(answer.read())["top"][0]["class"] in [str(n) for n in range(10)]
    status, page = server.get("")
    assert (status, page[:15]) == (200, b"<!doctype html>")


def test_ctrl_c_ends_it_with_one_line_though_a_stream_is_open(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as line:
        line.sendall(b"GET /api/runs/live?run=two HTTP/1.1\r\nHost: localhost\r\n\r\n")
        found = b""
        while b"event: news" not in found:
            found += line.recv(65_536)
        code, err = server.stop(signal.SIGINT)
    assert code == 130
    lines = [line for line in err.splitlines() if not line.startswith(("note:", "striate serves"))]
    assert lines == ["interrupted: the server has stopped"]


def test_for_others_a_token_is_made_and_printed(tmp_path: Path) -> None:
    server = Server("--host", "0.0.0.0", cwd=tmp_path)
    try:
        token = server.told["token"]
        assert len(token) >= 32
        assert server.get("api/start")[0] == 401
        assert server.get("api/start", Authorization=f"Bearer {token}")[0] == 200
    finally:
        code, err = server.stop(signal.SIGTERM)
    assert code == 130
    assert "each request must bring the token" in err
    assert f"?token={token}" in err


def end(*arguments: str | Path, cwd: Path) -> tuple[int, str]:
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)], cwd=cwd, env=ENV, capture_output=True, text=True,
        check=False, timeout=60,
    )  # fmt: skip
    return done.returncode, done.stderr


def test_what_cannot_be_served_is_said_in_one_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        mend = "name another with --port, or take a free one: --port 0"
        assert end("--port", port, cwd=tmp_path) == (
            2,
            f"error: port {port} is in use; {mend}\n",
        )
    code, err = end("nowhere", "--port", "0", cwd=tmp_path)
    assert code == 2
    assert err.startswith("error: nowhere")
    assert err.count("\n") == 1


def test_what_can_be_said_without_a_server_is() -> None:
    from striate.errors import InputError, RunError
    from striate.flow.served_runs import ServedRuns
    from striate.web.server import bind, is_loopback, token_for

    with pytest.raises(InputError, match=r"--host no\.such\.host\.invalid: no such address"):
        bind("no.such.host.invalid", 0)
    with pytest.raises(InputError, match=r"--host 192\.0\.2\.1: not an address of this machine"):
        bind("192.0.2.1", 0)
    with pytest.raises(InputError, match="at least 16"):
        token_for("127.0.0.1", "short")
    with pytest.raises(InputError, match="at least 16"):
        token_for("127.0.0.1", "long enough but with\nspaces")
    with pytest.raises(RunError, match="--runs nowhere: is no folder"):
        ServedRuns((Path("nowhere"),))
    assert token_for("127.0.0.1", None) is None
    assert token_for("0.0.0.0", None) != token_for("0.0.0.0", None)
    assert [is_loopback(host) for host in ("::1", "127.9.9.9", "::", "0.0.0.0", "10.0.0.1")] == [
        True, True, False, False, False,
    ]  # fmt: skip
