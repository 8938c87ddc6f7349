"""Who may ask, from where, how much at once; and that nothing leads out of the served folders."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from serving import noise
from starlette.testclient import TestClient

from striate.web.guard import COOKIE, HEADERS
from striate.web.options import Limits

TOKEN = "a-token-that-is-long-enough"


@pytest.mark.parametrize(
    "host",
    ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1:8462", "", "[",
     "localhost@evil.example", "0.0.0.0:8462"],
)  # fmt: skip
def test_on_loopback_other_names_are_refused(client: TestClient, host: str) -> None:
    answer = client.get("/health", headers={"host": host})
    assert answer.status_code == 421
    assert "localhost" in answer.json()["error"]


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:1", "127.0.0.1:8462", "[::1]:8462", "LOCALHOST"]
)
def test_names_of_loopback_are_taken(client: TestClient, host: str) -> None:
    assert client.get("/health", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://localhost:9999"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
@pytest.mark.parametrize("path", ["/predict", "/api/design"])
def test_other_sites_pages_are_refused(
    client: TestClient, headers: dict[str, str], path: str
) -> None:
    assert client.post(path, content=b"{}", headers=headers).status_code == 403
    assert client.get("/api/runs", headers=headers).status_code == 403


def test_the_page_itself_is_answered(client: TestClient) -> None:
    own = {"origin": "http://localhost:8462", "sec-fetch-site": "same-origin"}
    assert client.post("/api/design", json={"toml": ""}, headers=own).status_code == 200
    # A link on another site may open the page; what it then asks is its own.
    assert client.get("/", headers={"sec-fetch-site": "cross-site"}).status_code == 200


def test_with_a_token_nothing_is_told_without_it(make_client: Any) -> None:
    asked = make_client(token=TOKEN, loopback=False, base_url="http://10.0.0.7:8462")
    for path in ("/", "/api/start", "/api/runs", "/metrics", "/openapi.json", "/assets/main.js"):
        refused = asked.get(path, follow_redirects=False)
        assert refused.status_code == 401, path
        assert refused.headers["WWW-Authenticate"] == "Bearer"
        assert TOKEN not in refused.text
    assert asked.get("/health").status_code == 200
    for wrong in (TOKEN[:-1], TOKEN + "x", "", "Bearer", "é" * 20):
        header = f"Bearer {wrong}".encode()
        assert asked.get("/api/start", headers={"authorization": header}).status_code == 401
    good = {"authorization": f"Bearer {TOKEN}"}
    assert asked.get("/api/start", headers=good).status_code == 200


def test_the_printed_address_opens_the_page_and_leaves_the_token_in_a_cookie(
    make_client: Any,
) -> None:
    asked = make_client(token=TOKEN, loopback=False, base_url="http://10.0.0.7:8462")
    assert asked.get("/?token=wrong", follow_redirects=False).status_code == 401
    opened = asked.get(f"/?token={TOKEN}", follow_redirects=False)
    assert (opened.status_code, opened.headers["location"]) == (303, "/")
    cookie = opened.headers["set-cookie"]
    assert cookie.startswith(f"{COOKIE}={TOKEN}")
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()
    assert asked.get("/").status_code == 200  # the cookie is brought now
    assert asked.get("/api/start").status_code == 200
    many = "&".join(f"a{n}=1" for n in range(99))
    asked.cookies.clear()
    assert asked.get(f"/?{many}").status_code == 401


def test_every_answer_says_what_a_browser_may_do(client: TestClient) -> None:
    for path in ("/", "/assets/main.js", "/api/start", "/nothing", "/api/zoo/x"):
        answer = client.get(path)
        for name, value in HEADERS.items():
            assert answer.headers[name] == value, (path, name)
    policy = HEADERS["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "http" not in policy
    assert "default-src 'none'" in policy


def test_the_page_names_no_other_address_and_holds_no_script_of_its_own() -> None:
    import striate.web

    folder = Path(striate.web.__file__).parent / "assets"
    page = (folder / "index.html").read_text()
    assert re.findall(r"<script(?![^>]* src=)", page) == []
    assert re.findall(r"\son\w+=|\sstyle=", page) == []
    for file in folder.iterdir():
        text = file.read_text().replace("http://www.w3.org/2000/svg", "")
        assert "http" not in text, file.name
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|\beval\b|new Function", text)
        assert len(text.splitlines()) < 250, file.name


@pytest.mark.parametrize(
    "path",
    ["/assets/../app.py", "/assets/..%2fapp.py", "/assets/%2e%2e/app.py", "/assets/....//app.py",
     "/assets/", "/assets/main.js%00", "/etc/passwd", "//etc/passwd", "/assets/%2fetc%2fpasswd"],
)  # fmt: skip
def test_only_the_pages_own_files_are_handed_out(client: TestClient, path: str) -> None:
    assert client.get(path).status_code in (404, 405)


def test_bodies_are_counted_as_they_come(make_client: Any) -> None:
    asked = make_client(limits=Limits(upload_bytes=1000, document_bytes=500))

    def sent(count: int) -> Any:
        return (b"x" * 100 for _ in range(count))  # without a length: chunked

    assert asked.post("/predict", content=sent(11)).status_code == 413
    assert asked.post("/predict", content=b"x" * 1001).status_code == 413
    assert asked.post("/predict", content=sent(10)).status_code == 409  # it has no run
    assert asked.post("/api/design", content=sent(6)).status_code == 413
    declared = {"content-length": str(10**9)}
    assert asked.post("/predict", content=b"x", headers=declared).status_code == 413


def test_too_much_at_once_is_429(make_client: Any, runs: Path) -> None:
    asked = make_client(run=runs / "one", limits=Limits(held_bytes=10))
    answer = asked.post("/predict", content=noise(0))
    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == "1"
    none = make_client(limits=Limits(requests=0))
    assert none.get("/api/start").status_code == 429


def test_streams_are_counted(make_client: Any, runs: Path) -> None:
    asked = make_client(limits=Limits(streams=0))
    assert asked.get("/api/runs/live?run=one").status_code == 429


def test_no_link_leads_out_of_the_served_folder(
    make_client: Any, runs: Path, tmp_path: Path
) -> None:
    served, outside = tmp_path / "served", tmp_path / "outside"
    shutil.copytree(runs / "one", served / "honest")
    shutil.copytree(runs / "one", outside)
    (served / "linked").symlink_to(outside, target_is_directory=True)
    shutil.copytree(runs / "two", served / "inner")
    secret = tmp_path / "secret.txt"
    secret.write_text('{"kind": "epoch", "secret": "hunter2"}\n')
    (served / "inner" / "metrics.jsonl").unlink()
    (served / "inner" / "metrics.jsonl").symlink_to(secret)
    asked = make_client(runs=(served,))
    found = asked.get("/api/runs").json()
    assert [run["name"] for run in found["runs"]] == ["honest"]
    assert sorted(found["left_out"]) == ["inner", "linked"]
    for name in ("inner", "linked", "../outside", str(outside), "honest/../../outside"):
        for path in (f"curves?run={name}", f"live?run={name}", f"compare?run=honest&run={name}"):
            answer = asked.get(f"/api/runs/{path}")
            assert answer.status_code == 404
            assert "hunter2" not in answer.text


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b'{"toml": 1}', b'{"toml": "", "more": 1}', b"\xff\xfe",
     b'{"toml": "' + b"x" * 70_000 + b'"}', b'{"toml": "", "form": []}', b"[" * 100_000,
     b'{"toml": "x", "form": ' + b'{"a":' * 900 + b"1" + b"}" * 901],
)  # fmt: skip
def test_documents_that_are_none_are_refused_in_one_line(client: TestClient, body: bytes) -> None:
    answer = client.post("/api/design", content=body, headers={"content-type": "application/json"})
    if answer.status_code == 200:  # a form of nonsense is a design with a problem
        assert answer.json()["problem"]
        return
    assert 400 <= answer.status_code < 500
    assert "\n" not in answer.json()["error"]
    assert "Traceback" not in answer.text


def test_json_numbers_that_are_none_are_refused(client: TestClient) -> None:
    for value in ("NaN", "Infinity", "1e999", "-1", "0", '"2"x'):
        body = f'{{"toml": "", "width": {value}}}'.encode()
        answer = client.post(
            "/api/design/scale", content=body, headers={"content-type": "application/json"}
        )
        assert answer.status_code == 422, value
        json.loads(answer.text)
