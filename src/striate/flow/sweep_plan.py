"""The designs of a sweep, with their costs and the linter's word, before anything is trained."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from striate.arch import Arch, to_dict
from striate.data import DataOptions, Dataset, open_data
from striate.errors import ArchError, DataError, InputError, RecipeError, choices
from striate.flow.base import base_for, named_base
from striate.flow.costs import Costs
from striate.flow.data import data_options
from striate.flow.fit import Reading
from striate.flow.settings import asked, recipe_file, recipe_for, refuse_two_lengths
from striate.flow.sweep_entries import Job
from striate.flow.sweep_options import SweepOptions
from striate.flow.sweep_place import digest, look_at, place_all
from striate.flow.trials import UNCOMPILED, asked_for
from striate.records.sweep import Judge, SweepAxis, SweepData, SweepPoint
from striate.scaling import RULES, same
from striate.scaling.axes import Axis, parse_axis, shown
from striate.scaling.depths import depth_of
from striate.training import Recipe

MOST_POINTS = 1000


@dataclass(frozen=True, kw_only=True)
class Design:
    """A point that can be trained: its network and its recipe, without a seed."""

    point: SweepPoint
    arch: Arch
    recipe: Recipe


@dataclass(frozen=True, kw_only=True)
class Task:
    """One training: a design with a seed.  ``folder``: its run's, inside the sweep's."""

    key: str
    design: int
    seed: int
    folder: str


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a sweep will train.

    ``points``: all of them, those that are refused too; ``designs``: the others.  ``tasks``: every
    design with the first seed, the cheapest first, then with the second …  ``identity``: what
    another command on the same study must share with this one.
    """

    name: str
    out: Path
    spec: str
    opening: DataOptions
    dataset: Dataset
    data: SweepData
    judge: Judge
    bases: tuple[str, ...]
    axes: tuple[SweepAxis, ...]
    rules: tuple[str, ...]
    budget: tuple[str, tuple[float, ...]] | None
    points: tuple[SweepPoint, ...]
    designs: tuple[Design, ...]
    tasks: tuple[Task, ...]
    identity: Mapping[str, Any]

    @property
    def jobs(self) -> tuple[Job, ...]:
        """The tasks as the study knows them."""
        made: list[Job] = []
        for task in self.tasks:
            arch = self.designs[task.design].arch
            params = {
                "depth": depth_of(arch),
                "width": arch.stages[0].width,
                "image": arch.image[1],
                "macs": min(self.designs[task.design].point.macs, 2**31),
            }
            made.append(
                Job(key=task.key, name=f"{arch.name}, seed {task.seed}", seed=task.seed,
                    params=params)
            )  # fmt: skip
        return tuple(made)


def plan_sweep(data: str, options: SweepOptions, *, reading: Reading | None = None) -> Plan:
    """Open the data, place every design, trace and check it.

    InputError, in one line, for whatever is asked for that cannot be.
    """
    training = options.training
    axes = tuple(map(parse_axis, options.axes))
    _refuse_nothing(options, axes)
    if training.minutes is not None:
        raise RecipeError("--minutes: designs are compared after equal epochs; give --epochs")
    refuse_two_lengths(training)
    asked(training)
    from_file = recipe_file(training)
    if from_file.get("minutes") is not None:
        raise RecipeError(f"{training.recipe}: minutes; designs are compared after equal epochs")
    named = {target: named_base(target) for target in options.arch}
    opening = replace(data_options(training, from_file), share=options.share)
    dataset = open_data(data, opening, progress=reading)
    if len(dataset.test) == 0:
        raise DataError(f"{data}: no test images, so nothing could be measured; use --test 0.2")
    bases = _bases(dataset, named, axes)
    rules = options.vary or (("compound",) if options.macs or options.params else ())
    key, limits = ("params", options.params) if options.params else ("macs", options.macs)
    budget = (key, limits) if limits else None

    costs = Costs(1, ())
    placed_ones = look_at(place_all(bases, axes, budget, rules, options, costs), costs)
    points = tuple(point for point, _ in placed_ones)
    designs = tuple(
        Design(point=point, arch=arch, recipe=_recipe(arch, dataset, options, from_file))
        for point, arch in placed_ones
        if arch is not None and point.refused is None
    )
    name = options.name or _default_name(dataset.name, bases, axes, rules, budget)
    if not re.fullmatch(r"[\w.+-]{1,100}", name):
        raise InputError(f"--name {name}: use letters, digits and . + - _, at most 100")
    return Plan(
        name=name,
        out=options.out or Path("sweeps") / name,
        spec=data,
        opening=opening,
        dataset=dataset,
        data=SweepData(
            name=dataset.name,
            fingerprint=dataset.fingerprint,
            classes=len(dataset.classes),
            images={split.name: len(split) for split in dataset.splits},
        ),
        judge="validation" if len(dataset.val) else "test",
        bases=tuple(base.name for base in bases.values()),
        axes=tuple(
            SweepAxis(name=axis.name, values=tuple(map(shown, axis.values)), base=axis.base)
            for axis in axes
        ),
        rules=tuple(rules),
        budget=budget,
        points=points,
        designs=designs,
        tasks=_tasks(designs, options.seeds, dataset),
        identity={
            "format": 1,
            "data": dataset.fingerprint,
            "bases": {base.name: digest(same(base)) for base in bases.values()},
            "axes": sorted(f"{axis.base}:{axis.name}" if axis.base else axis.name for axis in axes),
            "budget": key if limits else None,
            "recipe": digest({**from_file, **_lasting(asked(training))}),
            "prune": options.prune,
        },
    )


