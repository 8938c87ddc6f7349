"""The probe's table: settings, compiled or not, what was chosen and why."""

from __future__ import annotations

from dataclasses import replace

from rich.console import Console

from striate.cli.fitting import probe_table, why_setting
from striate.records import ProbeResult
from striate.training import Probe

PLAIN = ProbeResult(
    setting="bf16", images_per_second=1204.3, deviation=0.0311, tolerance=0.5, agrees=True,
    chosen=True,
)  # fmt: skip
FP32 = replace(PLAIN, setting="fp32", images_per_second=402.0, deviation=0.0, chosen=False)
COMPILED = replace(
    PLAIN,
    images_per_second=1262.0,
    compile="on",
    compile_seconds=53.6,
    why="saves 31 s in this run",
    chosen=False,
)


def shown(*results: ProbeResult) -> list[str]:
    """The table's lines, with one space where there are several."""
    console = Console(width=100, color_system=None)
    with console.capture() as caught:
        console.print(probe_table(Probe(results=results, measured="")))
    return [" ".join(line.split()) for line in caught.get().splitlines()]


def test_without_compiling_there_is_no_column_for_it() -> None:
    assert shown(FP32, PLAIN) == [
        "setting images/s off fp32 by",
        "fp32 402",
        "bf16 1,204 3.11% chosen",
    ]


def test_what_compiling_takes_and_saves() -> None:
    assert shown(PLAIN, COMPILED) == [
        "setting images/s off fp32 by compile",
        "bf16 1,204 3.11% chosen",
        "bf16, compiled 1,262 3.11% 54 s saves 31 s in this run",
    ]
    taken = replace(COMPILED, chosen=True, why="saves 9 min in this run")
    assert shown(taken)[1].endswith("54 s chosen: saves 9 min in this run")
    odd = replace(COMPILED, agrees=False, deviation=0.9)
    assert shown(odd)[1].endswith("90.00% 54 s refused: more than 50%")
    graphs = replace(COMPILED, setting="fp32", compile="graphs")
    assert shown(graphs)[1].startswith("fp32, CUDA graphs 1,262 3.11%")


def test_the_sentence_below() -> None:
    def said(*results: ProbeResult) -> str:
        return why_setting(Probe(results=results, measured=""))

    allowed = "the fastest that agrees with fp32 (loss and gradient to 50%)"
    assert said(FP32, PLAIN) == f"bf16: {allowed}"
    assert said(FP32, PLAIN, COMPILED) == f"bf16: {allowed}"
    taken = replace(COMPILED, chosen=True)
    left = replace(PLAIN, chosen=False)
    assert said(FP32, left, taken) == f"bf16: {allowed}; its steps are compiled"
    assert said(left, taken) == "bf16, as was asked for; its steps are compiled"
