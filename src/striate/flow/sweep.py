"""``striate sweep``: designs side by side, each trained with several seeds, on one page.

``sweep_events`` is the job, told as it happens; ``sweep`` runs it to its end.  Running the same
command again goes on where it stopped.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Generator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from striate.errors import InputError, Interrupted, OutputError, StorageError
from striate.flow.fit import Reading
from striate.flow.settings import device_name
from striate.flow.sweep_entries import Settled
from striate.flow.sweep_jobs import write_orders
from striate.flow.sweep_options import SweepOptions
from striate.flow.sweep_plan import Plan, plan_sweep
from striate.flow.sweep_result import result_of
from striate.flow.sweep_storage import hidden
from striate.flow.sweep_study import Study
from striate.flow.sweep_workers import Workers
from striate.records.sweep import SweepResult
from striate.runs import atomic_write, known_setting, processor

TICK_SECONDS = 0.5

LATENCY_TURNS = 3
"""As ``records.sweep.LATENCY`` says."""


@dataclass(frozen=True, kw_only=True)
class Planned:
    """The designs, before anything is trained; whoever stops here has made a dry run."""

    plan: Plan
    result: SweepResult


@dataclass(frozen=True, kw_only=True)
class Measuring:
    """Something that takes seconds is about to be measured."""

    what: str


@dataclass(frozen=True, kw_only=True)
class Begun:
    """Training begins.  ``found``: trainings that had ended before."""

    storage: str
    out: Path
    workers: int
    setting: str
    settled: Settled
    found: int


@dataclass(frozen=True, kw_only=True)
class Progress:
    """The sweep as it is now; ``notes``: what a person should be told."""

    result: SweepResult
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Swept:
    """The sweep is complete.  ``page``: the HTML page, ``document`` the JSON beside it."""

    result: SweepResult
    page: Path
    document: Path


SweepEvent = Planned | Measuring | Begun | Progress | Swept


def sweep(data: str, options: SweepOptions) -> SweepResult:
    """Train every design that ``options`` ask for on ``data``, and say what each bought.

    >>> options = SweepOptions(arch=("resnet20",), axes=("depth=8,14",))
    >>> result = sweep("digits", options)  # doctest: +SKIP
    >>> result.front("macs")  # doctest: +SKIP
    ('resnet20-depth8', 'resnet20-depth14')
    """
    for event in sweep_events(data, options):
        if isinstance(event, Swept):
            return event.result
    raise AssertionError("sweep_events ends with Swept")


def sweep_events(
    data: str, options: SweepOptions, *, reading: Reading | None = None
) -> Generator[SweepEvent]:
    """The whole job, event by event.  ``reading``: as ``fit_events`` takes it."""
    plan = plan_sweep(data, options, reading=reading)
    yield Planned(plan=plan, result=result_of(plan, options, (), setting=None))
    if not plan.designs:
        raise InputError(f"sweep: no design can be trained; {plan.points[0].refused}")
    url = options.storage or f"sqlite:///{plan.out.absolute() / 'study.db'}"
    _refuse_used(plan)
    if options.storage is None:
        _claim(plan)
    with closing(Study(url, plan.name, lease=options.lease, places=plan.out / "workers")) as study:
        yield from _swept(plan, options, study)


def _swept(plan: Plan, options: SweepOptions, study: Study) -> Generator[SweepEvent]:
    _agree(study, plan, options)
    _claim(plan)  # a storage that does not answer leaves no folder

    setting = study.notes().get("setting")
    if setting is None:
        yield Measuring(what="the numeric settings")
        setting = study.agree("setting", _setting(plan, options))
    settled = study.settle(plan.jobs, retry=options.retry)
    before = result_of(plan, options, study.entries(), setting=setting)
    found = sum(run.state in ("finished", "stopped", "failed") for run in before.runs)
    count = min(options.workers, max(1, len(plan.tasks) - found))
    yield Begun(
        storage=hidden(study.url),
        out=plan.out,
        workers=count,
        setting=setting,
        settled=settled,
        found=found,
    )
    if found < len(plan.tasks):
        yield from _trained(plan, options, study, setting, count)

    yield Measuring(what="latency")
    latency = _latency(plan, options, study)
    result = result_of(plan, options, study.entries(), setting=setting, latency=latency)
    if not any(run.state in ("finished", "stopped") for run in result.runs):
        raise InputError(f"sweep: no training came to its end; {result.runs[0].why}")
    yield _written(plan, result)


def _trained(
    plan: Plan, options: SweepOptions, study: Study, setting: str, count: int
) -> Generator[SweepEvent]:
    """Workers, watched until every training has ended."""
    cores = os.cpu_count() or 1
    threads = options.training.threads or max(1, cores // count)
    orders = plan.out / "workers" / f"{study.me['id']}.json"
    orders.parent.mkdir(parents=True, exist_ok=True)
    changes = {"setting": setting, "threads": threads}
    write_orders(orders, plan, lease=options.lease, prune=options.prune, changes=changes)
    workers = Workers(count, orders, study)
    try:
        while True:
            notes = workers.look()
            now = result_of(plan, options, study.entries(), setting=setting)
            yield Progress(result=now, notes=notes)
            if not workers.pids:
                break
            time.sleep(TICK_SECONDS)
    except (KeyboardInterrupt, GeneratorExit):
        workers.stop()
        with suppress(StorageError, OutputError):
            _written(plan, result_of(plan, options, study.entries(), setting=setting))
        raise
    except BaseException:
        workers.stop()
        raise
    finally:
        workers.clean()


def stopped(out: Path | None) -> Interrupted:
    """What is said where a sweep is stopped."""
    if out is None:
        return Interrupted("stopped before training began; nothing was written")
    return Interrupted(f"stopped; what was trained is kept in {out}, and the same command goes on")


def _refuse_used(plan: Plan) -> None:
    """OutputError where the sweep's folder holds something else."""
    mark = plan.out / "plan.json"
    if plan.out.exists() and not plan.out.is_dir():
        raise OutputError(f"{plan.out}: is a file, not a folder; choose another --out")
    if mark.exists():
        try:
            known: dict[str, Any] = json.loads(mark.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise OutputError(f"{mark}: cannot be read ({error}); choose another --out") from error
        _refuse_another(str(plan.out), known, plan.identity, "--name or --out")
    elif plan.out.is_dir() and any(plan.out.iterdir()):
        raise OutputError(
            f"{plan.out}: exists and holds something else than a sweep; choose another --out"
        )


def _claim(plan: Plan) -> None:
    """Make the sweep's folder, and write into it whose it is."""
    try:
        plan.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"{plan.out}: cannot be made ({error.strerror}); choose another --out"
        ) from error
    text = json.dumps(plan.identity, indent=1, ensure_ascii=False) + "\n"
    atomic_write(plan.out / "plan.json", text.encode())


