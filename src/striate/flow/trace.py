"""``striate trace``: from TARGET to Trace."""

from __future__ import annotations

from collections.abc import Callable

from striate.errors import InputError
from striate.flow.sizes import full_image
from striate.flow.targets import Target, resolve
from striate.records import Trace

DEFAULT_IMAGE = (3, 224, 224)


def trace_target(target: Target | str, image: str | None = None) -> Trace:
    """Trace what TARGET names at ``image`` (by default the size the network is made for)."""
    if isinstance(target, str):
        target = resolve(target)
    return tracer(target)(full_image(image, target.image or DEFAULT_IMAGE))


def tracer(target: Target) -> Callable[[tuple[int, int, int]], Trace]:
    """What traces ``target`` at an image of (C, H, W): built anew for each."""
    from striate.flow.network import shapes_of

    arch = target.arch
    if arch is None:
        return lambda image: shapes_of(target.make, image, name=target.name)
    from striate.arch import adapt
    from striate.building import build

    def traced(image: tuple[int, int, int]) -> Trace:
        check_channels(target, image)
        network = adapt(arch, image=image)
        return shapes_of(lambda: build(network, device="meta"), image, name=target.name)

    return traced


def check_channels(target: Target, image: tuple[int, int, int]) -> None:
    """InputError if an architecture is given an image of other channels than its own."""
    takes = image[0] if target.arch is None else target.arch.image[0]
    if image[0] != takes:
        raise InputError(
            f"--image {'x'.join(map(str, image))}: {target.name} takes images of {takes} "
            f"channel{'' if takes == 1 else 's'}, not {image[0]}; change image in its TOML"
        )
