"""Faults planted into architectures of the zoo, by changing their table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from faults.program import Mutant
from striate.arch import Arch, Pool, Stem, adapt, zoo

HOSTS = ("resnet20", "resnet32", "resnet18", "resnet50", "plain20", "resnet56")
LARGER = {"plain20": (3, 64, 64)}
"""Images for architectures that are not healthy on their own."""


@dataclass(frozen=True)
class Planted:
    """A mutant and the architecture it is."""

    mutant: Mutant
    arch: Arch


def plants() -> Iterator[Planted]:
    """Every fault of this file, in every architecture it can be planted in."""
    for name in HOSTS:
        yield from _into(name, original(name))


def _into(name: str, arch: Arch) -> Iterator[Planted]:
    def made(kind: str, where: str, changed: Arch | None, *paths: str) -> Iterator[Planted]:
        if changed is not None:
            image = changed.image
            mutant = Mutant(kind=kind, net=name, where=where, text="", image=image, paths=paths)
            yield Planted(mutant, changed)

    def patched(**changes: Any) -> Arch | None:
        return _arch({**arch.model_dump(), **changes})

    def stage(number: int, **changes: Any) -> Arch | None:
        stages = [one.model_dump() for one in arch.stages]
        stages[number].update(changes)
        return patched(stages=stages)

    small = arch.image[1] <= 64
    last = len(arch.stages) - 1
    residual = arch.stages[0].residual
    yield from made("bias-before-norm", "bias everywhere", patched(bias=True), "stem", "stages")
    if small:
        stem = Stem(width=arch.stem.width, kernel=7, stride=2, pool=Pool(kernel=3, padding=1))
        yield from made(
            "imagenet-stem", "7×7 by twos and a pool", patched(stem=stem.model_dump()), "stem"
        )
        stem = Stem(width=arch.stem.width, kernel=4, stride=4, padding=0)
        yield from made("imagenet-stem", "patches of 4", patched(stem=stem.model_dump()), "stem")
        yield from made(
            "collapse-early", "stride 8, then 4", _strides(arch, 1, 8, 4), "stages.1", "stages.2"
        )
        yield from made("collapse-early", "an image of 4×4", patched(image=(3, 4, 4)))
        yield from made("small-field", "an image of 512×512", patched(image=(3, 512, 512)))
        yield from made("never-reduced", "no strides", _strides(arch, 1, 1, 1), "stages", "head")
    else:
        yield from made("collapse-early", "an image of 32×32", patched(image=(3, 32, 32)))
    yield from made(
        "gridding", f"stage {last + 1} by two", stage(last, dilation=2), f"stages.{last}"
    )
    if last > 1:
        yield from made(
            "gridding", f"stage {last} by three", stage(last - 1, dilation=3), f"stages.{last - 1}"
        )
    width = arch.stages[last].width
    yield from made(
        "odd-channels", f"{width - 3} for {width}", stage(last, width=width - 3), f"stages.{last}"
    )
    first = arch.stages[0]
    yield from made(
        "dear-stage", "first stage eight times as wide", stage(0, width=first.width * 8), "stages.0"
    )
    head = {"pool": "none", "hidden": (4096, 4096)}
    yield from made("huge-dense", "flattened, 4096 wide", patched(head=head), "head")
    if not residual:
        yield from made("even-kernel", "4×4", stage(1, kernel=4, padding=2), "stages.1")
        yield from made(
            "kernel-under-stride", "1×1 by twos", stage(1, kernel=1, stride=2), "stages.1"
        )
        yield from made("border-dropped", "not padded", stage(1, kernel=3, padding=0), "stages.1")
    if residual and sum(one.depth for one in arch.stages) >= 24:
        plain = [{**one.model_dump(), "skip": False} for one in arch.stages]
        yield from made("skip-forgotten", "no skips", patched(stages=plain), "stages")
    if arch.norm == "batch":
        tanh = patched(activation="tanh", norm="none")
        yield from made("saturating", "tanh, no norms", tanh, "stem", "stages")


def _arch(data: dict[str, Any]) -> Arch | None:
    """None where an architecture's own checks refuse the fault: it cannot be made."""
    try:
        return Arch.model_validate(data)
    except ValidationError:
        return None


def _strides(arch: Arch, *strides: int) -> Arch | None:
    stages = [
        {**one.model_dump(), "stride": stride}
        for one, stride in zip(arch.stages, strides, strict=True)
    ]
    return _arch({**arch.model_dump(), "stages": stages})


def original(name: str) -> Arch:
    """The healthy architecture of that name."""
    arch = zoo(name)
    return adapt(arch, image=LARGER[name]) if name in LARGER else arch
