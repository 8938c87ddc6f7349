"""What ``bench/trace.py`` measured, as text for a terminal and as a record."""

from __future__ import annotations

from math import exp, log
from statistics import fmean, median
from typing import Any

from record import Cell, Claim, Column, Hardware, Record, Table
from trace_tools import TOOLS

PEERS = ("torchinfo", "fvcore", "ptflops", "calflops", "torch", "torch-meta", "torchlens")
SHOWN = ("striate", *PEERS)
Cells = dict[str, list[dict[str, Any]]]


def of(cells: Cells, tool: str, model: str, key: str) -> float | None:
    """The median of one quantity over a tool's processes for a model; None if it gave none."""
    found = [cell[key] for cell in cells.get(f"{tool} {model}", []) if key in cell]
    failed = any("error" in cell for cell in cells.get(f"{tool} {model}", []))
    return None if failed or not found else median(found)


def row_of(cells: Cells, model: str, size: tuple[int, ...]) -> dict[str, Cell]:
    """One model's row: every column of the record."""
    bare, forward = (of(cells, "bare", model, key) for key in ("bytes", "forward"))
    ours, traced = of(cells, "striate", model, "seconds"), of(cells, "analysis", model, "trace")
    peak = of(cells, "striate", model, "bytes")
    row: dict[str, Cell] = {"model": model, "image": "×".join(map(str, size))}
    row["bare_s"] = of(cells, "bare", model, "seconds")
    row |= {f"{tool}_s": of(cells, tool, model, "seconds") for tool in SHOWN}
    row |= {f"{tool}_x": _ratio(row[f"{tool}_s"], ours) for tool in PEERS}
    row["forward_ms"] = None if forward is None else forward * 1e3
    row["analysis_ms"] = None if traced is None else traced * 1e3
    row["analysis_x"] = _ratio(traced, forward)
    row["again_x"] = _ratio(*(of(cells, tool, model, "again") for tool in ("analysis", "bare")))
    row["bare_mb"] = None if bare is None else bare / 1e6
    for tool in SHOWN:
        bytes_ = of(cells, tool, model, "bytes")
        row[f"{tool}_mb"] = None if bytes_ is None else bytes_ / 1e6
    row["above_mb"] = None if bare is None or peak is None else (peak - bare) / 1e6
    for tool in SHOWN:
        macs = of(cells, tool, model, "macs")
        row[f"{tool}_macs"] = None if macs is None else macs / 1e9
    return row


def _ratio(one: Cell, other: Cell) -> float | None:
    return one / other if isinstance(one, float) and isinstance(other, float) else None


def geometric(values: list[float]) -> float:
    """The geometric mean."""
    return exp(fmean(log(value) for value in values))


def notes(cells: Cells, models: list[str]) -> list[str]:
    """Who failed, in its own words, and who counted something else, and how far off."""
    said: list[str] = []
    for tool in SHOWN:
        words = {
            cell["error"]: model
            for model in models
            for cell in cells.get(f"{tool} {model}", [])
            if "error" in cell
        }
        said += [f"{tool} fails on {model}: “{error}”" for error, model in words.items()]
    for tool in PEERS:
        off: dict[str, float] = {}
        for model in models:
            theirs, ours = (of(cells, name, model, "macs") for name in (tool, "striate"))
            if theirs is not None and ours:
                off[model] = theirs / ours - 1
        if off:
            worst = max(off, key=lambda model: abs(off[model]))
            same = sum(value == 0 for value in off.values())
            near = sum(abs(value) <= 0.01 for value in off.values())
            far = f"; farthest off for {worst} ({off[worst]:+.1%})" if off[worst] else ""
            said.append(
                f"{tool}: the same total as striate for {same} of {len(off)} models, within 1 % "
                f"for {near}{far}."
            )
    slow = [
        f"{model} ({over:.1f} times: {traced * 1e3:.0f} ms for {forward * 1e3:.0f} ms)"
        for model in models
        if (traced := of(cells, "analysis", model, "trace")) is not None
        and (forward := of(cells, "bare", model, "forward")) is not None
        and (over := traced / forward) > 2
    ]
    if slow:
        said.append(f"The analysis takes more than twice a bare forward for {', '.join(slow)}.")
    few = [
        f"{tool} {model}"
        for tool in SHOWN
        for model in models
        if 0 < len(cells.get(f"{tool} {model}", [])) < most_runs(cells)
    ]
    if few:
        said.append(f"Measured fewer than {most_runs(cells)} times, being slow: {', '.join(few)}.")
    return said


def most_runs(cells: Cells) -> int:
    """How many processes the models and tools had that were not too slow."""
    return max((len(runs) for runs in cells.values()), default=0)


