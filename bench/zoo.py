"""Every model of timm: traced to the end, and held against PyTorch's own counter.

    make test   # makes .venv, timm in it
    OMP_NUM_THREADS=1 .venv/bin/python bench/zoo.py

For each model, in this order: ``striate.trace`` of the function that builds it, then the same
model built bare on the meta device and run there once under PyTorch's ``FlopCounterMode``; both in
processor seconds of this one thread.  Where the two totals differ, the counter
is run once more, module by module, and the difference is taken apart operation by operation.

What is done is kept in ``build/bench/zoo.jsonl``: a run that was killed goes on where it was.
``--sample N`` takes every Nth model, ``--models a,b`` those named; neither writes the record.
"""

from __future__ import annotations

import argparse
import gc
import json
import re
import sys
import warnings
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from time import process_time
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from common import ROOT, command, commit, hardware, sources, today, versions, write
from peers import import_peer
from record import Cell, Claim, Column, Record, Table
from striate.flow.reconcile import beside
from striate.tracing import trace

MEASURED = ("src/striate/tracing", "src/striate/records", "src/striate/flow/others")
MOST_UNTRACED = 5


def measured(timm: Any, name: str) -> dict[str, Any]:
    """One model: times, totals, and why they differ where they do."""
    config = timm.get_pretrained_cfg(name)
    size: tuple[int, int, int] = tuple(config.input_size) if config is not None else (3, 224, 224)
    gc.collect()
    row: dict[str, Any] = {"model": name, "image": list(size)}
    start = process_time()
    try:
        ours = trace(lambda: timm.create_model(name), size, name=name)
    except Exception as error:  # noqa: BLE001  # a model that cannot be traced is a result
        return {**row, "failure": f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]}
    row["striate_s"] = process_time() - start
    row |= {"params": ours.totals.params, "macs": ours.totals.macs, "unknown": list(ours.unknown)}
    if ours.failure is not None:
        row["failure"] = f"{ours.failure.path}: {ours.failure.op}: {ours.failure.message}"[:300]
    row |= _bare(timm, name, size)
    if "counter" in row and "failure" not in row and row["counter"] != row["macs"]:
        with torch.device("meta"):
            module = timm.create_model(name).eval()
        found = beside(ours, "torch", module, torch.empty(1, *size, device="meta"))
        row["reasons"] = [
            {"op": one.op, "why": one.why, "count": one.count, "macs": one.difference}
            for one in (*found.explained, *found.leftover)
        ]
        row["unexplained"] = found.unexplained if found.failure is None else found.difference
        row["recount"] = found.total
    return row


def _bare(timm: Any, name: str, size: tuple[int, int, int]) -> dict[str, Any]:
    """Built on the meta device and run there once under the counter: seconds and its total."""
    gc.collect()
    start = process_time()
    with torch.device("meta"):
        module = timm.create_model(name).eval()
    found: dict[str, Any] = {}
    module.requires_grad_(False)  # else the counter's hooks stumble over parameters as inputs
    try:
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            module(torch.empty(1, *size, device="meta"))
        found["counter"] = counter.get_total_flops() // 2
    except Exception as error:  # noqa: BLE001  # the counter's failure is a result
        found["counter_failure"] = f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]
    found["bare_s"] = process_time() - start
    found["numel"] = sum(parameter.numel() for parameter in module.parameters())
    return found


def run(names: Iterable[str], path: Path, head: dict[str, Any]) -> list[dict[str, Any]]:
    """Every model that is not done yet; all rows."""
    timm = import_peer("timm")
    gc.collect()
    gc.freeze()  # nobody pays for walks over what the imports left behind
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    if not lines or json.loads(lines[0]) != head:
        if lines:
            print("beginning anew: what is measured has changed", file=sys.stderr)
        path.write_text(json.dumps(head) + "\n", "utf-8")
        lines = lines[:0]
    rows = {row["model"]: row for row in map(json.loads, lines[1:])}
    if rows:
        print(f"going on after {len(rows)} models that are done", file=sys.stderr)
    wanted = list(names)
    for number, name in enumerate(wanted, 1):
        if name in rows:
            continue
        row = rows[name] = measured(timm, name)
        with path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(row) + "\n")
        for line in remarks(row):
            print(f"{name}: {line}", flush=True)
        if number % 50 == 0:
            print(f"{number} of {len(wanted)}", file=sys.stderr, flush=True)
    return [rows[name] for name in wanted]


def remarks(row: dict[str, Any]) -> list[str]:
    """What is to be said of one model: nothing, if both agree."""
    if "failure" in row and "numel" not in row:
        return [f"not traced: {row['failure']}"]
    said = [f"stops: {row['failure']}"] if "failure" in row else []
    if row["params"] != row["numel"]:
        said.append(f"{row['params']:,} parameters, not {row['numel']:,}")
    if row["unknown"]:
        said.append(f"not understood: {', '.join(row['unknown'])}")
    if "counter_failure" in row:
        said.append(f"the counter fails: {row['counter_failure']}")
    for reason in row.get("reasons", []):
        why = reason["why"] or "not explained"
        said.append(f"counter {reason['macs']:+,}: {reason['op']} ×{reason['count']}: {why}")
    return said


