"""What the page says, in what order, and what it must never contain."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from striate.records import Evidence
from striate.reporting import ReportInput, render_report

Make = Callable[..., ReportInput]
SPACE = "\u00a0"
VOID = {"img", "meta", "col", "br", "hr", "input"}


class Page(HTMLParser):
    """The page's tags, text and attributes; fails on tags that do not close as they opened."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.data: dict[str, list[str]] = {"script": [], "style": []}
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in self.data:
            self.data[self.open[-1]].append(data)
        else:
            self.words.append(data)

    @property
    def text(self) -> str:
        return "".join(self.words).replace(SPACE, " ")

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]


@pytest.fixture(scope="module")
def given(make_report: Make) -> ReportInput:
    return make_report()


@pytest.fixture(scope="module")
def page(given: ReportInput) -> Page:
    return Page(render_report(given))


def test_the_verdict_is_one_sentence_with_its_uncertainty(page: Page, given: ReportInput) -> None:
    right = int(np.trace(given.evaluation.confusion))
    assert f"resnet20 classifies {right} of 600 test images correctly" in page.text
    assert re.search(r"with a 95 % interval from \d\d\.\d % to \d\d\.\d %", page.text)
    assert f"It has {given.trace.totals.params:,} parameters" in page.text
    assert "trained on 45,000 images of cifar in 36 min" in page.text


def test_the_table_says_what_compiling_takes_and_saves(given: ReportInput, page: Page) -> None:
    last = given.probe[-1]
    row = replace(last, compile="on", compile_seconds=53.6, why="saves 31 s in this run")
    rows = (*given.probe[:-1], last, replace(row, chosen=False, images_per_second=2000.0))
    text = Page(render_report(replace(given, probe=rows))).text
    for words in ("bf16-channels-last, compiled", "s to compile", "agrees; saves 31 s in this run"):
        assert words in text
        assert words not in page.text


def test_the_sections_come_in_order(page: Page) -> None:
    assert [attrs["id"] for attrs in page.all("section")] == [
        "axis", "network", "maps", "filters", "confusions", "classes", "calibration", "errors",
        "checks", "findings", "training", "setting", "data", "made",
    ]  # fmt: skip
    links = [attrs["href"] for attrs in page.all("a")]
    assert all(f"#{attrs['id']}" in links for attrs in page.all("section"))


def test_everything_asked_for_is_there(page: Page) -> None:
    for words in (
        "32×32×16",  # a stage's map
        "field 15 px: 22 % of the image",
        "S104 whole-field",
        "2 layers are unproductive",
        "take two blocks from stage 3",
        "bf16-channels-last was taken: 1,931 images per second",
        "12 epochs in 36 min",
        "most often",
        "The expected calibration error over 15 bins is",
        "The 12 most confident of 63 mistakes.",
        "16 of 24 filters of 3×3 pixels",
        "8 filters are left out, being more than 50 % the random weights they started with.",
        "15 channels are left out, more than 50 % of which was drawn before training already.",
        "Image 17 of the test split: class 3, called class 3 with 98.1 %",
        "3 channels are 0 everywhere",
        "10 grey images were repeated over three channels.",
        "striate fit ../data/cifar --image 3x32x32 --epochs 12",
        "lr = 0.1",
        "torch 2.13.0",
    ):
        assert words in page.text, words


def test_no_findings_is_said(given: ReportInput) -> None:
    assert "No findings." in Page(render_report(replace(given, findings=()))).text


def test_it_asks_for_nothing(page: Page) -> None:
    for _, attrs in page.tags:
        for key in ("src", "href", "srcset", "action", "data", "poster"):
            value = attrs.get(key)
            assert value is None or value.startswith(("data:image/png;base64,", "#")), value
    assert "url(" not in "".join(page.data["style"])
    assert "@import" not in "".join(page.data["style"])
    policy = next(m["content"] for m in page.all("meta") if "http-equiv" in m)
    assert policy is not None
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert "unsafe" not in policy
    for spec in page.data["script"][:-2]:
        assert "http" not in spec


def test_names_from_outside_are_text(make_report: Make) -> None:
    evil = "</script><img src=x onerror=alert(1)> & \"q\" 'e'\\"
    made = make_report(classes=3)
    names = (evil, "b", evil)
    given = replace(
        made,
        run=replace(made.run, name=evil, arch=evil, command=evil, texts={evil: evil}),
        data=replace(made.data, name=evil, classes=names, notes=(evil,)),
        evaluation=replace(made.evaluation, classes=names),
        findings=[replace(made.findings[0], path=evil, message=evil, fix=evil)],
    )
    html = render_report(given)
    assert "<img src=x" not in html
    parsed = Page(html)
    assert evil in parsed.text
    assert all("onerror" not in attrs for _, attrs in parsed.tags)
    inside = [text for spec in parsed.data["script"][:-2] for text in _strings(json.loads(spec))]
    assert evil in inside


