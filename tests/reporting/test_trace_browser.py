"""The page of a trace in a real Chromium: silent, whole, legible, quick; keys, pointer, picture."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from striate.records import Field, Layer, Totals, Trace
from striate.reporting import ReportInput, render_trace

pytestmark = pytest.mark.browser
WIDTHS, SCHEMES = (1280, 390), ("light", "dark")
BLOCKS = 1200


def field(size: int, stride: int = 1, start: int = 0, least: int = 1) -> Field:
    return Field(
        status="exact", size=(size, size), least=(least, least), stride=(stride, stride),
        start=(start, start),
    )  # fmt: skip


def long() -> Trace:
    """3,601 operations: blocks of three, each bypassed by a sum, in seven stages."""
    layers = [Layer(index=0, path="", op="input", inputs=(), shape=(1, 3, 64, 64), field=field(1))]
    for block in range(BLOCKS):
        into = len(layers) - 1
        for name, op in (("conv", "conv2d"), ("act", "relu"), ("", "add")):
            path = f"stages.{block * 7 // BLOCKS}.blocks.{block}"
            layers.append(
                Layer(
                    index=len(layers), path=f"{path}.{name}".strip("."), op=op,
                    inputs=(len(layers) - 1, into) if op == "add" else (len(layers) - 1,),
                    shape=(1, 16, 64, 64), params=2304 + block if op == "conv2d" else 0,
                    macs=9_437_184 if op == "conv2d" else 0, field=field(3 + 2 * block, 1, -block),
                )
            )  # fmt: skip
    totals = Totals(
        params=sum(layer.params for layer in layers), macs=sum(layer.macs or 0 for layer in layers),
        activations=1, infer_bytes=2**30, train_bytes=2**33,
    )  # fmt: skip
    return Trace(name="long", image=(3, 64, 64), layers=tuple(layers), totals=totals)


@pytest.fixture(scope="module")
def small(make_report: Callable[..., ReportInput]) -> Trace:
    return make_report(size=32).trace


@pytest.fixture(scope="module")
def folder(small: Trace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    here = tmp_path_factory.mktemp("pages")
    name = "an-extraordinarily-long-name-without-a-place-to-break-" * 3
    renamed = replace(
        small,
        name=name,
        layers=tuple(replace(x, path=f"{name}.{x.path}", source=f"{name}.py:1") for x in small),
    )
    for key, trace in (("small", small), ("long", long()), ("named", renamed)):
        (here / f"{key}.html").write_text(render_trace(trace))
    grey = np.tile(np.arange(32, dtype=np.uint8) * 8, (32, 1))
    (here / "picture.html").write_text(render_trace(small, grey))
    return here


class Seen:
    """A page that is open, with everything it said and asked for."""

    def __init__(
        self, browser: Any, address: str, width: int = 1280, scheme: str = "light"
    ) -> None:
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
        self.page.wait_for_selector("html[data-drawn]", state="attached")

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()

    def paths(self) -> list[str]:
        return self.page.evaluate(
            "[...document.querySelectorAll('.line .name')].map(e => e.textContent)"
        )

    def chosen(self) -> str:
        return self.page.inner_text("#facts h2")


@pytest.fixture
def opened(browser: Any, folder: Path) -> Iterator[Callable[..., Seen]]:
    made: list[Seen] = []

    def open_(name: str, *args: Any) -> Seen:
        made.append(Seen(browser, (folder / f"{name}.html").as_uri(), *args))
        return made[-1]

    yield open_
    for seen in made:
        seen.context.close()


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["small", "named", "picture", "long"])
def test_silent_and_whole(opened: Callable[..., Seen], name: str, width: int) -> None:
    seen = opened(name, width)
    assert seen.said == []
    assert [url for url in seen.asked if not url.startswith("data:")] == [seen.page.url]
    assert seen.page.evaluate("document.documentElement.scrollWidth") <= width
    assert seen.page.evaluate(OUTSIDE) == []
    rows = seen.page.locator(".line").count()
    assert 4 <= rows <= 150


OUTSIDE = """() => [...document.querySelectorAll('body *')].filter(e => {
  const box = e.getBoundingClientRect();
  return box.width > 0 && (box.right > innerWidth + 1 || box.left < -1)
    && !e.closest('.skip, .sight svg, .defs');
}).map(e => e.outerHTML.slice(0, 120))"""


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_legible(opened: Callable[..., Seen], contrast: str, width: int, scheme: str) -> None:
    seen = opened("small", width, scheme)
    texts, (least, text, colour) = seen.page.evaluate(contrast)
    assert texts > 60
    assert least >= 4.5, (text, colour)


def test_the_keyboard_goes_everywhere(opened: Callable[..., Seen]) -> None:
    seen = opened("small")
    page = seen.page
    page.click('[data-fold="2"]')
    page.focus('.line[aria-selected="true"]')
    page.keyboard.press("Home")
    assert seen.chosen() == "image"
    page.keyboard.press("ArrowDown")
    assert seen.chosen() == "stem.conv"
    page.keyboard.press("End")
    assert seen.chosen() == "head.fc"
    page.keyboard.press("ArrowUp")
    assert seen.chosen() == "head.pool"
    page.keyboard.press("ArrowLeft")
    assert seen.chosen() == "head"
    before = len(seen.paths())
    page.keyboard.press("ArrowLeft")
    assert len(seen.paths()) == before - 2
    page.keyboard.press("Enter")
    assert len(seen.paths()) == before
    page.keyboard.press("ArrowRight")
    assert seen.chosen() == "head.pool"
    assert page.evaluate("document.activeElement.getAttribute('aria-selected')") == "true"
    assert page.locator('.line[tabindex="0"]').count() == 1
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "find"
    assert seen.said == []


def test_find(opened: Callable[..., Seen]) -> None:
    seen = opened("small")
    seen.page.fill("#find", "blocks.2.conv2")
    shown = seen.paths()
    assert shown.count("conv2") == 3
    assert "conv1" not in shown
    seen.page.fill("#find", "max_pool3d")
    assert seen.paths() == []
    assert seen.page.inner_text(".none") == "Nothing is called that."
    seen.page.fill("#find", "")
    assert "stem.conv" in seen.paths()
    assert seen.said == []


def test_unfolded_it_holds_every_operation(opened: Callable[..., Seen], small: Trace) -> None:
    seen = opened("small")
    seen.page.check("#every")
    seen.page.click('[data-fold="2"]')
    assert seen.page.locator(".line.layer").count() == len(small)
    assert seen.page.locator(".wires circle").count() == len(small)
    # A chain: each operation but the last feeds the next, and nothing else.
    assert seen.page.locator(".wires path").count() == len(small) - 1


def test_three_thousand_rows(opened: Callable[..., Seen]) -> None:
    """Everything unfolded, found again, and the skips drawn: one arc a block around its parts."""
    seen = opened("long")
    seen.page.check("#every")
    seen.page.click('[data-fold="2"]')
    assert seen.page.locator(".line.layer").count() == 1 + 3 * BLOCKS
    assert seen.page.locator(".wires path").count() == 3 * BLOCKS + BLOCKS
    seen.page.fill("#find", "blocks.1199")
    assert seen.paths()[-3:] == ["conv", "act", "·"]
    assert seen.said == []


def test_the_field_is_drawn_to_scale(opened: Callable[..., Seen], small: Trace) -> None:
    """One unit is one pixel, and the frame is the interval of the element that is pointed at."""
    seen = opened("small")
    seen.page.fill("#find", "stages.1.blocks.0.conv2")
    seen.page.keyboard.press("Tab")
    seen.page.locator(".line.layer").first.click()
    assert seen.chosen() == "stages.1.blocks.0.conv2"
    layer = next(x for x in small if x.path == "stages.1.blocks.0.conv2")
    assert layer.field is not None
    middle = layer.shape[2] // 2

    def frame() -> list[float]:
        box = "document.querySelector('.widest')"
        return [
            float(seen.page.evaluate(f"{box}.getAttribute('{key}')"))
            for key in ("x", "y", "width", "height")
        ]

    def expected(row: int, column: int) -> list[float]:
        assert layer.field is not None
        return [
            layer.field.span(1, column)[0], layer.field.span(0, row)[0],
            layer.field.size[1], layer.field.size[0],
        ]  # fmt: skip

    assert frame() == expected(middle, middle)
    seen.page.focus(".sight svg")
    seen.page.keyboard.press("ArrowRight")
    seen.page.keyboard.press("ArrowUp")
    assert frame() == expected(middle - 1, middle + 1)
    box = seen.page.locator(".sight svg .edge").bounding_box()
    assert box is not None
    seen.page.mouse.move(box["x"] + 1, box["y"] + 1)
    assert frame() == expected(0, 0)
    assert "sees 21×21 px" in seen.page.inner_text(".sight p")
    assert box["width"] == pytest.approx(box["height"], abs=0.5)


def test_pointing_shows_and_leaving_returns(opened: Callable[..., Seen]) -> None:
    seen = opened("small")
    chosen = seen.chosen()
    seen.page.locator(".line").first.hover()
    assert seen.chosen() == "image"
    seen.page.locator("h1").hover()
    assert seen.chosen() == chosen


def test_what_is_taken_and_given_can_be_gone_to(opened: Callable[..., Seen]) -> None:
    seen = opened("small")
    seen.page.locator(".line").first.click()
    seen.page.locator("#facts button.jump", has_text="stem.conv").click()
    assert seen.chosen() == "stem.conv"
    assert seen.page.locator(".wires .lit").count() >= 3


def test_dark_is_dark_and_light_is_light(opened: Callable[..., Seen]) -> None:
    grounds = {}
    for scheme in SCHEMES:
        colour = opened("small", 1280, scheme).page.evaluate(
            "getComputedStyle(document.documentElement).backgroundColor"
        )
        grounds[scheme] = sum(int(part) for part in colour[4:-1].split(","))
    assert grounds["dark"] < 100 < 700 < grounds["light"]


def test_without_scripts_the_layers_are_there(browser: Any, folder: Path, small: Trace) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((folder / "small.html").as_uri())
    assert page.locator("noscript table tbody tr").count() == len(small.table().splitlines()) - 1
    assert not page.is_visible("#workbench")
    context.close()
