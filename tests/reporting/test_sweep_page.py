"""The page of a sweep: its numbers, its policy, and how it answers in a real Chromium."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from striate.records import Finding
from striate.records.sweep import SweepAxis, SweepData, SweepPoint, SweepResult, SweepRun
from striate.reporting import render_sweep
from striate.reporting.sweep_charts import front_chart

WIDTHS, SCHEMES = (1280, 390), ("light", "dark")


def made(seeds: int = 3, *, latency: bool = True, name: str = "resnet20") -> SweepResult:
    """Nine designs of three series, one refused, one stopped, one failed."""
    points: list[SweepPoint] = []
    for n, (depth, width) in enumerate((d, w) for d in (8, 14, 20) for w in (8, 16, 32)):
        runs = [
            SweepRun(
                seed=seed, state="finished", epochs=5, curve=(0.1, 0.5), attempts=1,
                val_accuracy=0.5 + 0.04 * n + 0.01 * seed, accuracy=0.45 + 0.04 * n + 0.02 * seed,
                loss=0.4, seconds=12.0, run=f"sweeps/s/runs/{n}-{seed}",
            )
            for seed in range(seeds)
        ]  # fmt: skip
        if n == 4:
            runs[0] = SweepRun(seed=0, state="stopped", epochs=5, why="stopped after epoch 3")
        if n == 5:
            runs[0] = SweepRun(seed=0, state="failed", epochs=5, why="the loss became nan")
        points.append(
            SweepPoint(
                name=f"{name}-depth{depth}-width{width}", base=name, series=(f"width {width}",),
                axes={"depth": depth, "width": width}, image=(3, 32, 32), params=1000 * (n + 1),
                macs=100_000 * depth * width, activations=5000 * (n + 1), toml='name = "a<b"\n',
                runs=tuple(runs), latency=0.001 * (9 - n) if latency else None,
                findings=(Finding(code="PA301", name="bias", severity="warning", path="stem",
                                  message="a <b> bias"),) if n == 0 else (),
            )
        )  # fmt: skip
    points.append(
        SweepPoint(
            name=f"{name}-depth26", base=name, series=("width 8",), axes={"depth": 26},
            image=(3, 4, 4), refused="SH100 forward-fails: <it> stops",
        )
    )  # fmt: skip
    return SweepResult(
        name="photos-resnet20-depth-width",
        data=SweepData(name="photos", fingerprint="ab" * 16, classes=4,
                       images={"train": 700, "val": 100, "test": 200}),
        bases=(name,),
        axes=(SweepAxis(name="depth", values=("8", "14", "20")),),
        rules=(), budget=None, seeds=tuple(range(seeds)), points=tuple(points),
        judge="validation", setting="fp32", machine="a processor" if latency else None,
        latency_batch=1, command="striate sweep photos --arch resnet20", date="2020-01-01",
        versions={"striate": "0.1.0"},
    )  # fmt: skip


def test_it_holds_every_number_and_names_no_address() -> None:
    html = render_sweep(made())
    text = re.sub(r"<script>.*?</script>", "", html, flags=re.DOTALL)
    assert "https://" not in text
    assert "http://" not in text
    assert "default-src &#x27;none&#x27;" in text
    # the best design: validation 0.82, 0.83, 0.84: mean 0.83, error 0.01 / √3
    assert "83.00\u00a0±\u00a00.58\u00a0%" in text
    assert "striate sweep photos --arch resnet20" in text


def test_what_came_from_outside_is_escaped() -> None:
    html = render_sweep(made(name="<img src=x>"))
    assert "<img src=x>" not in html
    assert "a &lt;b&gt; bias" in html
    assert "&lt;it&gt; stops" in html


def test_what_was_not_trained_says_why() -> None:
    html = render_sweep(made())
    section = html.split('id="refused"')[1].split("</section>")[0]
    for said in ("SH100 forward-fails", "stopped after epoch 3", "the loss became nan"):
        assert said in section


def test_the_chart_has_the_points_bars_and_front_of_the_records() -> None:
    result = made()
    spec = front_chart(result, "macs", "validation")
    assert spec is not None
    lines, edge, bars, points = spec["layer"]
    rows = points.get("data", spec.get("data"))["values"]
    assert {row["design"] for row in rows} == {
        point.name for point in result.points if point.judged("validation") is not None
    }
    best = next(row for row in rows if row["design"].endswith("depth20-width32"))
    assert (best["low"], best["high"]) == (
        pytest.approx(0.83 - 0.01 / 3**0.5),
        pytest.approx(0.83 + 0.01 / 3**0.5),
    )
    front = [row["design"] for row in edge["data"]["values"]]
    assert tuple(front) == result.front("macs")
    assert bars["encoding"]["y"]["field"] == "low"
    assert len(lines["data"]["values"]) == len(rows)


def test_without_latency_it_is_no_choice_and_one_seed_has_no_bars() -> None:
    html = render_sweep(made(1, latency=False))
    assert 'value="macs"' in html
    assert 'value="latency"' not in html
    assert "There was one seed, so there are no error bars." in html


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    page: Path = tmp_path_factory.mktemp("sweep") / "sweep.html"
    page.write_text(render_sweep(made()))
    return page.as_uri()


@pytest.mark.browser
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_silent_whole_and_legible(
    browser: Any, address: str, contrast: str, width: int, scheme: str
) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(address)
    page.wait_for_selector("html[data-charts=drawn]", state="attached")
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert said == []
    assert asked == [address]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    texts, (least, text, colour) = page.evaluate(contrast)
    assert texts > 100
    assert least >= 4.5, (text, colour)
    context.close()


@pytest.mark.browser
def test_the_switch_redraws_and_a_point_opens_its_design(browser: Any, address: str) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(address)
    page.wait_for_selector("html[data-charts=drawn]", state="attached")
    titles = "[...document.querySelectorAll('#front-chart svg text')].map(t => t.textContent)"
    assert "MACs" in page.evaluate(titles)
    page.locator("input[name=cost][value=latency]").check(force=True)
    page.wait_for_function(f"{titles}.includes('measured latency of one image (ms)')")
    page.locator("input[name=judge][value=test]").check(force=True)
    page.wait_for_function(f"{titles}.includes('test accuracy')")
    shown = "[...document.querySelectorAll('[data-front]')].filter(w => !w.hidden).length"
    assert page.evaluate(shown) == 1
    assert page.locator("details.design[open]").count() == 0
    page.wait_for_selector("html[data-charts=drawn]", state="attached")
    page.locator("#front-chart .mark-symbol path").first.click()
    page.wait_for_function("document.querySelectorAll('details.design[open]').length === 1")
    opened = page.locator("details.design[open]")
    assert 'name = "a<b"' in opened.inner_text()
    link = page.locator("#table a").last
    link.click()
    page.wait_for_function("document.querySelectorAll('details.design[open]').length === 2")
    page.close()
