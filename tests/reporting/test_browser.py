"""The page in a real Chromium: silent, asking for nothing, whole at both widths, legible."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from striate.reporting import ReportInput, render_report

pytestmark = pytest.mark.browser
WIDTHS, SCHEMES = (1280, 390), ("light", "dark")


@pytest.fixture(scope="module")
def folder(make_report: Callable[..., ReportInput], tmp_path_factory) -> Path:
    here = tmp_path_factory.mktemp("reports")
    long = "an extraordinarily-long-class-name-without-a-place-to-break " * 2
    for name, given in (
        ("ten", make_report()),
        ("forty", make_report(classes=40, images=4000, channels=1, size=8, epochs=1)),
    ):
        (here / f"{name}.html").write_text(render_report(given))
    thousand = make_report(classes=1000, images=6000, size=48, epochs=2)
    html = render_report(thousand).replace("class 7<", f"{long}<")
    (here / "thousand.html").write_text(html)
    return here


class Seen:
    """A page that is open, with everything it said and asked for."""

    def __init__(self, browser: Any, address: str, width: int, scheme: str) -> None:
        self.context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme
        )
        self.page = self.context.new_page()
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(address)
        self.page.wait_for_selector("html[data-charts=drawn]", state="attached")

    def __enter__(self) -> Seen:
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["ten", "forty", "thousand"])
def test_silent_and_whole(browser: Any, folder: Path, name: str, width: int) -> None:
    address = (folder / f"{name}.html").as_uri()
    with Seen(browser, address, width, "light") as seen:
        assert seen.said == []
        # Pictures are data: addresses, which ask nobody.
        assert [url for url in seen.asked if not url.startswith("data:")] == [address]
        seen.page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        assert seen.page.evaluate("document.documentElement.scrollWidth") <= width
        assert seen.page.evaluate(OUTSIDE) == []
        assert seen.page.evaluate("[...document.images].every(i => i.naturalWidth > 0)")
        charts = seen.page.evaluate(
            "[...document.querySelectorAll('.chart')].map(c => c.querySelector('svg') !== null)"
        )
        assert charts
        assert all(charts)


# Elements that reach beyond the window without a scrolling frame of their own around them.
OUTSIDE = """() => [...document.querySelectorAll('body *')].filter(e => {
  const box = e.getBoundingClientRect();
  return box.width > 0 && (box.right > innerWidth + 1 || box.left < -1)
    && !e.closest('.scroll, pre, .skip, .view, .defs');
}).map(e => e.outerHTML.slice(0, 120))"""


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", ["ten", "forty"])
def test_legible(browser: Any, folder: Path, contrast: str, name: str, scheme: str) -> None:
    with Seen(browser, (folder / f"{name}.html").as_uri(), 1280, scheme) as seen:
        seen.page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        texts, (least, text, colour) = seen.page.evaluate(contrast)
        assert texts > 200
        assert least >= 4.5, (text, colour)


def test_dark_is_dark_and_light_is_light(browser: Any, folder: Path) -> None:
    grounds = {}
    for scheme in SCHEMES:
        with Seen(browser, (folder / "ten.html").as_uri(), 1280, scheme) as seen:
            colour = seen.page.evaluate(
                "getComputedStyle(document.documentElement).backgroundColor"
            )
            grounds[scheme] = sum(int(part) for part in colour[4:-1].split(","))
    assert grounds["dark"] < 100 < 700 < grounds["light"]


def test_charts_answer_the_pointer_and_frames_the_keyboard(browser: Any, folder: Path) -> None:
    with Seen(browser, (folder / "ten.html").as_uri(), 1280, "light") as seen:
        chart = seen.page.locator("#chart-loss svg")
        chart.scroll_into_view_if_needed()
        box = chart.bounding_box()
        assert box is not None
        seen.page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + box["height"] * 0.6)
        tip = seen.page.locator("#vg-tooltip-element.visible")
        tip.wait_for(timeout=5000)
        words = tip.inner_text()
        assert "epoch" in words
        assert "validation loss" in words
        assert "undefined" not in words
        for name, says in (("class-accuracy", "right"), ("reliability", "confidence")):
            point = seen.page.locator(f"#{name} .mark-symbol path").first
            point.scroll_into_view_if_needed()
            point.hover()
            seen.page.locator(f"#vg-tooltip-element.visible:has-text('{says}')").wait_for()
            assert "undefined" not in tip.inner_text()
        reached = seen.page.evaluate(
            "[...document.querySelectorAll('.scroll, pre, summary, a')].every(e => e.tabIndex >= 0)"
        )
        assert reached
        seen.page.keyboard.press("Tab")
        assert seen.said == []


def test_without_scripts_the_numbers_are_there(browser: Any, folder: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((folder / "ten.html").as_uri())
    assert "The charts need JavaScript" in page.inner_text("main")
    assert page.locator("table").count() >= 6
    context.close()