def _strings(value: object) -> list[str]:
    if isinstance(value, dict):
        return [text for part in value.values() for text in _strings(part)]
    if isinstance(value, list):
        return [text for part in value for text in _strings(part)]
    return [value] if isinstance(value, str) else []


def test_every_picture_has_words(page: Page) -> None:
    assert len(page.all("img")) > 60
    assert all(attrs["alt"] for attrs in page.all("img"))
    assert all(
        attrs.get("aria-label") or attrs.get("aria-hidden") == "true" for attrs in page.all("svg")
    )
    assert all(attrs["aria-label"] for attrs in page.all("div") if attrs.get("role"))


def test_a_picture_that_fails_its_check_is_withheld(given: ReportInput) -> None:
    shown = Page(render_report(given))
    pictures = len([a for a in shown.all("img") if "stages.1, channel" in str(a["alt"])])
    assert pictures == 12
    withheld = Page(render_report(_failed(given, "maps.stages.1")))
    assert not [a for a in withheld.all("img") if "stages.1, channel" in str(a["alt"])]
    assert len([a for a in withheld.all("img") if "stages.2, channel" in str(a["alt"])]) == 12
    assert "Withheld: After stage 2" in withheld.text
    assert "share of the start is 0.97, allowed is at most 0.5" in withheld.text


@pytest.mark.parametrize("name", ["filters", "errors"])
def test_each_kind_can_be_withheld(given: ReportInput, name: str) -> None:
    page = Page(render_report(_failed(given, name)))
    word = {"filters": "filter 2", "errors": "taken for"}[name]
    assert not [a for a in page.all("img") if word in str(a["alt"])]
    assert "share of the start is 0.97" in page.text


def test_what_does_not_apply_says_so(given: ReportInput) -> None:
    pieces = [
        Evidence(name=name, title="t", inapplicable=f"There is nothing here: {name}.")
        for name in ("filters", "maps", "errors")
    ]
    page = Page(render_report(replace(given, evidence=pieces)))
    for piece in pieces:
        assert piece.inapplicable is not None
        assert piece.inapplicable in page.text


def test_it_renders_with_the_least(given: ReportInput) -> None:
    bare = replace(given, findings=(), probe=(), epochs=(), steps=(), evidence=())
    page = Page(render_report(bare))
    assert "It was trained in bf16-channels-last, which was asked for." in page.text
    assert "There is no record of the epochs." in page.text


@pytest.mark.parametrize("classes", [2, 12, 13, 40, 41, 1000])
def test_two_to_a_thousand_classes(make_report: Make, classes: int) -> None:
    given = make_report(classes=classes, images=6000)
    page = Page(render_report(given))
    matrix = any("confusion" in (attrs.get("class") or "") for attrs in page.all("table"))
    assert matrix == (classes <= 40)
    assert ("a matrix cannot be read" in page.text) == (classes > 40)
    assert ("stand together" in page.text) == (13 <= classes <= 40)
    if matrix:
        cells = [a for a in page.all("td") if "taken for" in str(a.get("title"))]
        assert len(cells) == classes**2


@pytest.mark.parametrize(("channels", "size"), [(1, 8), (3, 512), (4, 16)])
def test_grey_small_large_and_many_channels(make_report: Make, channels: int, size: int) -> None:
    given = make_report(channels=channels, size=size, epochs=1)
    html = render_report(given)
    assert len(html) < 3_000_000
    assert f"{size}×{size}×{channels}" in html


def test_the_size_of_an_ordinary_page(given: ReportInput) -> None:
    assert 900_000 < len(render_report(given)) < 1_500_000


def test_no_torch_is_loaded() -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import conftest;"
        "from striate.reporting import render_report;"
        "render_report(conftest.made_up(images=50, epochs=2)); sys.exit('torch' in sys.modules)"
    )
    here = Path(__file__).parent
    assert subprocess.run([sys.executable, "-c", code, here], check=False).returncode == 0


def _failed(given: ReportInput, name: str) -> ReportInput:
    failed = replace(
        next(piece for piece in given.evidence if piece.name == "filters").checks[0],
        value=0.97,
        passed=False,
    )
    return replace(
        given,
        evidence=[
            replace(piece, checks=(failed, *piece.checks)) if piece.name.startswith(name) else piece
            for piece in given.evidence
        ],
    )
