"""The page in a real Chromium: silent, asking for nothing, whole at both widths, legible."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from striate.reporting import ReportInput, render_report

pytestmark = pytest.mark.browser
WIDTHS, SCHEMES = (1280, 390), ("light", "dark")
AXE = importlib.util.find_spec("axe_playwright_python")


@pytest.fixture(scope="module")
def folder(make_report: Callable[..., ReportInput], tmp_path_factory) -> Path:
    here = tmp_path_factory.mktemp("reports")
    long = "an extraordinarily-long-class-name-without-a-place-to-break " * 2
    for name, given in (
        ("ten", make_report(looked=True)),
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


@pytest.mark.skipif(AXE is None, reason="needs axe-core: pip install 'striate[dev]'")
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_axe_finds_nothing(browser: Any, folder: Path, width: int, scheme: str) -> None:
    assert AXE is not None
    assert AXE.origin is not None
    with Seen(browser, (folder / "ten.html").as_uri(), width, scheme) as seen:
        seen.page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        seen.page.evaluate((Path(AXE.origin).parent / "axe.min.js").read_text())
        found = seen.page.evaluate("axe.run(document)")
        assert len(found["passes"]) > 20
        wrong = [
            (one["id"], one["impact"], one["nodes"][0]["html"][:150]) for one in found["violations"]
        ]
        assert wrong == []


LIT = "[...document.querySelectorAll('[data-lit]')].map(e => e.dataset.block)"


def _lit_kinds(page: Any) -> set[str]:
    return set(page.evaluate("[...document.querySelectorAll('[data-lit]')].map(e => e.tagName)"))


def test_a_block_that_is_pointed_at_is_lit_everywhere(browser: Any, folder: Path) -> None:
    with Seen(browser, (folder / "ten.html").as_uri(), 1280, "light") as seen:
        page = seen.page
        assert page.evaluate(LIT) == []
        bar = page.locator(".measure").nth(3).locator("[data-block='stages.1.blocks.2']")
        bar.scroll_into_view_if_needed()
        bar.hover()
        found = page.evaluate(LIT)
        assert set(found) >= {"stages.1.blocks.2", "stages.1"}
        assert not any(name.startswith(("stages.0", "stages.2", "stem")) for name in found)
        # a row of a table, a bar, a point, a tile of the strip, a picture, and a point of a chart
        assert _lit_kinds(page) >= {"TR", "g", "circle", "LI", "DIV", "path"}
        rows = page.locator("tr[data-lit]").count()
        assert rows >= 4  # of the stream, probes, saturation, fields
        assert page.locator(".measure").nth(3).locator(".says").inner_text() == "1.62"
        page.mouse.move(5, 5)
        assert page.evaluate(LIT) == []
        assert " to " in page.locator(".measure").nth(3).locator(".says").inner_text()
        # from a table, too: a click keeps it, Escape lets go
        row = page.locator("#stream tr[data-block='stages.0.blocks.1']")
        row.scroll_into_view_if_needed()
        row.click()
        page.mouse.move(5, 5)
        assert "stages.0.blocks.1" in page.evaluate(LIT)
        assert page.inner_text("#chosen") == "stages.0.blocks.1"
        page.keyboard.press("Escape")
        assert page.evaluate(LIT) == []
        assert seen.said == []


def test_blocks_are_gone_through_with_the_keyboard(browser: Any, folder: Path) -> None:
    with Seen(browser, (folder / "ten.html").as_uri(), 390, "dark") as seen:
        page = seen.page
        page.locator("#brush").focus()
        page.keyboard.press("ArrowRight")
        assert set(page.evaluate(LIT)) >= {"stem.conv"}
        page.keyboard.press("ArrowRight")
        assert "stages.0.blocks.0" in page.evaluate(LIT)
        words = page.get_attribute("#brush", "aria-valuetext")
        assert words.startswith("stages.0.blocks.0: parameters ")
        assert "stream 1," in words
        page.keyboard.press("End")
        assert page.inner_text("#chosen") == "head.fc"
        page.keyboard.press("Escape")
        assert page.get_attribute("#brush", "aria-valuetext") == "none chosen"
        # every place where something can be done is reached with Tab
        page.evaluate("document.activeElement.blur()")
        reached: set[str] = set()
        for _ in range(150):
            page.keyboard.press("Tab")
            reached.add(
                page.evaluate("document.activeElement.id || document.activeElement.className")
            )
        assert {"brush", "under taken", "under given", "numbers kernel", "scroll"} <= reached


def _numbers(page: Any, kind: str) -> list[float]:
    cells = page.locator(f"table.{kind}").first.locator("td").all_inner_texts()
    return [_number(cell) for cell in cells]


def _number(text: str) -> float:
    raised = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
    digits, _, power = text.strip().replace("−", "-").partition("·10")
    return float(digits) * 10 ** int(power.translate(raised) or 0)


def test_the_kernel_moves_over_the_image(
    browser: Any, folder: Path, make_report: Callable[..., ReportInput]
) -> None:
    pieces = make_report(looked=True).evidence
    made = next(piece for piece in pieces if piece.name == "mechanics")
    taken, kernel, output = (made.arrays[key] for key in ("input", "kernel", "output"))
    padded = np.pad(taken, ((0, 0), (1, 1), (1, 1)))

    def holds(page: Any, row: int, col: int) -> None:
        """The page shows what the convolution gives at this position."""
        patch = padded[0, 2 * row : 2 * row + 3, 2 * col : 2 * col + 3]
        assert _numbers(page, "patch") == pytest.approx(patch.ravel(), rel=5e-3, abs=1e-4)
        products = (patch * kernel[0]).ravel()
        assert _numbers(page, "products") == pytest.approx(products, rel=6e-3, abs=1e-4)
        said = page.inner_text("#mechanics .sum").split("= ")[-1]
        assert _number(said) == pytest.approx(float(output[row, col]), rel=6e-3)
        frame = page.locator("button.taken rect")
        assert [frame.get_attribute(key) for key in ("x", "y")] == [
            f"{2 * col - 1}",
            f"{2 * row - 1}",
        ]

    with Seen(browser, (folder / "ten.html").as_uri(), 1280, "light") as seen:
        page = seen.page
        holds(page, 1, 2)
        given = page.locator("button.given")
        given.scroll_into_view_if_needed()
        given.focus()
        for key in ("ArrowDown", "ArrowDown", "ArrowRight", "ArrowUp"):
            page.keyboard.press(key)
        holds(page, 2, 3)
        assert "row 2, column 3" in given.get_attribute("aria-label")
        # the pointer: the middle of the place of row 10, column 5 in the output
        box = given.bounding_box()
        side = len(output)
        page.mouse.move(
            box["x"] + box["width"] * 5.5 / side, box["y"] + box["height"] * 10.5 / side
        )
        holds(page, 10, 5)
        # over the image: pixel (6, 8) is the middle of the kernel at (3, 4)
        box = page.locator("button.taken").bounding_box()
        page.mouse.move(box["x"] + box["width"] * 8.5 / 32, box["y"] + box["height"] * 6.5 / 32)
        holds(page, 3, 4)
        # at the edge it stays, over padding
        page.locator("button.taken").focus()
        for _ in range(20):
            page.keyboard.press("ArrowUp")
            page.keyboard.press("ArrowLeft")
        holds(page, 0, 0)
        # pointed at, the kernel walks by itself; left, it stands
        page.locator("table.kernel").first.hover()
        page.locator("button.given:not([aria-label*='row 0, column 0'])").wait_for()
        page.mouse.move(5, 5)
        stood = page.locator("button.given").get_attribute("aria-label")
        page.wait_for_timeout(400)
        assert page.locator("button.given").get_attribute("aria-label") == stood
        assert seen.said == []


def test_who_wants_no_motion_has_none(browser: Any, folder: Path) -> None:
    context = browser.new_context(reduced_motion="reduce")
    page = context.new_page()
    page.goto((folder / "ten.html").as_uri())
    page.wait_for_selector("html[data-charts=drawn]", state="attached")
    page.locator("table.kernel").first.hover()
    page.wait_for_timeout(500)
    assert "row 1, column 2" in page.locator("button.given").get_attribute("aria-label")
    context.close()


def test_on_paper_it_is_black_on_white_and_nothing_is_cut_off(browser: Any, folder: Path) -> None:
    with Seen(browser, (folder / "ten.html").as_uri(), 794, "dark") as seen:
        page = seen.page
        page.emulate_media(media="print")
        colours = page.evaluate(
            "[getComputedStyle(document.documentElement).backgroundColor,"
            " getComputedStyle(document.documentElement).color]"
        )
        assert colours == ["rgb(255, 255, 255)", "rgb(0, 0, 0)"]
        for gone in ("nav", ".brush", ".skip"):
            assert not page.locator(gone).first.is_visible()
        cut = page.evaluate(
            "[...document.querySelectorAll('.scroll')].filter(e => e.clientHeight > 0"
            " && e.scrollHeight > e.clientHeight + 2).length"
        )
        assert cut == 0
        assert len(page.pdf()) > 50_000


def test_it_is_under_six_megabytes(folder: Path) -> None:
    assert max(page.stat().st_size for page in folder.glob("*.html")) < 6_000_000