def groups(rows: list[dict[str, Any]]) -> list[dict[str, Cell]]:
    """The zoo's rows by family of models (the letters their names begin with)."""
    by_family: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        by_family.setdefault(family(row["model"]), []).append(row)
    return [
        {
            "family": name,
            "models": len(some),
            "untraced": sum("failure" in row for row in some),
            "params": sum("numel" in row and row["params"] == row["numel"] for row in some),
            "same": sum(row.get("macs") == row.get("counter", -1) for row in some),
            "explained": sum("reasons" in row and not unexplained(row) for row in some),
            "unexplained": sum(unexplained(row) for row in some),
            "uncounted": sum("counter_failure" in row for row in some),
            "striate_s": sum(row.get("striate_s", 0.0) for row in some),
            "bare_s": sum(row.get("bare_s", 0.0) for row in some),
        }
        for name, some in sorted(by_family.items())
    ]


def unexplained(row: dict[str, Any]) -> bool:
    """Whether a part of the totals' difference has no reason."""
    return any(reason["why"] is None for reason in row.get("reasons", []))


def family(name: str) -> str:
    """The letters that a model's name begins with."""
    found = re.match(r"[a-z]+", name.removeprefix("tf_"))
    return found.group() if found is not None else name


def notes(rows: list[dict[str, Any]]) -> list[str]:
    """Models that are not traced, and each reason for which the counter's total differs."""
    said = [f"Not traced to the end: {row['model']} ({row['failure']})." for row in rows
            if "failure" in row]  # fmt: skip
    failing = Counter(row["counter_failure"] for row in rows if "counter_failure" in row)
    said += [f"The counter fails on {n} models: {why}." for why, n in failing.most_common()]
    reasons: dict[tuple[str, str | None], list[str]] = {}
    macs: Counter[tuple[str, str | None]] = Counter()
    for row in rows:
        for reason in row.get("reasons", []):
            key = (reason["op"], reason["why"])
            reasons.setdefault(key, []).append(row["model"])
            macs[key] += reason["macs"]
    for (op, why), models in sorted(reasons.items(), key=lambda pair: -len(set(pair[1]))):
        some = list(dict.fromkeys(models))
        shown = ", ".join(some[:6]) + (f", … ({len(some)} models)" if len(some) > 6 else "")
        said.append(
            f"Counter's total less ours, {macs[op, why]:+,} in all: {op}: "
            f"{why or '**not explained**'}: {shown}."
        )
    return said


def main() -> None:
    options = argparse.ArgumentParser(description="every model of timm, held against the counter")
    options.add_argument("--models", default="", help="their names, with commas")
    options.add_argument("--sample", type=int, default=1, help="every Nth model")
    options.add_argument("--fresh", action="store_true", help="forget what is done already")
    asked = options.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    timm = import_peer("timm")
    names = asked.models.split(",") if asked.models else timm.list_models()[:: asked.sample]
    head, changed = commit()
    used = versions(("torch", "timm", "torchvision"))
    path = ROOT / "build" / "bench" / "zoo.jsonl"
    if asked.fresh:
        path.unlink(missing_ok=True)
    rows = run(names, path, {"src": sources(*MEASURED), "versions": used})
    families = groups(rows)
    total = {key: sum(one[key] for one in families) for key in families[0] if key != "family"}  # type: ignore[misc]  # numbers
    ratio = total["striate_s"] / total["bare_s"]
    print("\n".join(notes(rows)))
    print(", ".join(f"{key} {value:,.10g}" for key, value in total.items()))
    print(f"the whole takes {ratio:.2f} times the bare build and counted forward")
    if asked.models or asked.sample > 1:
        return
    summary: dict[str, Cell] = {"family": "all", **total}
    for one in (*families, summary):
        bare = one["bare_s"]
        one["ratio"] = one["striate_s"] / bare if bare else None  # type: ignore[operator]  # numbers
        one["whole"] = ratio if one is summary else None
    write(
        Record(
            title="Every model of timm",
            what=(
                f"All {len(rows):,} models of timm, each at its own image size: traced by "
                "`striate.trace` from the function that builds it, then built bare on the meta "
                "device and run once under PyTorch's `FlopCounterMode`, one after the other on one "
                "thread, in processor seconds. Parameters are held against `sum(p.numel())`, "
                "multiply-accumulates against half the counter's total; where they differ, module "
                "by module."
            ),
            command=command(), commit=head, changed=changed, date=today(), hardware=hardware(),
            versions=used, seeds=(),
            columns=(
                Column(key="family", title="family"),
                Column(key="models", title="models", shown=",d"),
                Column(key="untraced", title="not traced to the end", shown="d"),
                Column(key="params", title="parameters equal", shown=",d"),
                Column(key="same", title="MACs equal the counter's", shown=",d"),
                Column(key="explained", title="differ, explained", shown="d"),
                Column(key="unexplained", title="differ, not explained", shown="d"),
                Column(key="uncounted", title="counter fails", shown="d"),
                Column(key="striate_s", title="striate", unit="s", shown=".2f"),
                Column(key="bare_s", title="bare and counter", unit="s", shown=".2f"),
                Column(key="ratio", title="ratio", unit="×", shown=".2f"),
                Column(key="whole", title="the whole zoo", unit="×", shown=".2f"),
            ),
            rows=(*families, summary),
            claims=(
                Claim(
                    text=f"at most {MOST_UNTRACED} models are not traced to the end",
                    column="untraced", by="largest", at_most=MOST_UNTRACED,
                ),
                Claim(
                    text="every difference from the counter is explained",
                    column="unexplained", by="largest", at_most=0,
                ),
                Claim(
                    text="the whole zoo in at most 1.5 times its bare build and counted forward",
                    column="whole", by="largest", at_most=1.5,
                ),
            ),
            notes=tuple(notes(rows)),
            tables=(Table(title="", columns=tuple(key for key in families[0] if key != "whole")),),
        ),
        "zoo",
    )  # fmt: skip


if __name__ == "__main__":
    main()
