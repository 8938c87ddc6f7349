"""The lines that move while a network is trained."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from striate.cli.fitting_live import Curve, Curves, TrainingBar, sparkline
from striate.records import EpochRecord, StepRecord


def step(number: int, loss: float, accuracy: float) -> StepRecord:
    return StepRecord(
        epoch=1, step=number, steps=100, images=10, loss=loss, accuracy=accuracy, lr=0.1,
        seconds=0.1,
    )  # fmt: skip


def epoch(val: float | None) -> EpochRecord:
    return EpochRecord(
        epoch=1, epochs=3, step=5, train_loss=1.0, train_accuracy=0.5, val_loss=1.0,
        val_accuracy=val, best=True, seconds=1.0, images_per_second=100.0,
    )  # fmt: skip


def falling() -> Curves:
    curves = Curves()
    for number in range(1, 101):
        curves.step(step(number, 2.3 - 0.02 * number, number / 100))
    return curves


@pytest.mark.parametrize("count", [1, 255, 256, 257, 1000, 100_000])
def test_a_curve_keeps_the_whole_in_few_numbers(count: int) -> None:
    curve = Curve()
    for value in range(count):
        curve.add(float(value))
    values = curve.values
    assert len(values) <= 256
    assert values == sorted(values)
    assert values[0] <= count / 100
    assert values[-1] >= 0.98 * (count - 1)


def test_sparklines() -> None:
    assert sparkline([], 5) == ""
    assert sparkline([1.0], 5) == "▁"
    assert sparkline([2.0, 1.0], 5) == "█▁"
    assert sparkline(list(range(100)), 4) == "▁▃▆█"
    assert sparkline([0, 7], 2, blocks="ab") == "ab"


@pytest.mark.parametrize("width", [20, 40, 60, 80, 200])
def test_the_line_fits(width: int) -> None:
    curves = falling()
    curves.epoch(epoch(0.912))
    assert len(curves.line(width)) <= width


def test_the_line_says_where_it_is() -> None:
    assert Curves().line(80) == ""
    curves = falling()
    line = curves.line(80)
    assert line.startswith("loss 0.480 █")
    assert "▁  acc 91.0% ▁" in line
    assert line.endswith("█")
    assert "val" not in line
    curves.epoch(epoch(None))
    assert "val" not in curves.line(80)
    curves.epoch(epoch(0.5))
    curves.epoch(epoch(0.912))
    assert curves.line(80).endswith("  val 91.2% ▁█")


@pytest.mark.parametrize(("encoding", "blocks"), [("utf-8", "█"), ("ascii", "#")])
def test_bar_and_curves(encoding: str, blocks: str) -> None:
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="replace")
    console = Console(file=file, width=80, force_terminal=True)
    bar = TrainingBar(falling(), console, redirect_stdout=False)
    bar.add_task("", total=100, text="epoch 1/3")
    with console.capture() as capture:
        for part in bar.get_renderables():
            console.print(part)
    shown = capture.get()
    assert "epoch 1/3" in shown
    assert "loss 0.480 \x1b" in shown or f"loss 0.480 {blocks}" in shown