def _refuse_nothing(options: SweepOptions, axes: Sequence[Axis]) -> None:
    """InputError for options that do not go together."""
    if not (axes or options.macs or options.params or len(options.arch) > 1):
        raise InputError(
            "sweep: nothing is varied; give an axis (--axis depth=8,14,20), or budgets and what "
            "grows to them (--macs 40M --vary depth,width)"
        )
    if options.macs and options.params:
        raise InputError("--macs and --params: designs are grown to one of the two; leave one out")
    if options.vary and not (options.macs or options.params):
        raise InputError(
            f"--vary {','.join(options.vary)}: grows designs to a budget; give one with --macs, or "
            "name values with --axis"
        )
    for rule in options.vary:
        if rule not in RULES:
            raise InputError(f"--vary {rule}: no such rule; {choices(rule, RULES)}")
    for what, value, least in (
        ("--workers", options.workers, 1),
        ("--lease", options.lease, 4),
        ("--divisor", 1 if options.divisor is None else options.divisor, 1),
        ("--latency-batch", options.latency_batch, 1),
    ):
        if value < least:
            raise InputError(f"{what} {value}: give at least {least}")
    names = [(axis.base, axis.name) for axis in axes]
    for base, name in names:
        if names.count((base, name)) > 1:
            raise InputError(f"--axis {name}: is given twice; put all its values into one")
    if len(set(options.arch)) < len(options.arch):
        raise InputError("--arch: one base is given twice; leave it out")


def _base(dataset: Dataset, named: Arch | None, axes: Sequence[Axis]) -> Arch:
    """``base_for``; where the data's own size is too small for it, at the largest of ``image``."""
    try:
        return base_for(dataset, named)
    except ArchError:
        sizes = [v for axis in axes if axis.name == "image" for v in axis.values]
        largest = max((v for v in sizes if isinstance(v, tuple)), default=None)
        if largest is None:
            raise
        return base_for(replace(dataset, image=(dataset.image[0], *largest)), named)


def _bases(
    dataset: Dataset, named: Mapping[str, Arch | None], axes: Sequence[Axis]
) -> Mapping[str, Arch]:
    """The bases by the name they were asked for, for the data's images and classes."""
    found = {target: _base(dataset, arch, axes) for target, arch in named.items()}
    names = [arch.name for arch in found.values()]
    if len(set(names)) < len(names):
        raise InputError(f"--arch: two bases are called {names[0]}; give one another name")
    for axis in axes:
        if axis.base is not None and axis.base not in (*found, *names):
            raise InputError(
                f"--axis {axis.base}:{axis.name}: no base is called {axis.base}; "
                f"{choices(axis.base, names)}"
            )
    return found


def _recipe(
    arch: Arch, dataset: Dataset, options: SweepOptions, from_file: dict[str, Any]
) -> Recipe:
    """What ``fit`` would train this design by; it does not ``recover`` unless the file says so,
    since at other rates it would no longer be comparable.
    """
    from striate.building import build

    sized = replace(dataset, image=arch.image)
    recipe, _ = recipe_for(sized, build(arch, device="meta"), options.training, from_file)
    if recipe.compile in ("on", "graphs"):
        raise RecipeError(f'compile = "{recipe.compile}": {UNCOMPILED}; leave it out')
    return recipe.with_({"recover": from_file.get("recover", False)})


def _tasks(designs: Sequence[Design], seeds: Sequence[int], dataset: Dataset) -> tuple[Task, ...]:
    order = sorted(range(len(designs)), key=lambda index: designs[index].point.macs)
    made: list[Task] = []
    for seed in seeds:
        for index in order:
            design = designs[index]
            network = to_dict(design.arch)
            del network["name"]
            recipe = asked_for(design.recipe.with_({"seed": seed}))
            made.append(
                Task(
                    key=digest([network, recipe, dataset.fingerprint]),
                    design=index,
                    seed=seed,
                    folder=f"runs/{design.point.name}-s{seed}",
                )
            )
    return tuple(made)


def _lasting(changes: Mapping[str, Any]) -> dict[str, Any]:
    """What of the asked-for recipe all machines of a study must share."""
    machine = ("threads", "workers", "setting", "device", "seed")
    return {key: value for key, value in changes.items() if key not in machine}


def _default_name(
    data: str,
    bases: Mapping[str, Arch],
    axes: Sequence[Axis],
    rules: Sequence[str],
    budget: tuple[str, tuple[float, ...]] | None,
) -> str:
    """Of the data, the bases and the axes: the same command finds its sweep again."""
    parts = [
        data,
        "+".join(base.name for base in bases.values()),
        *(axis.name for axis in axes),
        *(rules if budget else ()),
    ]
    return re.sub(r"[^\w.+-]+", "-", "-".join(dict.fromkeys(parts)))[:100]
