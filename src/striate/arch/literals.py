"""What the constructors of a network's modules are called with, told from its architecture alone.

The tests hold this table to the network that ``striate.building`` makes.  Its use is to say what a
change of an architecture changes in the network, module by module, before anything is built.
"""

from __future__ import annotations

from collections.abc import Iterator

from striate.arch.agreement import channels
from striate.arch.sizes import map_sizes
from striate.arch.spec import Arch, Pool, Stage

Literal = bool | int
Arguments = dict[str, Literal]
"""Of one module's constructor."""
Place = tuple[str, str]
"""(module path, constructor's argument)."""


def literals(arch: Arch) -> dict[Place, Literal]:
    """The value of every argument of every convolution, pool and dense layer, by its place.

    Squares are one number: ``("stem.conv", "kernel_size"): 7``.
    """
    return {
        (path, argument): value
        for path, arguments in _modules(arch)
        for argument, value in arguments.items()
    }


def _modules(arch: Arch) -> Iterator[tuple[str, Arguments]]:
    sizes, widths, bias = map_sizes(arch), channels(arch), arch.conv_bias
    if (stem := arch.stem) is not None:
        yield (
            "stem.conv",
            _conv(arch.image[0], stem.width, arch.stem_bias, stem.kernel, stem.stride, stem.pad),
        )
        yield from _pool("stem.pool", stem.pool)
    for index, (row, size, width) in enumerate(zip(arch.stages, sizes, widths, strict=False)):
        path = f"stages.{index}"
        given = width
        if row.block == "dense":
            given = width * size[0] * size[1]
        elif row.block == "convnext" and (row.stride > 1 or width != row.width):
            yield f"{path}.enter.conv", _conv(width, row.width, bias, row.stride, row.stride)
            given = row.width
        for block in range(row.depth):
            for name, arguments in _block(row, given, block, bias):
                yield f"{path}.blocks.{block}.{name}", arguments
            given = given + row.width if row.block == "densenet" else row.width
        if row.transition:
            yield f"{path}.compress.conv", _conv(given, widths[index + 1], bias)
        place = f"{path}.blocks.0.pool" if row.pool_first else f"{path}.pool"
        yield from _pool(place, row.pool)
    yield from _head(arch, sizes[-1], widths[-1])


def _head(arch: Arch, size: tuple[int, int], width: int) -> Iterator[tuple[str, Arguments]]:
    head = arch.head
    if head.width is not None:
        yield "head.widen.conv", _conv(width, head.width, arch.conv_bias)
        width = head.width
    features = width * size[0] * size[1]
    if head.pool in ("avg", "max") and arch.stages[-1].kind.on == "map":
        yield "head.pool", {"output_size": head.size}
    if head.pool != "none":
        features = width * head.size**2
    for index, units in enumerate(head.hidden):
        yield f"head.hidden.{index}.linear", _linear(features, units)
        features = units
    yield "head.linear", _linear(features, arch.classes)


def _block(row: Stage, given: int, index: int, bias: bool) -> Iterator[tuple[str, Arguments]]:
    stride = row.stride if index == 0 else 1
    inside, width = row.inside(given), row.width

    def spatial(channels: int, out: int, stride: int = 1, groups: int = row.groups) -> Arguments:
        return _conv(channels, out, bias, row.kernel, stride, row.pad, row.dilation, groups)

    match row.block:
        case "dense":
            yield "linear", _linear(given, width)
        case "conv":
            yield "conv", spatial(given, width, stride)
        case "basic":
            yield "conv1", spatial(given, inside, stride)
            yield "conv2", spatial(inside, width)
        case "bottleneck":
            yield "conv1", _conv(given, inside, bias)
            yield "conv2", spatial(inside, inside, stride)
            yield "conv3", _conv(inside, width, bias)
        case "inverted":
            if inside != given:
                yield "conv1", _conv(given, inside, bias)
            yield "conv2", spatial(inside, inside, stride, inside)
            yield "conv3", _conv(inside, width, bias)
        case "fused":
            projects = inside != given
            yield "conv1", spatial(given, inside if projects else width, stride)
            if projects:
                yield "conv2", _conv(inside, width, bias)
        case "convnext":
            yield "conv1", spatial(width, width, 1, width)
            yield "conv2", _conv(width, inside, bias)
            yield "conv3", _conv(inside, width, bias)
        case "densenet":
            yield "conv1", _conv(given, inside, bias)
            yield "conv2", spatial(inside, width)
        case "transformer":
            yield "qkv", _linear(width, 3 * width)
            yield "proj", _linear(width, width)
            yield "fc1", _linear(width, inside)
            yield "fc2", _linear(inside, width)
    projects = "shortcut" in row.kind.keys and row.residual and row.shortcut == "projection"
    if projects and (stride > 1 or given != width):
        yield "shortcut.conv", _conv(given, width, bias, stride=stride)
    if row.squeeze:
        gated, of = (width, width) if row.kind.of == "width" else (inside, given)
        hidden = max(1, round(row.squeeze * of))
        yield "gate.reduce", _conv(gated, hidden, bias=True)
        yield "gate.expand", _conv(hidden, gated, bias=True)


def _conv(
    given: int,
    out: int,
    bias: bool,
    kernel: int = 1,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
    groups: int = 1,
) -> Arguments:
    return {
        "in_channels": given,
        "out_channels": out,
        "kernel_size": kernel,
        "stride": stride,
        "padding": padding,
        "dilation": dilation,
        "groups": groups,
        "bias": bias,
    }


def _linear(given: int, out: int) -> Arguments:
    return {"in_features": given, "out_features": out, "bias": True}


def _pool(path: str, pool: Pool | None) -> Iterator[tuple[str, Arguments]]:
    if pool is not None:
        yield (
            path,
            {"kernel_size": pool.kernel, "stride": pool.stride, "padding": pool.padding},
        )