def _agree(study: Study, plan: Plan, options: SweepOptions) -> None:
    """InputError where the study of this name is another sweep's."""
    known = study.agree("sweep", dict(plan.identity))
    where = f"the study {plan.name}" + (f" at {hidden(study.url)}" if options.storage else "")
    _refuse_another(where, known, plan.identity, "--name")


_SAID = {
    "format": "form",
    "data": "data (another fingerprint)",
    "bases": "base networks",
    "axes": "axes",
    "budget": "budgets",
    "recipe": "training settings",
    "prune": "pruning",
}


def _refuse_another(
    where: str, known: Mapping[str, Any], now: Mapping[str, Any], mend: str
) -> None:
    for key, said in _SAID.items():
        if known.get(key) != now[key]:
            what = f"other {said}"
            if key == "axes":
                was, this = (", ".join(one) or "none" for one in (known.get(key, []), now[key]))
                what = f"axes {was}, and now they are {this}"
            raise InputError(
                f"{where} was begun with {what}; name another with {mend}, or ask for the same"
            )


def _setting(plan: Plan, options: SweepOptions) -> str:
    """The one numeric setting of all designs: asked for, or the fastest for the dearest of them."""
    if options.training.setting != "auto":
        return known_setting(options.training.setting)
    from dataclasses import replace

    from striate.data import open_data
    from striate.flow.trials import trial_speed

    dearest = max(plan.designs, key=lambda design: design.point.macs)
    dataset = plan.dataset
    if dataset.image != dearest.arch.image:
        dataset = open_data(plan.spec, replace(plan.opening, image=dearest.arch.image))
    device_name(dearest.recipe.device)
    return trial_speed(dearest.arch, dataset, dearest.recipe).probe.setting


def _latency(plan: Plan, options: SweepOptions, study: Study) -> dict[str, float]:
    """Seconds of each design that was trained, measured once on this kind of machine."""
    from striate.flow.latency import latency
    from striate.scaling import same

    ended = {entry.key for entry in study.entries() if entry.state == "finished"}
    wanted = {task.design for task in plan.tasks if task.key in ended}
    place = f"latency {processor()} {options.latency_batch}"
    known: dict[str, float] = dict(study.notes().get(place, {}))
    keys = {index: _short(same(plan.designs[index].arch)) for index in sorted(wanted)}
    fresh = [index for index, key in keys.items() if key not in known]
    for _ in range(LATENCY_TURNS):
        for index in fresh:
            seconds = latency(plan.designs[index].arch, options.latency_batch)
            known[keys[index]] = min(seconds, known.get(keys[index], seconds))
    if fresh:
        study.note(place, known)
    return {plan.designs[index].point.name: known[key] for index, key in keys.items()}


def _short(text: str) -> str:
    from striate.flow.sweep_place import digest

    return digest(text)[:16]


def _written(plan: Plan, result: SweepResult) -> Swept:
    """The page and the document, in the sweep's folder."""
    from striate.reporting import render_sweep

    page, document = plan.out / "sweep.html", plan.out / "sweep.json"
    text = json.dumps(result.as_json(), indent=1, ensure_ascii=False, allow_nan=False)
    atomic_write(document, (text + "\n").encode())
    atomic_write(page, render_sweep(result).encode())
    return Swept(result=result, page=page, document=document)
