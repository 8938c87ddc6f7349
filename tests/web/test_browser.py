"""The page in a real Chromium: each tab at work, silent, asking nobody else, whole and legible."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from serving import Server, noise

from striate.runs import RunPaths
from striate.runs.lock import Lock

playwright = pytest.importorskip(
    "playwright.sync_api", reason="needs playwright: pip install 'striate[dev]'"
)
CHROMIUM = os.environ.get("STRIATE_CHROMIUM") or shutil.which("chromium")
AXE = importlib.util.find_spec("axe_playwright_python")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium"),
]

DESIGN = """\
name = "mine" # the whole of it
image = [3, 32, 32]
classes = 10

[[stages]] # the only one
block = "conv"
depth = 2
width = 16
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as engine:
        chromium = engine.chromium.launch(
            executable_path=CHROMIUM,
            args=["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def server(runs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """With its own copy of the runs, so that one of them can be made to train."""
    own = tmp_path_factory.mktemp("browser") / "all"
    shutil.copytree(runs, own)
    made = Server(own / "one", "--runs", own, cwd=own.parent)
    made.runs = own  # type: ignore[attr-defined]  # for the test of training
    yield made
    made.process.kill()
    made.process.communicate()


class Page:
    """An open page, with everything it said and asked for; closing it holds it to silence."""

    def __init__(
        self, browser: Any, server: Server, tab: str, *, width: int = 1280, scheme: str = "light"
    ) -> None:
        self.address = server.told["address"]
        self.context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, accept_downloads=True
        )
        self.page = self.context.new_page()
        self.page.set_default_timeout(60_000)
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(f"{self.address}#{tab}")
        self.page.wait_for_selector("html[data-ready]", state="attached")

    def __enter__(self) -> Any:
        return self.page

    def __exit__(self, kind: object, *_: object) -> None:
        width = self.page.evaluate("document.documentElement.scrollWidth - innerWidth")
        self.context.close()
        if kind is None:
            assert self.said == []
            own = (self.address, "data:", f"blob:{self.address}")
            assert [url for url in self.asked if not url.startswith(own)] == []
            assert width <= 0


def until(page: Any, expression: str) -> None:
    """Playwright's own way evaluates a string in the page, which its policy forbids."""
    end = time.monotonic() + 60
    while not page.evaluate(expression):
        assert time.monotonic() < end, expression
        page.wait_for_timeout(50)


def typed(page: Any, text: str) -> None:
    page.fill("textarea", text)
    page.dispatch_event("textarea", "input")


def test_a_keystroke_changes_costs_findings_and_form(browser: Any, server: Server) -> None:
    with Page(browser, server, "design") as page:
        page.wait_for_selector(".strip li")
        typed(page, DESIGN)
        page.wait_for_selector("#stages-0-width")
        before = page.inner_text(".totals")
        page.evaluate("""() => {
          const area = document.querySelector('textarea');
          const at = area.value.indexOf('classes = 10') + 12;
          area.focus(); area.setSelectionRange(at, at);
        }""")
        page.keyboard.type("\nbias = true")
        page.wait_for_selector("[data-code=PA301]")
        assert page.inner_text(".totals") != before
        assert page.locator("[data-code=PA301]").count() == 2
        assert page.locator(".gutter .info").count() == 1
        page.locator("[data-code=PA301] .place").first.click()
        assert page.evaluate(
            "(a => a.value.slice(a.selectionStart, a.selectionEnd))"
            "(document.querySelector('textarea'))"
        ).startswith("[[stages]]")
        page.locator("[data-code=PA301] .mend").first.click()
        page.wait_for_selector("[data-code=PA301]", state="detached")
        assert page.input_value("textarea") == DESIGN.replace("= 10\n", "= 10\nbias = false\n")


def test_what_cannot_be_built_is_said_and_the_last_design_stays(
    browser: Any, server: Server
) -> None:
    with Page(browser, server, "design") as page:
        page.wait_for_selector(".strip li")
        typed(page, DESIGN.replace("width", "widht"))
        page.wait_for_selector(".problem:not([hidden])")
        assert "did you mean width?" in page.inner_text(".problem")
        assert page.locator(".strip li").count() > 2


def test_the_form_writes_the_text(browser: Any, server: Server) -> None:
    with Page(browser, server, "design") as page:
        page.wait_for_selector(".strip li")
        typed(page, DESIGN)
        page.wait_for_selector("#stages-0-width")
        until(page, "document.querySelector('#net-name').value === 'mine'")
        page.fill("#stages-0-width", "24")
        until(page, "document.querySelector('textarea').value.includes('width = 24')")
        assert page.input_value("textarea") == DESIGN.replace("width = 16", "width = 24")
        page.click("button[aria-label='Repeat stage 1']")
        page.wait_for_selector("#stages-1-width")
        until(page, "document.querySelector('textarea').value.split('[[stages]]').length === 3")
        assert "# the only one" in page.input_value("textarea")


def test_keys_and_values_are_completed(browser: Any, server: Server) -> None:
    with Page(browser, server, "design") as page:
        page.wait_for_selector(".strip li")
        typed(page, DESIGN)
        page.click("textarea")
        page.keyboard.press("Control+End")
        page.keyboard.type("str")
        page.wait_for_selector(".offers:not([hidden])")
        assert page.locator(".offers b").all_inner_texts() == ["stride"]
        page.keyboard.press("Enter")
        assert page.input_value("textarea").endswith("stride = ")
        page.keyboard.type("2\nshortcut = ")
        page.keyboard.press("Control+Space")
        assert page.locator(".offers b").all_inner_texts() == ['"projection"', '"pad"']
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Tab")
        assert page.input_value("textarea").endswith('stride = 2\nshortcut = "pad"')
        page.keyboard.press("Escape")


def test_sliders_curves_and_downloads(browser: Any, server: Server, tmp_path: Path) -> None:
    with Page(browser, server, "design") as page:
        page.wait_for_selector(".strip li")
        typed(page, DESIGN)
        until(page, "document.querySelectorAll('.curve svg').length === 3")
        page.focus("#scale-width")
        page.keyboard.press("End")
        page.wait_for_selector(".scaled:not(:empty)")
        page.wait_for_selector("button.mend:enabled")
        page.get_by_role("button", name="Take this size").click()
        until(page, "document.querySelector('textarea').value.includes('width = 32')")
        with page.expect_download() as waiting:
            page.get_by_role("button", name="PyTorch").click()
        assert waiting.value.suggested_filename == "mine.py"
        assert "class Mine(nn.Module):" in Path(waiting.value.path()).read_text()
        with page.expect_download() as waiting:
            page.get_by_role("button", name="TOML").click()
        assert Path(waiting.value.path()).read_text() == page.input_value("textarea")


def test_an_image_is_looked_at(browser: Any, server: Server, tmp_path: Path) -> None:
    file = tmp_path / "noise.png"
    file.write_bytes(noise(4, 20))
    with Page(browser, server, "look") as page:
        page.set_input_files("#image-file", file)
        page.wait_for_selector(".maps li")
        assert page.locator(".likely li").count() == 5
        page.wait_for_selector(".bars tbody tr")
        assert "The parts sum to" in page.inner_text("#ledger-title ~ div")
        page.select_option("#layer", index=page.evaluate(
            "[...document.querySelectorAll('#layer option')]"
            ".findIndex(one => one.textContent.includes('stages.0.blocks.0.conv2'))"
        ))  # fmt: skip
        until(page, "document.querySelectorAll('.maps li').length === 32")
        page.locator(".maps button").nth(3).click(position={"x": 3, "y": 3})
        page.wait_for_selector(".sums figure")
        said = page.inner_text("#step-title ~ div p")
        assert "stages.0.blocks.0.conv2, map 3, row 0, column 0" in said
        assert "row 0, column 0: its field is" in page.inner_text("figcaption")
        page.locator(".moves button").last.click()
        until(page, "document.querySelector('#step-title ~ div p').innerText.includes('column 1')")
        assert "row 0, column 1: its field is" in page.inner_text("figcaption")


def test_an_image_that_is_none_is_said(browser: Any, server: Server, tmp_path: Path) -> None:
    file = tmp_path / "broken.png"
    file.write_bytes(noise(4)[:40])
    seen = Page(browser, server, "look")
    page = seen.page
    page.set_input_files("#image-file", file)
    page.wait_for_selector(".problem:not([hidden])")
    assert page.inner_text(".problem").startswith("the image ")
    assert page.is_hidden(".maps")
    # What a browser itself says of an answer of 422, and nothing else.
    assert [text for text in seen.said if "422" not in text] == []
    seen.context.close()


def test_runs_are_compared(browser: Any, server: Server) -> None:
    with Page(browser, server, "runs") as page:
        page.get_by_label("one", exact=True).check()
        page.wait_for_selector(".charts svg")
        page.get_by_label("two", exact=True).check()
        page.wait_for_selector("th:has-text('recipe: seed')")
        row = page.locator("tr", has_text="recipe: seed").inner_text().split()
        assert row == ["recipe:", "seed", "0", "1"]


def test_training_is_shown_as_it_goes_on(browser: Any, server: Server) -> None:
    own: Path = server.runs  # type: ignore[attr-defined]
    folder = own / "growing"
    folder.mkdir()
    for name in ("run.json", "recipe.toml", "arch.toml", "preprocessing.json"):
        (folder / name).write_bytes((own / "one" / name).read_bytes())
    document = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**document, "state": "training", "result": None}))
    written = (own / "one" / "metrics.jsonl").read_text().splitlines(keepends=True)
    lines = [line for line in written if json.loads(line)["kind"] == "step"]
    assert len(lines) >= 12
    metrics = RunPaths(folder).metrics
    metrics.write_text("".join(lines[:5]))
    lock = Lock(RunPaths(folder).lock)
    try:
        with Page(browser, server, "runs") as page:
            page.get_by_label("growing", exact=True).check()
            page.wait_for_selector("[data-live=live][data-steps='5']")
            with metrics.open("a") as file:
                file.writelines(lines[5:12])
            page.wait_for_selector("[data-live=live][data-steps='12']")
            lock.release()
            page.wait_for_selector("[data-live=interrupted], [data-live=finished]")
    finally:
        lock.release()
        shutil.rmtree(folder)


