"""A sweep as far as it is: the plan's designs, with what the study knows of their trainings."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from striate.flow.sweep_entries import Entry
from striate.flow.sweep_options import SweepOptions
from striate.flow.sweep_plan import Plan
from striate.flow.sweep_prune import STOPPING
from striate.records.sweep import State, SweepPoint, SweepResult, SweepRun
from striate.runs import processor, versions


def result_of(
    plan: Plan,
    options: SweepOptions,
    entries: Sequence[Entry],
    *,
    setting: str | None,
    latency: Mapping[str, float] | None = None,
) -> SweepResult:
    """``latency``: seconds by the names of designs, where they were measured."""
    known: dict[str, list[Entry]] = {}
    for entry in entries:
        known.setdefault(entry.key, []).append(entry)
    runs: dict[str, list[SweepRun]] = {}
    for task in plan.tasks:
        design = plan.designs[task.design]
        run = _run(task.seed, design.recipe.epochs, known.get(task.key, []))
        runs.setdefault(design.point.name, []).append(run)
    seconds = latency or {}
    points: list[SweepPoint] = [
        replace(
            point,
            runs=tuple(sorted(runs.get(point.name, []), key=lambda run: run.seed)),
            latency=seconds.get(point.name),
        )
        for point in plan.points
    ]
    return SweepResult(
        name=plan.name,
        data=plan.data,
        bases=plan.bases,
        axes=plan.axes,
        rules=plan.rules,
        budget=plan.budget,
        seeds=options.seeds,
        points=tuple(points),
        judge=plan.judge,
        setting=setting,
        machine=processor() if seconds else None,
        latency_batch=options.latency_batch,
        command=options.command or f"striate sweep {plan.spec}",
        date=time.strftime("%Y-%m-%d", time.gmtime()),
        stopping=STOPPING if options.prune else None,
        versions=versions(),
    )


def _run(seed: int, epochs: int, entries: Sequence[Entry]) -> SweepRun:
    """One training, however often it was taken up."""
    if not entries:
        return SweepRun(seed=seed, state="waiting", epochs=epochs)
    last = entries[-1]
    state: State = "waiting" if last.state == "lost" else last.state
    curve: dict[int, float] = {}
    for entry in entries:
        curve.update(entry.curve)
    facts = last.facts
    told = facts.get("curve")
    values = [value for value in told if value is not None] if told else list(curve.values())
    worker = last.worker
    return SweepRun(
        seed=seed,
        state=state,
        epochs=epochs,
        curve=tuple(values),
        val_accuracy=facts.get("val_accuracy"),
        accuracy=facts.get("accuracy"),
        loss=facts.get("loss"),
        seconds=facts.get("seconds"),
        attempts=sum(1 for entry in entries if entry.worker),
        run=facts.get("run"),
        worker=str(worker["id"]) if worker else None,
        why=last.why,
    )
