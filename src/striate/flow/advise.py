"""``striate advise``: which axis of a network to grow next, from what is measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from striate.arch import Arch, load_arch
from striate.checking import check
from striate.data import DataOptions, Dataset, open_data
from striate.errors import InputError
from striate.flow.advise_measures import data_facts, remarks, run_facts, stage_facts, step_facts
from striate.flow.advise_said import sentences
from striate.flow.advise_searched import by_search, search_facts
from striate.flow.advise_verdict import alone_instead, verdict
from striate.flow.base import base_for, named_base
from striate.flow.costs import Costs, Scaled
from striate.flow.data import kept_data, lasting
from striate.flow.sizes import image_option
from striate.records.advice import AdviceFacts, Sentence, Verdict
from striate.records.advice import as_json as facts_json
from striate.runs import RunInfo, RunPaths, load_run
from striate.scaling import (
    Budget,
    Growth,
    Member,
    growth,
    largest,
    named_budgets,
    parse_budgets,
    same,
)
from striate.training import from_toml as recipe_from_toml

STEP = 2.2
"""Times the network's own MACs: the budget where none is given, a step of φ and some rounding."""

Reading = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True)
class Advice:
    """What was measured, what is said of it, and the member that is advised.

    ``base``: the network as it is.  ``by``: the rule of the verdict, as families are made by it.
    ``source``: DATA, and ``options`` what ``striate fit`` must be given with it to train the
    advised network: the image's size, and what the run's data were opened with.  ``sweep``: what
    ``striate sweep`` must be given to train what each rule makes of the budget; empty where it is
    not of MACs, or where there are not two to compare.
    """

    facts: AdviceFacts
    sentences: tuple[Sentence, ...]
    verdict: Verdict
    base: Scaled
    by: Growth
    advised: Scaled
    source: str
    options: tuple[str, ...]
    sweep: tuple[str, ...]

    @property
    def grown(self) -> bool:
        """Whether another network than the one that is there is advised."""
        return same(self.advised.member.arch) != same(self.base.member.arch)

    def as_json(self) -> dict[str, Any]:
        return {
            "striate": 1,
            "network": self.facts.network,
            "data": self.source,
            "budget": dict(self.facts.budgets),
            "facts": facts_json(self.facts),
            "sentences": [one.as_json() for one in self.sentences],
            "verdict": {
                "why": self.verdict.why,
                "rule": self.verdict.rule,
                "depth": self.verdict.depth,
                "width": self.verdict.width,
                "resolution": self.verdict.resolution,
                "options": self.verdict.options,
            },
            "grown": self.grown,
            "base": self.base.as_json(),
            "advised": self.advised.as_json(),
        }


def advise(
    data: str | None = None,
    budget: Mapping[str, float] | str | None = None,
    *,
    arch: Arch | str = "auto",
    run: Path | None = None,
    search: Path | None = None,
    image: str | None = None,
    batch: int = 1,
    reading: Reading | None = None,
) -> Advice:
    """Which axis of ``arch`` to grow next on ``data`` (``digits`` if nothing is named).

    ``budget``: as ``scale`` takes it; by default ``STEP`` times its MACs.  ``arch``: an Arch, a
    TARGET that is one, or ``auto``.  ``run``: a finished run, whose network, data and learning are
    looked at instead.  ``search``: a finished search's folder, of the same data and network, whose
    coefficients go before what rules of thumb expect.  ``image``: the size of the images,
    ``32x32``.  ``batch``: of ``train_bytes`` and ``latency``.  InputError for a budget that no
    member meets.
    """
    budgets = (
        parse_budgets(budget, option="--budget")
        if isinstance(budget, str)
        else named_budgets(budget or {})
    )
    if batch < 1:
        raise InputError(f"--batch {batch}: give at least 1")
    source, options = _source(data, arch, run, image)
    named = _named(arch, run)
    dataset = open_data(source, options, progress=reading)
    base = base_for(dataset, named)
    assumed = not budgets
    if assumed:
        budgets = (Budget(key="macs", limit=STEP * Costs(1, ())(base)["macs"]),)
    costs = Costs(batch, budgets)
    learned, found = (None, ()) if run is None else run_facts(run, dataset)
    found = found or tuple(check(Costs(1, ()).trace(base)))
    facts = AdviceFacts(
        network=base.name,
        data=data_facts(dataset),
        cost={**costs(base), "latency": costs.seconds(base)},
        budgets={one.key: one.limit for one in budgets},
        assumed=assumed,
        batch=batch,
        stages=stage_facts(base, Costs(1, ()).trace(base)),
        steps=step_facts(base, budgets, costs),
        warnings={
            one.code: one.name
            for one in found
            if one.severity != "info" and not one.code.startswith("AF")  # those are of the training
        },
        remarks=remarks(found),
        run=learned,
        search=None if search is None else search_facts(search, base, source),
    )
    said = sentences(facts)
    judged = verdict(facts, said)
    if facts.search is not None and facts.grows:
        judged = by_search(judged, facts.search, said)
    divisor = 8 if facts.search is None else facts.search.divisor
    solved = largest(base, rule_of(judged), budgets, costs, divisor=divisor)
    if facts.search is None:
        instead = alone_instead(facts, said, judged, solved.cost["macs"])
        if instead is not None:
            judged = instead
            solved = largest(base, rule_of(judged), budgets, costs)
    return Advice(
        facts=facts,
        sentences=said,
        verdict=judged,
        base=_timed(costs, Member(phi=0, arch=base)),
        by=rule_of(judged),
        advised=_timed(costs, solved.best),
        source=source,
        options=_fit_options(solved.best.arch, options, dataset),
        sweep=_sweep(facts, source, _target(arch, run), _fit_options(base, options, dataset)),
    )


