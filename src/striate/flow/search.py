"""``striate scale --search DATA``: α, β and γ for one's own images and network.

Step 1 of Tan and Le 2019, section 3.3: φ = 1, the cost doubled, a small grid.  Each network that
the grid gives is trained by a proxy, and the one that does best on the validation split is taken.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Generator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from striate.arch import Arch, to_dict
from striate.data import DataOptions, Dataset, open_data
from striate.errors import DataError, Diverged, InputError
from striate.flow.base import base_for, named_base
from striate.flow.data import lasting
from striate.flow.search_folder import search_folder
from striate.flow.search_plan import Planned, digest, plan_search
from striate.flow.search_told import (
    Begun,
    Searched,
    SearchEvent,
    SearchOptions,
    Trained,
    Training,
)
from striate.flow.settings import device_name
from striate.flow.sizes import image_option
from striate.flow.trials import Source, Trial, trial_events, trial_recipe, trial_speed
from striate.records import EpochRecord
from striate.records.search import Candidate, Proxy, judged
from striate.runs.atomic import atomic_write
from striate.scaling.grid import grid

SHORTER = 4
"""Epochs of the proxy, where none are asked for: one in so many of those of ``fit``."""

Reading = Callable[[int, int], None]


def search(data: str = "digits", options: SearchOptions | None = None) -> Searched:
    """``search_events`` to its end."""
    for event in search_events(data, options or SearchOptions()):
        if isinstance(event, Searched):
            return event
    raise AssertionError("search_events ends with Searched")


def search_events(
    data: str, options: SearchOptions, *, reading: Reading | None = None
) -> Generator[SearchEvent]:
    """Find α, β and γ for ``data``, event by event; what lies in ``options.out`` is gone on with.

    Candidates that the linter rejects, that cannot be built or that do not double the MACs after
    rounding are never trained.  InputError where none is left; OutputError where ``out`` holds
    something else.
    """
    _refuse(options)
    named = named_base(options.arch)
    images = Images(data, options)
    dataset = images.at(None, reading)
    if len(dataset.val) == 0:
        raise DataError(f"{data}: has no validation images to choose by; give it a val split")
    base = base_for(dataset, named)
    proxy = _proxy(base, dataset, options)
    first, planned = plan_search(
        base, grid(options.grid), divisor=options.divisor, most=options.trials
    )
    left = [one for one in planned if one.trained]
    if not left:
        raise InputError(_none_left(base, planned))
    # one size of images after another, so that each is read once for a seed
    left.sort(key=lambda one: (one.candidate.image != base.image, one.candidate.image))
    folder = options.out or Path("runs") / _safe(f"search-{dataset.name}-{base.name}")
    with search_folder(
        folder,
        base,
        _asked(data, base, proxy, options),
        lambda: {"setting": _setting(base, dataset, options)},
    ) as decided:
        yield Begun(
            folder=folder,
            base=first.candidate,
            candidates=tuple(one.candidate for one in planned),
            proxy=proxy,
            trainings=(1 + len(left)) * proxy.seeds,
        )
        scores = Scores(images, folder, proxy, {**_machine(options), **decided})
        for seed in range(proxy.seeds):  # every network once before any is trained again
            for one in (first, *left):
                yield from scores.train(one, seed)
        if not any(scores.of[one.candidate.name] for one in left):
            raise InputError(f"{folder}: every candidate diverged; give the base another norm")
        result = judged(
            scores.told(first.candidate),
            [scores.told(one.candidate) for one in planned],
            proxy,
            len(dataset.val),
        )
        found = Searched(
            folder=folder,
            base=base,
            base_file=folder / "base.toml",
            data=data,
            divisor=options.divisor,
            result=result,
        )
        atomic_write(folder / "result.json", json.dumps(found.as_json(), indent=2).encode())
    yield found


class Images:
    """The data at the size of each candidate: the base's, and the last other one, are kept."""

    def __init__(self, data: str, options: SearchOptions) -> None:
        self.data = data
        self._own = image_option(options.image)
        self._share = options.share
        self._base: Dataset | None = None
        self._other: Dataset | None = None

    def at(self, image: tuple[int, int, int] | None, reading: Reading | None = None) -> Dataset:
        """The data at ``image``, or at the base's own size."""
        if self._base is None:
            self._base = open_data(self.data, self.options(None), progress=reading)
        if image is None or image == self._base.image:
            return self._base
        if self._other is None or self._other.image != image:
            self._other = open_data(self.data, self.options(image), progress=reading)
        return self._other

    def options(self, image: tuple[int, int, int] | None) -> DataOptions:
        """How they are opened, at ``image``."""
        own = self._base is None or image is None or image == self._base.image
        return DataOptions(image=self._own if own else image, share=self._share)


