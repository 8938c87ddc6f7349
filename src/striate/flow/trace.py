"""``striate trace``: from TARGET to Trace."""

from __future__ import annotations

from striate.errors import InputError
from striate.flow.sizes import full_image
from striate.flow.targets import Target, resolve
from striate.records import Trace

DEFAULT_IMAGE = (3, 224, 224)


def trace_target(target: Target | str, image: str | None = None) -> Trace:
    """Trace what TARGET names at ``image`` (by default the size the network is made for)."""
    if isinstance(target, str):
        target = resolve(target)
    size = full_image(image, target.image or DEFAULT_IMAGE)
    from striate.flow.network import shapes_of

    if target.arch is not None:
        from striate.arch import adapt
        from striate.building import build

        if size[0] != target.arch.image[0]:
            takes = target.arch.image[0]
            raise InputError(
                f"--image {'x'.join(map(str, size))}: {target.name} takes images of {takes} "
                f"channel{'' if takes == 1 else 's'}, not {size[0]}; change image in its TOML"
            )
        arch = adapt(target.arch, image=size)
        return shapes_of(lambda: build(arch, device="meta"), size, name=target.name)
    return shapes_of(target.make, size, name=target.name)
