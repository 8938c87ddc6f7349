"""The designs of a sweep: every base at every point of its axes, grown to every budget."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from striate.arch import Arch, to_toml
from striate.errors import ArchError, InputError
from striate.flow.costs import Costs
from striate.flow.sweep_options import SweepOptions, amount
from striate.records.sweep import SweepPoint
from striate.scaling import Budget, Member, growth, largest, same
from striate.scaling.axes import Axis, Times, Value, placed, plain, shown

MOST_POINTS = 1000


@dataclass(frozen=True, kw_only=True)
class Placed:
    """A design before it is looked at; ``why``: it cannot be built."""

    name: str
    base: str
    series: str
    axes: Mapping[str, Any]
    image: tuple[int, int, int]
    arch: Arch | None
    why: str | None = None


def place_all(
    bases: Mapping[str, Arch],
    axes: Sequence[Axis],
    budget: tuple[str, tuple[float, ...]] | None,
    rules: Sequence[str],
    options: SweepOptions,
    costs: Costs,
) -> Iterator[Placed]:
    """Every base at every combination of its axes, grown to every budget by every rule.

    InputError for an axis that a base does not have, and a budget that no rule can meet.
    """
    count = 0
    for target, base in bases.items():
        own = [axis for axis in axes if axis.base in (None, target, base.name)]
        divisor = options.divisor or max(1, min(8, min(s.width for s in base.stages) // 16))
        for values in itertools.product(*(axis.values for axis in own)):
            point = list(zip((axis.name for axis in own), values, strict=True))
            count += max(1, len(rules) * len(budget[1] if budget else ()))
            if count > MOST_POINTS:
                raise InputError(
                    f"sweep: more than {MOST_POINTS:,} designs; give fewer values, or fewer axes"
                )
            one = _at(base, point, divisor, many=len(bases) > 1)
            if budget is None or one.arch is None:
                yield one
                continue
            yield from _grown(one, one.arch, budget, rules, divisor, costs, many=len(bases) > 1)


def _at(
    base: Arch, point: Sequence[tuple[str, Value | Times]], divisor: int, *, many: bool
) -> Placed:
    name = _named(base.name, [f"{key.split('.')[-1]}{_word(value)}" for key, value in point])
    line = ", ".join(f"{key} {shown(value)}" for key, value in point[1:])
    series = ", ".join(part for part in (base.name if many or not line else "", line) if part)
    axes = {key: plain(value) for key, value in point}
    arch, why = base.model_copy(update={"name": name}), None
    try:
        arch = placed(base, point, name=name, divisor=divisor) if point else arch
    except ArchError as error:
        why = f"cannot be built: {str(error).removeprefix(name + ': ')}"
    return Placed(
        name=name,
        base=base.name,
        series=series,
        axes=axes,
        image=_image(arch, point) if why else arch.image,
        arch=None if why else arch,
        why=why,
    )


def _image(base: Arch, point: Sequence[tuple[str, Value | Times]]) -> tuple[int, int, int]:
    """The image that a design that cannot be built was asked for."""
    asked = dict(point).get("image")
    return (base.image[0], *asked) if isinstance(asked, tuple) else base.image


def _word(value: Value | Times) -> str:
    return f"-{shown(value)}" if isinstance(value, (bool, str)) else shown(value)


def _named(base: str, parts: Sequence[str]) -> str:
    """A name for a design and its folder, of at most 80 characters."""
    name = "-".join([re.sub(r"[^\w.+-]+", "-", base)[:40], *parts])
    return name if len(name) <= 80 else f"{name[:71]}-{digest(name)[:8]}"


def _grown(
    one: Placed,
    arch: Arch,
    budget: tuple[str, tuple[float, ...]],
    rules: Sequence[str],
    divisor: int,
    costs: Costs,
    *,
    many: bool,
) -> Iterator[Placed]:
    """``one`` at every budget by every rule; InputError where no rule can meet a budget."""
    key, limits = budget
    for limit in limits:
        found: list[Placed] = []
        for rule in rules:
            name = _named(one.name, [rule, amount(limit)])
            at = {**one.axes, "rule": rule, key: int(limit)}
            line = ", ".join(f"{axis} {value}" for axis, value in one.axes.items())
            series = ", ".join(part for part in (one.base if many else "", rule, line) if part)
            why, grown, phi = None, None, None
            try:
                best = largest(
                    arch,
                    growth(rule),
                    [Budget(key=key, limit=limit)],
                    costs,
                    divisor=divisor,
                ).best
                grown, phi = best.arch.model_copy(update={"name": name}), best.phi
            except InputError as error:
                why = str(error)
            found.append(
                replace(
                    one,
                    name=name,
                    series=series,
                    axes={**at, "phi": phi},
                    image=one.image if grown is None else grown.image,
                    arch=grown,
                    why=why,
                )
            )
        if all(made.arch is None for made in found):
            raise InputError(found[0].why or "")
        yield from found


def look_at(given: Iterator[Placed], costs: Costs) -> list[tuple[SweepPoint, Arch | None]]:
    """Each design once, traced and checked; what is the same network under two names is one."""
    found: list[tuple[SweepPoint, Arch | None]] = []
    places: dict[str, int] = {}
    for one in given:
        point = SweepPoint(
            name=one.name,
            base=one.base,
            series=(one.series,),
            axes=one.axes,
            image=one.image,
            refused=one.why,
        )
        if one.arch is None:
            found.append((point, None))
            continue
        place = places.get(same(one.arch))
        if place is not None:
            first, arch = found[place]
            series = tuple(dict.fromkeys((*first.series, one.series)))
            found[place] = (replace(first, also=(*first.also, one.name), series=series), arch)
            continue
        places[same(one.arch)] = len(found)
        told = costs.told(Member(phi=0, arch=one.arch))
        errors = [finding for finding in told.findings if finding.severity == "error"]
        found.append(
            (
                replace(
                    point,
                    params=int(told.cost["params"]),
                    macs=int(told.cost["macs"]),
                    activations=int(told.cost["activations"]),
                    toml=to_toml(one.arch),
                    findings=told.findings,
                    refused=f"{errors[0].code} {errors[0].name}: {errors[0].message}"
                    if errors
                    else None,
                ),
                one.arch,
            )
        )
    return found


def digest(value: object) -> str:
    """32 hex digits of a plain value."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
