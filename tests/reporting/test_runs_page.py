"""The page of runs side by side: its numbers, its policy, its curves, and a real Chromium."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from striate.records import EpochRecord
from striate.records.run_list import Gap, ListedRun, RunsCompared, SickLayer, differences, ordered
from striate.reporting import render_runs
from striate.reporting.runs_charts import curves_chart

WIDTHS, SCHEMES = (1280, 390), ("light", "dark")


def curve(epochs: int, *, loss: float = 2.0) -> tuple[EpochRecord, ...]:
    return tuple(
        EpochRecord(
            epoch=n, epochs=epochs, step=10 * n, train_loss=loss / n, train_accuracy=1 - 0.9 / n,
            val_loss=1.2 * loss / n, val_accuracy=1 - 0.95 / n, best=True, seconds=90.0,
            images_per_second=100.0,
        )
        for n in range(1, epochs + 1)
    )  # fmt: skip


def made(number: int = 3, *, name: str = "run") -> RunsCompared:
    """So many runs of which the second is unfinished; the third is better by more than chance."""
    runs = [
        ListedRun(
            run=f"runs/{name}-{n}", name=f"{name}-{n}", state="finished", data="photos",
            network="resnet20", params=270_000, accuracy=0.90 + 0.01 * n, loss=0.3, ece=0.02,
            val_accuracy=0.91, epoch=5 + n, epochs=5 + n, step=50, steps=50, seconds=450.0,
            images_per_second=100.0, setting="fp32", when=1e9,
        )
        for n in range(number)
    ]  # fmt: skip
    runs[1] = replace(
        runs[1], state="interrupted", accuracy=None, loss=None, ece=None, epoch=2, epochs=6
    )
    gap = Gap(images=400, only_first=4, only_this=24, accuracy=0.05, error=0.0129)
    settings = [{"lr": 0.1 * (n + 1), "note": f"<i>{n}</i>", "clip": 1.0} for n in range(number)]
    return RunsCompared(
        runs=tuple(runs),
        differences={"recipe": differences(settings), "network": (), "data": (), "versions": ()},
        gaps=(None, None, *(gap for _ in range(number - 2))),
        curves=(curve(5), curve(2), *(curve(5 + n) for n in range(2, number))),
        notes=("run-1 is not finished: interrupted at epoch 2 of 6.",),
    )


def text_of(html: str) -> str:
    return re.sub(r"<script>.*?</script>", "", html, flags=re.DOTALL)


def test_it_holds_every_number_and_names_no_address() -> None:
    text = text_of(render_runs(made()))
    assert "https://" not in text
    assert "http://" not in text
    assert "default-src &#x27;none&#x27;" in text
    results = text.split('id="results"')[1].split("</section>")[0]
    for said in ("92.00\u00a0%", "+5.00 ± 1.29", "270\u00a0k", "2 of 6", "interrupted"):
        assert said in results
    assert "run-2 is the most accurate on its test images: 92.00\u00a0%." in text
    assert "+5.00 ± 1.29 points." in text  # over two errors: chance is not named
    recipe = text.split('id="recipe"')[1].split("</section>")[0]
    for said in ("lr", "0.1", "0.2"):
        assert f"<code>{said}</code>" in recipe
    assert "clip" not in recipe
    assert "The same in all." in text.split('id="network"')[1].split("</section>")[0]


def test_a_gap_that_chance_could_make_says_so() -> None:
    compared = made()
    gap = Gap(images=400, only_first=10, only_this=14, accuracy=0.01, error=0.01224)
    text = text_of(render_runs(replace(compared, gaps=(None, None, gap))))
    assert "+1.00 ± 1.22 points, which chance could make." in text


def test_layers_that_ail_are_named_with_their_step() -> None:
    compared = made()
    said = text_of(render_runs(compared)).split('id="layers"')[1].split("</section>")[0]
    assert "None of them has a record of its layers." in said
    layer = SickLayer(layer="stages.1.<b>relu", what="12 of 16 channels dead", step=1240, epoch=3)
    first, second, third = compared.runs
    some = (replace(first, looks=50), second, replace(third, looks=40, sick=(layer,)))
    said = text_of(render_runs(replace(compared, runs=some)))
    said = said.split('id="layers"')[1].split("</section>")[0]
    row = said.split("<tbody>")[1].split("</tbody>")[0]
    assert "run-2" in row
    assert "run-0" not in row
    for cell in ("<code>stages.1.&lt;b&gt;relu</code>", "12 of 16 channels dead", "1,240", "3"):
        assert cell in row
    assert "Layers were looked at in 40 to 50 steps of each training" in said
    assert "No record: run-1." in said
    some = (replace(first, looks=50), second, replace(third, looks=50))
    said = text_of(render_runs(replace(compared, runs=some)))
    assert "Nothing was lastingly wrong with a layer." in said


def test_what_came_from_outside_is_escaped() -> None:
    html = render_runs(made(name="<img src=x>"))
    assert "<img src=x>" not in html
    assert "&lt;i&gt;1&lt;/i&gt;" in html


def rows_of(spec: dict[str, Any]) -> list[dict[str, Any]]:
    return spec["layer"][-1].get("data", spec.get("data"))["values"]


def test_the_curves_are_the_records() -> None:
    compared = made()
    spec = curves_chart(compared, "accuracy", "seconds")
    assert spec is not None
    rows = rows_of(spec)
    assert len(rows) == 2 * (5 + 2 + 7)
    third = [row for row in rows if row["run"] == 2 and row["split"] == "validation"]
    assert [row["value"] for row in third] == [one.val_accuracy for one in compared.curves[2]]
    assert [row["seconds"] for row in third] == pytest.approx([1.5 * n for n in range(1, 8)])
    assert spec["layer"][0]["encoding"]["x"]["title"] == "training time (min)"
    loss = curves_chart(compared, "loss", "epoch")
    assert loss is not None
    assert loss["layer"][0]["encoding"]["y"]["scale"] == {"nice": True, "zero": False}


def test_losses_far_apart_are_on_a_log_scale_and_no_epoch_is_no_chart() -> None:
    compared = made()
    far = replace(compared, curves=(*compared.curves[:2], curve(3, loss=500.0)))
    spec = curves_chart(far, "loss", "epoch")
    assert spec is not None
    assert spec["layer"][0]["encoding"]["y"]["scale"]["type"] == "log"
    none = replace(compared, curves=((), (), ()))
    assert curves_chart(none, "loss", "epoch") is None
    assert "No run has ended an epoch yet." in render_runs(none)


def test_a_single_epoch_is_a_point() -> None:
    compared = made()
    spec = curves_chart(replace(compared, curves=(curve(1), *compared.curves[1:])), "loss", "epoch")
    assert spec is not None
    marks = [layer["mark"] for layer in spec["layer"]]
    assert [(mark["type"], mark.get("size")) for mark in marks][2:] == [
        ("point", 40),
        ("point", None),
    ]
    lone = spec["layer"][2]["data"]["values"]
    assert {(row["run"], row["split"]) for row in lone} == {(0, "training"), (0, "validation")}


def test_runs_are_ordered_by_any_key_unknown_ones_last() -> None:
    runs = made().runs
    assert [run.name for run in ordered(runs, "accuracy")] == ["run-2", "run-0", "run-1"]
    back = [run.name for run in ordered(runs, "accuracy", reverse=True)]
    assert back == ["run-0", "run-2", "run-1"]
    assert [run.name for run in ordered(runs, "when")] == ["run-0", "run-1", "run-2"]
    assert [run.name for run in ordered(runs, "epochs")] == ["run-2", "run-0", "run-1"]


def test_tables_and_lists_of_settings_are_entered() -> None:
    found = differences(
        [{"a": {"b": 1}, "rows": [{"w": 1}, {"w": 2}], "image": (3, 8, 8)},
         {"a": {"b": 1}, "rows": [{"w": 1}, {"w": 3}], "image": (3, 8, 9), "c": None}]
    )  # fmt: skip
    assert {one.key: one.values for one in found} == {
        "rows.1.w": (2, 3),
        "image": ([3, 8, 8], [3, 8, 9]),
    }


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    page: Path = tmp_path_factory.mktemp("runs") / "runs.html"
    page.write_text(render_runs(made(10)))
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
    assert page.locator(".chart svg").count() == 4
    # a line for each run and split in each chart
    assert page.locator("#loss-epoch .mark-line path").count() == 20
    texts, (least, text, colour) = page.evaluate(contrast)
    assert texts > 100
    assert least >= 4.5, (text, colour)
    context.close()
