"""``striate lr``: which learning rates a network learns its images at."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from striate.data import open_data
from striate.errors import InputError
from striate.flow.choose import choose
from striate.flow.data import data_options
from striate.flow.events import FitOptions
from striate.flow.fit import need_of
from striate.flow.fit_resume import Reading
from striate.flow.hub import Progress
from striate.flow.network import built, suited, traced, users_errors
from striate.flow.quick import NAME as QUICK
from striate.flow.quick import choose_quick
from striate.flow.settings import asked, recipe_file, recipe_for, seed_of
from striate.flow.targets import resolve
from striate.flow.weights import put_weights
from striate.flow.weights_fit import asked_weights
from striate.records.rates import RateCurve
from striate.training.rates import find_rate

FEWEST = 20
"""Steps of a test: with fewer, neighbouring rates differ by more than what is to be found."""


@dataclass(frozen=True, kw_only=True)
class LrOptions:
    """``fit``: what ``striate fit`` would be asked; its batch, recipe, network and data count.
    ``steps``: of the test, from 20 on.
    """

    fit: FitOptions = field(default_factory=FitOptions)
    steps: int = 100


def learning_rates(
    data: str | None = None,
    options: LrOptions | None = None,
    *,
    reading: Reading | None = None,
    fetching: Progress | None = None,
) -> RateCurve:
    """The range test of what ``fit(data, options.fit)`` would train; nothing is written.

    >>> learning_rates("digits").suggestion  # doctest: +SKIP
    0.19
    """
    options = options or LrOptions()
    fit = options.fit
    if options.steps < FEWEST:
        raise InputError(f"--steps {options.steps}: must be at least {FEWEST}")
    asked(fit)
    target = None if fit.arch == "auto" else resolve(fit.arch)
    from_file = recipe_file(fit, fresh=target is None or target.arch is not None)
    opening = data_options(fit, from_file)
    given, target, _ = asked_weights(fit, target, progress=fetching)
    if given is not None:
        opening = replace(opening, normalise=given.normalise)
    dataset = open_data(data or "digits", opening, progress=reading)
    network = None if target is None else suited(target, dataset)
    if network is None:
        design = choose_quick if fit.recipe == QUICK else choose
        network = design(need_of(dataset, fit, from_file)).arch
    else:
        traced(network, dataset.image)  # says what is wrong with it
    module = built(network, seed_of(fit, from_file), dataset.image)
    loaded = None if given is None else put_weights(module, given, classes=dataset.classes)
    recipe, _ = recipe_for(dataset, module, fit, from_file, loaded=loaded)
    with users_errors(network.name):
        found = find_rate(module, dataset, recipe, steps=options.steps)
    return replace(found, network=network.name)
