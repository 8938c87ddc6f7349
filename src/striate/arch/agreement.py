"""Whether the parts of a network agree with each other: what one of them alone cannot know."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # spec.py validates with this file, so this file knows its names for types only
    from striate.arch.spec import Arch, Stage


def channels(arch: Arch) -> list[int]:
    """Channels after the stem and after every stage; the first are the image's own without a stem.

    >>> from striate.arch import zoo
    >>> channels(zoo("resnet18"))
    [64, 64, 128, 256, 512]
    """
    found = [arch.stem.width if arch.stem else arch.image[0]]
    for stage in arch.stages:
        found.append(stage.leaving(found[-1]))
    return found


def order_problem(arch: Arch) -> str | None:
    """A stage that cannot follow the one before it, and the mend."""
    arriving, before = channels(arch), "map"
    for number, (stage, given) in enumerate(zip(arch.stages, arriving, strict=False), 1):
        where = f"stage {number}"
        on = stage.kind.on
        if before == "features" and on != "features":
            return f"{where} ({stage.block}) follows a dense stage, which has no map"
        if before == "tokens" and on != "tokens":
            return f"{where} ({stage.block}) follows a transformer stage, whose tokens are no map"
        problem = _stage_problem(arch, stage, given)
        if problem:
            return f"{where}{problem}"
        before = on
    return None


def _stage_problem(arch: Arch, stage: Stage, given: int) -> str | None:
    """What is wrong with a stage that is given so many channels."""
    if stage.block in ("conv", "basic") and given % stage.groups:
        return f": groups {stage.groups} does not divide its {given} input channels"
    if stage.residual and stage.shortcut == "pad" and stage.width < given:
        return (
            f": shortcut 'pad' cannot go from {given} to {stage.width} channels; use 'projection'"
        )
    if stage.block == "transformer" and stage.width != given:
        return (
            f": a transformer keeps its width, and {given} channels arrive where width is "
            f"{stage.width}; make the two equal"
        )
    if arch.preact and stage.residual and stage.block not in ("basic", "bottleneck"):
        return f" ({stage.block}): preact is of basic and bottleneck blocks; take preact away"
    return None


def head_problem(arch: Arch) -> str | None:
    """A head that cannot read what the last stage gives, and the mend."""
    head, on = arch.head, arch.stages[-1].kind.on
    if on == "features" and head.pool != "none":
        return (
            f"head.pool {head.pool!r} needs a map, and the last stage is dense; use pool = 'none'"
        )
    if on == "features" and (head.width or head.norm != "none"):
        key = "width" if head.width else "norm"
        return f"head.{key} needs a map, and the last stage is dense; take the key away"
    if head.pool == "token" and on != "tokens":
        return "head.pool 'token' needs a transformer's tokens; use pool = 'avg'"
    if on == "tokens" and (head.pool not in ("token", "avg") or head.size != 1):
        return "the last stage is a transformer; use head.pool = 'token' or 'avg', of size 1"
    if on == "tokens" and head.width:
        return "head.width is a convolution's, and the last stage is a transformer; take it away"
    return None


def start_problem(arch: Arch) -> str | None:
    """A beginning that the network has not got."""
    if arch.dirac_init and not any(stage.block == "conv" for stage in arch.stages):
        return "dirac_init is of conv blocks, and there is none; take it away"
    if not arch.zero_init:
        return None
    if arch.norm == "none":
        return "zero_init sets the last norm's scale, and norm is 'none'"
    if arch.preact:
        return "zero_init sets the scale of a branch's last norm, and with preact none comes last"
    return None
