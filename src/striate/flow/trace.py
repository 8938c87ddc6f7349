"""``striate trace``: from TARGET to Trace."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from striate.errors import InputError
from striate.flow.sizes import full_image
from striate.flow.targets import Target, resolve
from striate.records import Trace

if TYPE_CHECKING:  # it loads torch
    from striate.flow.network import Forward

DEFAULT_IMAGE = (3, 224, 224)


def trace_target(
    target: Target | str, image: str | None = None, how: Forward | None = None
) -> Trace:
    """Trace what TARGET names at ``image`` (by default the size the network is made for)."""
    if isinstance(target, str):
        target = resolve(target)
    return tracer(target, how)(full_image(image, target.image or DEFAULT_IMAGE))


def tracer(target: Target, how: Forward | None = None) -> Callable[[tuple[int, int, int]], Trace]:
    """What traces ``target`` at an image of (C, H, W): built anew for each.

    ``how``: in evaluation mode and on one image, if it is not given.
    """
    from striate.flow.network import Forward, shapes_of

    asked, arch = how or Forward(), target.arch
    if arch is None:
        return lambda image: shapes_of(target.make, image, name=target.name, how=asked)
    from striate.arch import adapt
    from striate.building import build

    def traced(image: tuple[int, int, int]) -> Trace:
        check_channels(target, image)
        network = adapt(arch, image=image)
        return shapes_of(lambda: build(network, device="meta"), image, name=target.name, how=asked)

    return traced


def check_channels(target: Target, image: tuple[int, int, int]) -> None:
    """InputError if an architecture is given an image of other channels than its own."""
    takes = image[0] if target.arch is None else target.arch.image[0]
    if image[0] != takes:
        raise InputError(
            f"--image {'x'.join(map(str, image))}: {target.name} takes images of {takes} "
            f"channel{'' if takes == 1 else 's'}, not {image[0]}; change image in its TOML"
        )