def as_text(cells: Cells, models: list[str]) -> str:
    """The tables and the ratios, as one reads them in a terminal."""
    rows = [row_of(cells, model, ()) for model in models]
    parts: list[str] = []
    for title, unit, names, shown in (
        ("build and analyse", "s", ("bare", *SHOWN), ".2f"),
        ("peak memory", "mb", ("bare", *SHOWN), ".0f"),
        ("total", "macs", SHOWN, ".3f"),
    ):
        written = {"s": "s", "mb": "MB", "macs": "GMACs"}[unit]
        lines = [["", *names]]
        for row in rows:
            numbers = [row[f"{name}_{unit}"] for name in names]
            lines.append(
                [str(row["model"]), *("—" if n is None else format(n, shown) for n in numbers)]
            )
        parts += [f"{title} ({written})", *aligned(lines), ""]
    for key, what in [(f"{tool}_x", f"striate is faster than {tool}") for tool in PEERS]:
        values = [float(row[key]) for row in rows if isinstance(row[key], float)]
        if values:
            least = f"at least {min(values):.1f}, {len(values)} models"
            parts.append(f"{what}: {geometric(values):.1f} times (geometric mean; {least})")
    for key, what in (
        ("analysis_x", "the analysis itself over a bare forward, both for the first time"),
        ("again_x", "the same, both once more in the same process"),
        ("above_mb", "striate's peak above the bare process (MB)"),
    ):
        values = [float(row[key]) for row in rows if isinstance(row[key], float)]
        if values:
            typical = geometric(values) if key.endswith("_x") else fmean(values)
            mean = "geometric mean" if key.endswith("_x") else "mean"
            parts.append(f"{what}: {typical:.2f} ({mean}), {max(values):.2f} at most")
    return "\n".join([*parts, "", *notes(cells, models)])


def aligned(lines: list[list[str]]) -> list[str]:
    """Columns under each other, the first to the left."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if n == 0 else cell.rjust(width)
            for n, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    ]


def as_record(
    cells: Cells,
    sizes: dict[str, tuple[int, int, int]],
    *,
    command: str,
    commit: str,
    changed: bool,
    date: str,
    hardware: Hardware,
    versions: dict[str, str],
) -> Record:
    """The record of a whole run."""
    rows = tuple(row_of(cells, model, size) for model, size in sizes.items())
    used = "; ".join(f"{name}: {TOOLS[name].says}" for name in ("bare", "analysis", *SHOWN))
    return Record(
        title="Tracing, beside other tools",
        what=(
            "Time from the imports to the result (building the model included), peak memory of "
            f"the process, and total MACs, each the median of {most_runs(cells)} processes that "
            "did nothing else (each forked off one that had done the imports, its memory its own "
            "before the clock started). The tools run the model on real numbers, in evaluation "
            "mode, with gradients on or off as the examples of their documentation have them; "
            "striate and the bare process build it on the meta device. What was called: "
            f"{used}."
        ),
        command=command,
        commit=commit,
        changed=changed,
        date=date,
        hardware=hardware,
        versions=versions,
        seeds=(),
        columns=tuple(_columns()),
        rows=rows,
        claims=(
            *(
                Claim(
                    text=f"at least {least} times faster than {tool}",
                    column=f"{tool}_x", by="geometric mean", at_least=least,
                )
                for tool, least in (("torchinfo", 4), ("fvcore", 8))
            ),
            Claim(
                text="the analysis itself takes at most twice a bare forward",
                column="analysis_x", by="geometric mean", at_most=2,
            ),
            Claim(
                text="peak memory at most 150 MB above the bare process",
                column="above_mb", by="largest", at_most=150,
            ),
        ),
        notes=tuple(notes(cells, list(sizes))),
        tables=tuple(_tables()),
    )  # fmt: skip


def _columns() -> list[Column]:
    found = [Column(key="model", title="model"), Column(key="image", title="image")]
    found.append(Column(key="bare_s", title="bare", unit="s", shown=".2f"))
    found += [Column(key=f"{tool}_s", title=tool, unit="s", shown=".2f") for tool in SHOWN]
    found += [Column(key=f"{tool}_x", title=tool, unit="×", shown=".1f") for tool in PEERS]
    found.append(Column(key="forward_ms", title="bare forward", unit="ms", shown=".0f"))
    found.append(Column(key="analysis_ms", title="analysis", unit="ms", shown=".0f"))
    found.append(Column(key="analysis_x", title="analysis over forward", unit="×", shown=".2f"))
    found.append(Column(key="again_x", title="both once more", unit="×", shown=".2f"))
    found.append(Column(key="bare_mb", title="bare", unit="MB", shown=".0f"))
    found += [Column(key=f"{tool}_mb", title=tool, unit="MB", shown=".0f") for tool in SHOWN]
    found.append(Column(key="above_mb", title="striate above bare", unit="MB", shown=".0f"))
    found += [Column(key=f"{tool}_macs", title=tool, unit="GMACs", shown=".3f") for tool in SHOWN]
    return found


def _tables() -> list[Table]:
    head = ("model", "image")
    return [
        Table(title="Seconds", columns=(*head, "bare_s", *(f"{tool}_s" for tool in SHOWN))),
        Table(
            title="How many times as long as striate",
            columns=(*head, *(f"{tool}_x" for tool in PEERS)),
        ),
        Table(
            title="The analysis itself",
            columns=(*head, "forward_ms", "analysis_ms", "analysis_x", "again_x"),
        ),
        Table(
            title="Peak memory",
            columns=(*head, "bare_mb", *(f"{tool}_mb" for tool in SHOWN), "above_mb"),
        ),
        Table(title="Total", columns=(*head, *(f"{tool}_macs" for tool in SHOWN))),
    ]