def test_tabs_are_worked_by_keys(browser: Any, server: Server) -> None:
    with Page(browser, server, "design") as page:
        page.focus("#tab-design")
        page.keyboard.press("ArrowRight")
        assert page.evaluate("document.activeElement.id") == "tab-look"
        assert page.is_visible("#look")
        page.keyboard.press("End")
        assert page.is_visible("#runs")
        assert page.get_attribute("#tab-runs", "aria-selected") == "true"
        page.keyboard.press("ArrowRight")
        assert page.is_visible("#design")


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_every_tab_is_whole_and_accessible(
    browser: Any, server: Server, tmp_path: Path, width: int, scheme: str
) -> None:
    if AXE is None or AXE.origin is None:
        pytest.skip("needs axe-core: pip install 'striate[dev]'")
    file = tmp_path / "noise.png"
    file.write_bytes(noise(4, 20))
    axe = (Path(AXE.origin).parent / "axe.min.js").read_text()
    for tab, ready in (("design", ".curve svg"), ("look", ".bars tbody tr"), ("runs", "#run-0")):
        with Page(browser, server, tab, width=width, scheme=scheme) as page:
            if tab == "look":
                page.set_input_files("#image-file", file)
                page.wait_for_selector(".maps li")
                page.locator(".maps button").first.click()
                page.wait_for_selector(".sums figure")
            if tab == "design":
                typed(page, DESIGN.replace("classes = 10", "classes = 10\nbias = true"))
                page.wait_for_selector("[data-code=PA301]")
            page.wait_for_selector(ready)
            page.evaluate(axe)
            found = page.evaluate("axe.run(document)")
            assert len(found["passes"]) > 15
            grave = [
                (one["id"], one["impact"], one["nodes"][0]["html"][:160], len(one["nodes"]))
                for one in found["violations"]
                if one["impact"] in ("serious", "critical")
            ]
            assert grave == []
            assert page.evaluate("document.documentElement.scrollWidth") <= width
