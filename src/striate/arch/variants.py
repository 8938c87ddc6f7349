"""Functions from Arch to Arch: the plain twin, the form for small images, another image or other
classes.
"""

from __future__ import annotations

from collections.abc import Sequence

from striate.arch.sizes import map_sizes
from striate.arch.spec import Arch
from striate.arch.text import from_dict, to_dict
from striate.errors import ArchError


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


def residual_twin(arch: Arch, *, name: str | None = None) -> Arch:
    """The same network with the skips that were taken from it, named ``…-residual``.

    Stages whose block can have a skip and has ``skip = false`` get it back.  A network without such
    a stage comes back as it is.

    >>> from striate.arch import zoo
    >>> residual_twin(zoo("plain20")).stages == zoo("resnet20").stages
    True
    """
    bare = [stage.kind.skip is not None and not stage.residual for stage in arch.stages]
    if not any(bare):
        return arch
    data = to_dict(arch)
    data["name"] = name or f"{arch.name}-residual"
    for row, taken in zip(data["stages"], bare, strict=True):
        if taken:
            row.pop("skip", None)
    return from_dict(data, where=f"residual twin of {arch.name}")


def shortened(arch: Arch, blocks: int, *, name: str | None = None) -> Arch:
    """The same network without its last ``blocks`` blocks, named ``…-minus<blocks>``.

    A stage that loses all its blocks goes with its stride and its pool.  ArchError where what is
    left is no network: none of its blocks, or a map that its head cannot take.

    >>> from striate.arch import zoo
    >>> [stage.depth for stage in shortened(zoo("resnet20"), 4).stages]
    [3, 2]
    """
    total = sum(stage.depth for stage in arch.stages)
    if not 0 < blocks < total:
        raise ArchError(
            f"{arch.name} without {blocks} of its {total} blocks: give from 1 to {total - 1}"
        )
    data = to_dict(arch)
    data["name"] = name or f"{arch.name}-minus{blocks}"
    left = blocks
    while left:
        row = data["stages"][-1]
        depth = arch.stages[len(data["stages"]) - 1].depth
        if depth <= left:
            data["stages"].pop()
            left -= depth
        else:
            row["depth"] = depth - left
            left = 0
    return from_dict(data, where=f"{arch.name} without its last {blocks} blocks")


def small_form(arch: Arch, *, image: Sequence[int] = (32, 32), name: str | None = None) -> Arch:
    """The same network for small images, by one rule, named ``…-small``.

    The stem keeps every pixel: stride 1, a kernel of 3 at most, no pool behind it.  A stem of
    patches (kernel = stride) cuts patches a quarter as wide.  A head that pools to more than the
    last map holds pools to that map.  All else stays.  ``image`` is (C, H, W) or (H, W).  Papers
    that have a form of their own for small images (He et al. 2015, section 4.2) have it in the zoo
    under its own name.

    >>> from striate.arch import zoo
    >>> stem = small_form(zoo("resnet18")).stem
    >>> stem.kernel, stem.stride, stem.pool
    (3, 1, None)
    """
    data = to_dict(arch)
    data["name"] = name or f"{arch.name}-small"
    if arch.stem is not None:
        stem = data["stem"]
        patches = arch.stem.kernel == arch.stem.stride > 1
        stem.pop("pool", None)
        if patches:
            stem["kernel"] = stem["stride"] = max(1, arch.stem.stride // 4)
        else:
            stem.pop("padding", None)
            stem.pop("stride", None)
            stem["kernel"] = min(arch.stem.kernel, 3)
    data["image"] = [*arch.image[: 1 if len(image) == 2 else 0], *image]
    small = from_dict(data, where=data["name"])
    left = min(map_sizes(small)[-1])
    if small.head.pool in ("avg", "max") and small.head.size > left:
        data["head"]["size"] = left
    return from_dict(data, where=data["name"])


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
