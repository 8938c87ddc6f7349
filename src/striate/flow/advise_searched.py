"""What a finished search of one's own says: measured, where rules of thumb only expect."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from striate.arch import Arch, from_dict
from striate.errors import InputError
from striate.flow.data import lasting
from striate.flow.search_plan import digest
from striate.records.advice import AXES, Axis, SearchFacts, Sentence, Verdict


def search_facts(folder: Path, base: Arch, source: str) -> SearchFacts:
    """The result of the search in ``folder``; InputError where it has none, or is of other data or
    of another network than ``base``.
    """
    try:
        asked: dict[str, Any] = json.loads((folder / "search.json").read_text(encoding="utf-8"))
        searched = from_dict(asked["base"], where=str(folder / "search.json"))
        data = str(asked["data"])
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(
            f"--search {folder}: not a search's folder; name one that striate scale --search wrote"
        ) from None
    try:
        found: dict[str, Any] = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise InputError(
            f"--search {folder}: has not come to its end; give its command again, and it goes on"
        ) from None
    if data != lasting(source):
        raise InputError(f"--search {folder}: is of {data}, not of {source}; leave it out")
    if digest(searched) != digest(base):
        raise InputError(
            f"--search {folder}: is of another network or image size; advise on it with --arch "
            f"{folder / 'base.toml'} --image {'x'.join(map(str, searched.image))}"
        )
    scored = [one for one in found["candidates"] if one["mean"] is not None]
    alone: dict[str, float] = {}
    for one in scored:
        for three in one["coefficients"]:
            grown = [axis for axis, value in zip(AXES, three, strict=True) if value > 1]
            if len(grown) == 1:
                alone[grown[0]] = float(one["mean"])
    chosen = next(one for one in scored if one["name"] == found["chosen"])
    return SearchFacts(
        folder=str(folder),
        alpha=float(found["alpha"]),
        beta=float(found["beta"]),
        gamma=float(found["gamma"]),
        chosen=float(chosen["mean"]),
        base=None if found["base"]["mean"] is None else float(found["base"]["mean"]),
        alone=alone,
        error=float(found["standard_error"]),
        tied=len(found["tied"]),
        candidates=len(scored),
        val_images=int(found["val_images"]),
        divisor=int(asked["divisor"]),
    )


def searched(found: SearchFacts) -> Iterator[Sentence]:
    """What was trained, in a sentence."""
    each = ", ".join(f"{axis} alone {mean:.1%}" for axis, mean in found.alone.items())
    base = "" if found.base is None else f"{found.base:.1%} by the network as it is, "
    tied = (
        ""
        if found.tied == 1
        else f"; {found.tied} of {found.candidates} cannot be told apart, and it is the cheapest"
    )
    yield Sentence(
        text=f"Trained on these images ({found.folder}), at twice the MACs, on "
        f"{found.val_images:,} validation images: {base}{each + ', ' if each else ''}"
        f"{found.chosen:.1%} by α {found.alpha:g}, β {found.beta:g}, γ {found.gamma:g} (standard "
        f"error {100 * found.error:.1f} points{tied}).",
        measured={
            "alpha": found.alpha, "beta": found.beta, "gamma": found.gamma, "chosen": found.chosen,
            "base": found.base, "alone": dict(found.alone), "standard_error": found.error,
            "tied": found.tied,
        },
    )  # fmt: skip


def by_search(expected: Verdict, found: SearchFacts, said: Sequence[Sentence]) -> Verdict:
    """The search's coefficients instead of what rules of thumb expect, and where the two differ."""
    number = next(
        number for number, one in enumerate(said, 1) if one.measured.get("alpha") is not None
    )
    three = dict(zip(AXES, (found.alpha, found.beta, found.gamma), strict=True))
    against = [
        f"{axis} (closed by {', '.join(map(str, numbers))})"
        for axis in AXES
        if three[axis] > 1 and (numbers := _closing(axis, said))
    ]
    why = f"Grow as the search found on these images (see {number})"
    if against:
        why += f"; it grows {' and '.join(against)}: what was trained goes before what is expected"
    return replace(
        expected,
        rule="compound",
        depth=found.alpha,
        width=found.beta,
        resolution=found.gamma,
        why=why + ".",
    )


def _closing(axis: Axis, said: Sequence[Sentence]) -> list[int]:
    return [
        number for number, one in enumerate(said, 1) if one.axis == axis and one.side == "closed"
    ]
