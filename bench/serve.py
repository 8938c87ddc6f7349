"""A server under load, and how soon a keystroke's findings are on the screen.

    python bench/serve.py              trains, serves, loads and types; prints what came of it
    python bench/serve.py --write      and keeps it as a record
    python bench/serve.py --no-browser without Chromium: the load alone

A server of a small run, in a process of its own, is sent 2,000 requests by this process, 64 at
once: seven in ten are images to predict, the rest designs, pages, broken uploads, foreign hosts,
documents that are none and bodies that are too large.  Each must be answered with 200, a 4xx or
429; the server's memory is read before, in the middle and after.  Then Chromium types into the
Design tab of a ResNet-50, a digit of a width at a time, and the time from each keystroke to the
painted findings is taken in the page itself.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import httpx2
import numpy as np
from PIL import Image

from common import command, commit, hardware, today, versions, write
from record import Cell, Claim, Column, Record
from striate.arch import Arch, Stage, Stem, to_toml
from striate.flow.events import FitOptions
from striate.flow.fit import fit

REQUESTS, AT_ONCE, KEYSTROKES = 2000, 64, 40
TINY = Arch(
    name="tiny", image=(1, 32, 32), classes=10, stem=Stem(width=16),
    stages=(Stage(block="basic", depth=2, width=32, stride=2),),
)  # fmt: skip


def image(seed: int, side: int) -> bytes:
    stream = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(stream, "JPEG" if seed % 2 else "PNG")
    return stream.getvalue()


def requests() -> list[tuple[str, str, dict[str, Any]]]:
    """(method, path, what is sent), mixed by a fixed seed."""
    good = [image(seed, 32 + 16 * seed) for seed in range(12)]
    designs = [{"toml": to_toml(TINY).replace("= 32\n", f"= {8 * n}\n")} for n in range(1, 9)]
    bad: list[tuple[str, str, dict[str, Any]]] = [
        ("POST", "/predict", {"content": b""}),
        ("POST", "/predict", {"content": good[0][:200]}),
        ("POST", "/predict", {"content": b"GIF89a" + b"\0" * 50}),
        ("POST", "/predict?top=99", {"content": good[0]}),
        ("POST", "/predict", {"content": b"x" * (17 * 2**20)}),
        ("POST", "/api/design", {"content": b"{"}),
        ("POST", "/api/design", {"json": {"toml": "name = "}}),
        ("GET", "/health", {"headers": {"host": "evil.example"}}),
        ("POST", "/predict", {"content": good[0], "headers": {"origin": "http://evil.example"}}),
        ("GET", "/assets/../../etc/passwd", {}),
        ("GET", "/nothing", {}),
    ]
    fine: list[tuple[str, str, dict[str, Any]]] = [
        ("GET", "/", {}), ("GET", "/health", {}), ("GET", "/metrics", {}), ("GET", "/api/runs", {}),
        *(("POST", "/api/design", {"json": design}) for design in designs),
    ]  # fmt: skip
    draw = np.random.default_rng(0)
    found: list[tuple[str, str, dict[str, Any]]] = []
    for share in draw.random(REQUESTS):
        if share < 0.7:
            found.append(("POST", "/predict", {"content": good[int(draw.integers(len(good)))]}))
        else:
            some = fine if share < 0.85 else bad
            found.append(some[int(draw.integers(len(some)))])
    return found


async def load(address: str, process: int) -> tuple[Counter[int], list[float], list[float]]:
    """Statuses (0: lost), seconds of those predicted, and the server's memory in MiB."""
    waiting = iter(requests())
    statuses: Counter[int] = Counter()
    seconds: list[float] = []
    memory = [resident(process)]
    limits = httpx2.Limits(max_connections=AT_ONCE, max_keepalive_connections=AT_ONCE)
    async with httpx2.AsyncClient(base_url=address, limits=limits, timeout=120) as client:
        await client.post("/predict", content=image(0, 64))

        async def work() -> None:
            for method, path, sent in waiting:
                began = perf_counter()
                try:
                    answer = await client.request(method, path, **sent)
                except httpx2.HTTPError as error:
                    print(f"lost: {method} {path}: {type(error).__name__} {error}")
                    statuses[0] += 1
                    continue
                statuses[answer.status_code] += 1
                if path.startswith("/predict") and answer.status_code == 200:
                    seconds.append(perf_counter() - began)
                if sum(statuses.values()) % (REQUESTS // 4) == 0:
                    memory.append(resident(process))

        await asyncio.gather(*(work() for _ in range(AT_ONCE)))
    memory.append(resident(process))
    return statuses, seconds, memory


def resident(process: int) -> float:
    """MiB that the process holds."""
    text = Path(f"/proc/{process}/status").read_text()
    return int(re.findall(r"VmRSS:\s+(\d+)", text)[0]) / 1024


def keystrokes(address: str) -> tuple[list[float], list[float]]:
    """Milliseconds from each keystroke to its painted findings, and the server's part of them."""
    from playwright.sync_api import sync_playwright

    chromium = os.environ.get("STRIATE_CHROMIUM") or shutil.which("chromium")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as engine:
        browser = engine.chromium.launch(executable_path=chromium, args=flags)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(address)
        page.wait_for_selector(".strip li")
        page.evaluate("""() => {
          globalThis.painted = [];
          document.addEventListener("keydown", event => { globalThis.pressed = event.timeStamp; }, true);
          document.addEventListener("striate:painted", event =>
            painted.push([performance.now() - globalThis.pressed, event.detail.server]));
        }""")  # noqa: E501
        page.select_option("select[aria-label^='Begin with']", "resnet50")
        page.wait_for_selector("text=25.6M")
        page.wait_for_timeout(1000)
        page.evaluate("painted.length = 0")
        found: list[list[float]] = []
        for number in range(KEYSTROKES):
            # Another name, which no keystroke wrote, makes it a design that was never seen before;
            # then a digit of the last stage's width is selected, and the next key replaces it.
            page.evaluate(
                """number => {
              const area = document.querySelector('textarea');
              area.value = area.value.replace(/name = ".*"/, `name = "resnet50-${number}"`);
              const at = area.value.lastIndexOf('width = 20') + 12;
              area.focus(); area.setSelectionRange(at - 1, at);
            }""",
                number,
            )
            page.keyboard.press(str(1 + number % 9))
            while page.evaluate("painted.length") == len(found):
                page.wait_for_timeout(5)
            found = page.evaluate("painted")
            page.wait_for_timeout(250)
        browser.close()
    return [one[0] for one in found], [one[1] for one in found]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--no-browser", action="store_true")
    asked = parser.parse_args()
    head, changed = commit()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "tiny.toml").write_text(to_toml(TINY))
        fit("digits", FitOptions(
            arch=str(folder / "tiny.toml"), image="1x32x32", epochs=2, threads=1, setting="fp32",
            out=folder / "runs" / "tiny",
        ))  # fmt: skip
        server = subprocess.Popen(
            [sys.executable, "-c", "from striate.cli.start import run; run()", "serve",
             "runs/tiny", "--port", "0", "--json"],
            cwd=folder, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            assert server.stdout is not None
            address = json.loads(server.stdout.readline())["address"]
            began = perf_counter()
            statuses, seconds, memory = asyncio.run(load(address, server.pid))
            spent = perf_counter() - began
            painted, inside = ([], []) if asked.no_browser else keystrokes(address)
        finally:
            server.terminate()
            server.wait()
    wrong = sum(count for status, count in statuses.items() if status == 0 or status >= 500)
    row: dict[str, Cell] = {
        "requests": sum(statuses.values()),
        "ok": statuses[200],
        "refused": sum(count for status, count in statuses.items() if 400 <= status < 500),
        "busy": statuses[429],
        "wrong": wrong,
        "per_second": sum(statuses.values()) / spent,
        "p50": 1e3 * float(np.percentile(seconds, 50)),
        "p99": 1e3 * float(np.percentile(seconds, 99)),
        "memory_first": memory[1],
        "memory_last": memory[-1],
        "grown": memory[-1] - memory[1],
        "keys": len(painted),
        "key": median(painted) if painted else None,
        "key_p90": float(np.percentile(painted, 90)) if painted else None,
        "server": median(inside) if inside else None,
    }
    print(dict(statuses), [round(one) for one in memory])
    print(json.dumps(row, indent=1))
    if asked.write:
        write(_record(row, head, changed), "serve")


def _record(row: dict[str, Cell], head: str, changed: bool) -> Record:
    return Record(
        title="A server under load, and a keystroke's findings",
        what=(
            f"`striate serve` with a small run on loopback: {REQUESTS:,} requests from a second "
            f"process, {AT_ONCE} at once, of which seven in ten are images to predict and one in "
            "seven is broken, foreign or too large. Then, in Chromium, the time from a keystroke "
            "in the Design tab of a ResNet-50 to its painted findings."
        ),
        date=today(),
        command=command(),
        commit=head,
        changed=changed,
        hardware=hardware(),
        versions=versions(("torch", "fastapi", "uvicorn")),
        seeds=(0,),
        columns=(
            Column(key="requests", title="requests"),
            Column(key="ok", title="200"),
            Column(key="refused", title="4xx"),
            Column(key="busy", title="of them 429"),
            Column(key="wrong", title="5xx or lost"),
            Column(key="per_second", title="requests a second", shown=".0f"),
            Column(key="p50", title="prediction, median", unit="ms", shown=".0f"),
            Column(key="p99", title="prediction, p99", unit="ms", shown=".0f"),
            Column(key="memory_first", title="memory after a quarter", unit="MiB", shown=".0f"),
            Column(key="memory_last", title="at the end", unit="MiB", shown=".0f"),
            Column(key="grown", title="grown", unit="MiB", shown=".0f"),
            Column(key="keys", title="keystrokes"),
            Column(key="key", title="to the painted findings, median", unit="ms", shown=".0f"),
            Column(key="key_p90", title="p90", unit="ms", shown=".0f"),
            Column(key="server", title="of it the server, median", unit="ms", shown=".0f"),
        ),
        rows=(row,),
        claims=(
            Claim(text="no request is lost or answered with 5xx", column="wrong", at_most=0),
            Claim(text="a keystroke's findings are painted within 100 ms", column="key",
                  at_most=100),
            Claim(text="memory grows by less than 64 MiB", column="grown", at_most=64),
        ),
    )  # fmt: skip


if __name__ == "__main__":
    main()