class Scores:
    """Trains candidates, seed by seed, and keeps what they reach on the validation split."""

    def __init__(
        self, images: Images, folder: Path, proxy: Proxy, machine: Mapping[str, Any]
    ) -> None:
        self._machine = machine
        self.of: dict[str, list[float]] = {}
        self._images, self._folder, self._proxy = images, folder, proxy
        self._failed: dict[str, str] = {}
        self._done = 0

    def told(self, candidate: Candidate) -> Candidate:
        """The candidate with its scores, or with why it has none."""
        why = self._failed.get(candidate.name)
        if why is not None:
            return replace(candidate, rejected=why)
        return replace(candidate, scores=tuple(self.of.get(candidate.name, ())))

    def train(self, one: Planned, seed: int) -> Generator[SearchEvent]:
        """One training, or what was found of it."""
        candidate, arch = one.candidate, one.arch
        assert arch is not None
        scores = self.of.setdefault(candidate.name, [])
        if candidate.name in self._failed:
            self._done += 1
            return
        yield Training(candidate=candidate, seed=seed, done=self._done)
        dataset = self._images.at(arch.image)
        recipe = trial_recipe(arch, dataset, self._changes(seed))
        source = Source(spec=self._images.data, options=self._images.options(arch.image))
        place = self._folder / "trials" / f"{digest(arch)}-s{seed}"
        ended: Trial | None = None
        why: str | None = None
        try:
            for event in trial_events(arch, dataset, recipe, place, source=source):
                if isinstance(event, EpochRecord):
                    yield event
                elif isinstance(event, Trial):
                    ended = event
        except Diverged as error:
            why = self._failed[candidate.name] = f"diverged: {error}"
            scores.clear()
        score = None if ended is None else ended.val_accuracy
        if score is not None:
            scores.append(score)
        self._done += 1
        yield Trained(
            candidate=candidate,
            seed=seed,
            done=self._done,
            score=score,
            again=ended is not None and ended.from_step == ended.steps,
            why_not=why,
        )

    def _changes(self, seed: int) -> dict[str, Any]:
        length = "minutes" if self._proxy.epochs is None else "epochs"
        value = self._proxy.minutes if self._proxy.epochs is None else self._proxy.epochs
        return {length: value, "seed": seed, **self._machine}


def _refuse(options: SearchOptions) -> None:
    if options.epochs is not None and options.minutes is not None:
        raise InputError(
            f"--epochs {options.epochs} and --minutes {options.minutes:g} both set the length; "
            "give one of them"
        )
    least = (("epochs", 1), ("seeds", 1), ("trials", 1), ("divisor", 1))
    for name, bound in least:
        value = getattr(options, name)
        if value is not None and value < bound:
            raise InputError(f"--{name} {value}: give at least {bound}")
    if options.minutes is not None and not 0 < options.minutes < float("inf"):
        raise InputError(f"--minutes {options.minutes:g}: must be a positive number")
    if not 0 < options.share <= 1:
        raise InputError(f"--share {options.share:g}: a share is above 0, and 1 at most")
    grid(options.grid)


def _proxy(base: Arch, dataset: Dataset, options: SearchOptions) -> Proxy:
    epochs = options.epochs
    if epochs is None and options.minutes is None:
        epochs = max(1, trial_recipe(base, dataset).epochs // SHORTER)
    return Proxy(epochs=epochs, minutes=options.minutes, share=options.share, seeds=options.seeds)


def _machine(options: SearchOptions) -> dict[str, Any]:
    """Keys of a recipe that say how, not what, is trained."""
    threads = {} if options.threads is None else {"threads": options.threads}
    return {"device": device_name("auto"), **threads}


def _setting(base: Arch, dataset: Dataset, options: SearchOptions) -> str:
    """What all are trained in, so that arithmetic tells none of them apart."""
    if options.setting != "auto":
        return options.setting
    return trial_speed(base, dataset, trial_recipe(base, dataset, _machine(options))).probe.setting


def _asked(data: str, base: Arch, proxy: Proxy, options: SearchOptions) -> dict[str, Any]:
    """What a search must have in common with the one in its folder."""
    return {
        "data": lasting(data),
        "base": to_dict(base),
        "epochs": proxy.epochs,
        "minutes": proxy.minutes,
        "share": proxy.share,
        "divisor": options.divisor,
    }


def _none_left(base: Arch, planned: tuple[Planned, ...]) -> str:
    reasons = Counter(str(one.candidate.rejected).partition(":")[0] for one in planned)
    why = "; ".join(f"{reason} ({times})" for reason, times in reasons.most_common(3))
    return (
        f"{base.name}: no candidate is left to train: {why}; take a larger base, a finer --grid, "
        "or a smaller --divisor"
    )


def _safe(name: str) -> str:
    return "".join(c if c.isalnum() or c in "-_." else "-" for c in name)
