"""Which family of a library a network belongs to, told from its Arch alone."""

from __future__ import annotations

from typing import Literal

from striate.arch import Arch
from striate.errors import ArchError

Family = Literal["resnet", "vgg", "densenet", "mobile", "convnext", "vit"]


def family_of(arch: Arch, library: str) -> Family:
    """The family whose names ``library`` gives to such a network; ArchError where it has none."""
    blocks = {stage.block for stage in arch.stages}
    if blocks <= {"basic", "bottleneck"} and not arch.preact and arch.stem is not None:
        return "resnet"
    if blocks == {"conv"} and arch.stem is None and len(arch.head.hidden) == 2:
        return "vgg"
    if blocks == {"densenet"}:
        return "densenet"
    if blocks <= {"inverted", "fused"}:
        return "mobile"
    if blocks == {"convnext"}:
        return "convnext"
    if blocks == {"transformer"} and arch.head.pool == "token":
        return "vit"
    raise ArchError(
        f"{arch.name}: {library} has no network of this kind, so its weights have no names here; "
        "load a file that striate wrote"
    )