def rule_of(judged: Verdict) -> Growth:
    """The rule that ``striate scale`` makes of the verdict's options."""
    if judged.rule != "compound":
        return growth(judged.rule)
    return growth(alpha=judged.depth, beta=judged.width, gamma=judged.resolution)


def _sweep(facts: AdviceFacts, source: str, target: str, options: Sequence[str]) -> tuple[str, ...]:
    macs = facts.budgets.get("macs")
    able = [
        step.rule
        for step in facts.steps
        if step.why_not is None and step.rule != "dwr" and "macs" in step.binds
    ]
    if macs is None or len(able) < 2 or not facts.grows:
        return ()
    base = () if target == "auto" else ("--arch", target)
    return (source, *base, "--macs", f"{macs:.0f}", "--vary", ",".join(able), *options)


def _target(arch: Arch | str, run: Path | None) -> str:
    if run is not None:
        return str(RunPaths(run).arch)
    return arch.name if isinstance(arch, Arch) else arch


def _fit_options(arch: Arch, options: DataOptions, dataset: Dataset) -> tuple[str, ...]:
    """How ``striate fit`` is told to open the data as they were, at the size of ``arch``."""
    said: list[str] = []
    if options.image is not None or arch.image != dataset.image:
        said += ["--image", "x".join(map(str, arch.image))]
    usual = DataOptions()
    for key in ("fit", "bad_images", "group", "val", "test"):
        value = getattr(options, key)
        if value != getattr(usual, key):
            said += [f"--{key.replace('_', '-')}", str(value)]
    return tuple(said)


def _timed(costs: Costs, member: Member) -> Scaled:
    told = costs.told(member)
    cost = {**told.cost, "latency": costs.seconds(member.arch)}
    return Scaled(member=member, cost=cost, findings=told.findings)


def _source(
    data: str | None, arch: Arch | str, run: Path | None, image: str | None
) -> tuple[str, DataOptions]:
    """DATA and how it is opened: as was asked, or as the run has it."""
    if run is None:
        return data or "digits", DataOptions(image=image_option(image))
    for option, given in (("--arch", arch != "auto"), ("--image", image is not None)):
        if given:
            raise InputError(f"--run {run}: has its own network and images; leave {option} out")
    paths = RunPaths(run)
    if load_run(run).arch is None:
        raise InputError(
            f"--run {run}: is of a module, and only an architecture can be scaled; leave --run out "
            "and name one with --arch"
        )
    recipe = recipe_from_toml(paths.recipe.read_text(encoding="utf-8"), where=str(paths.recipe))
    spec, options = kept_data(RunInfo.load(paths.info), recipe, paths.info)
    if data is not None and lasting(data) != spec:
        raise InputError(f"--run {run}: was trained on {spec}, not on {data}; leave DATA out")
    return spec, options


def _named(arch: Arch | str, run: Path | None) -> Arch | None:
    """The run's network, or the one that was asked for; None for ``auto``."""
    if run is not None:
        return load_arch(RunPaths(run).arch)
    return arch if isinstance(arch, Arch) else named_base(arch)
