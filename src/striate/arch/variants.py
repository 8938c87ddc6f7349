"""Functions from Arch to Arch: the plain twin, another image size, another number of classes."""

from __future__ import annotations

from collections.abc import Sequence

from striate.arch.spec import Arch
from striate.arch.text import from_dict, to_dict


def plain_twin(arch: Arch, *, name: str | None = None) -> Arch:
    """The same network without its skips (He et al. 2015, section 4.1), named ``…-plain``.

    The convolutions stay; the sums and the shortcuts' parameters go.  ``zero_init`` goes too: it
    starts residual branches at zero, and here the branch is all there is.  A network without skips
    is its own plain twin and comes back as it is.

    >>> from striate.arch import zoo
    >>> twin = plain_twin(zoo("resnet20"))
    >>> twin.name, twin.stages == zoo("plain20").stages
    ('resnet20-plain', True)
    """
    if not any(stage.residual for stage in arch.stages):
        return arch
    data = to_dict(arch)
    data["name"] = name or f"{arch.name}-plain"
    data["zero_init"] = False
    for row, stage in zip(data["stages"], arch.stages, strict=True):
        if stage.residual:
            row["skip"] = False
    return from_dict(data, where=f"plain twin of {arch.name}")


def adapt(
    arch: Arch,
    *,
    image: Sequence[int] | None = None,
    classes: int | None = None,
    name: str | None = None,
) -> Arch:
    """The same network for another image, (C, H, W) or (H, W), and another number of classes.

    ArchError where it cannot be: a map would shrink to nothing, or a size is no size.

    >>> from striate.arch import zoo
    >>> adapt(zoo("resnet20"), image=(1, 28, 28), classes=26).image
    (1, 28, 28)
    """
    data = to_dict(arch)
    if image is not None:
        data["image"] = [*arch.image[: 1 if len(image) == 2 else 0], *image]
    if classes is not None:
        data["classes"] = classes
    if name is not None:
        data["name"] = name
    return from_dict(data, where=arch.name)
