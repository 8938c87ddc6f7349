"""What the constructors of a network's modules are called with, told from its architecture alone.

The tests hold this table to the network that ``striate.building`` makes.  Its use is to say what a
change of an architecture changes in the network, module by module, before anything is built.
"""

from __future__ import annotations

from collections.abc import Iterator

from striate.arch.sizes import map_sizes
from striate.arch.spec import Arch, Pool, Stage

Literal = bool | int
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


def _modules(arch: Arch) -> Iterator[tuple[str, dict[str, Literal]]]:
    width, bias = arch.image[0], arch.conv_bias
    if (stem := arch.stem) is not None:
        yield (
            "stem.conv",
            _conv(width, stem.width, bias, stem.kernel, stem.stride, stem.pad),
        )
        yield from _pool("stem.pool", stem.pool)
        width = stem.width
    sizes = map_sizes(arch)
    for index, row in enumerate(arch.stages):
        path = f"stages.{index}"
        features = width * sizes[index][0] * sizes[index][1]
        for block in range(row.depth):
            place = f"{path}.blocks.{block}"
            given = width if block == 0 else row.width
            if row.block == "dense":
                given = features if block == 0 else row.width
                yield f"{place}.linear", _linear(given, row.width)
            else:
                for name, arguments in _block(row, given, block, bias):
                    yield f"{place}.{name}", arguments
        yield from _pool(f"{path}.pool", row.pool)
        width = row.width
    yield from _head(arch, width * sizes[-1][0] * sizes[-1][1], width)


def _head(arch: Arch, flattened: int, width: int) -> Iterator[tuple[str, dict[str, Literal]]]:
    head = arch.head
    features = flattened
    if head.pool != "none":
        yield "head.pool", {"output_size": head.size}
        features = width * head.size**2
    for index, units in enumerate(head.hidden):
        yield f"head.hidden.{index}.linear", _linear(features, units)
        features = units
    yield "head.linear", _linear(features, arch.classes)


def _block(
    row: Stage, given: int, index: int, bias: bool
) -> Iterator[tuple[str, dict[str, Literal]]]:
    stride = row.stride if index == 0 else 1

    def spatial(channels: int, out: int, stride: int = 1) -> dict[str, Literal]:
        return _conv(channels, out, bias, row.kernel, stride, row.pad, row.dilation, row.groups)

    if row.block == "conv":
        yield "conv", spatial(given, row.width, stride)
    elif row.block == "basic":
        yield "conv1", spatial(given, row.inner, stride)
        yield "conv2", spatial(row.inner, row.width)
    else:
        yield "conv1", _conv(given, row.inner, bias)
        yield "conv2", spatial(row.inner, row.inner, stride)
        yield "conv3", _conv(row.inner, row.width, bias)
    if row.residual and row.shortcut == "projection" and (stride > 1 or given != row.width):
        yield "shortcut.conv", _conv(given, row.width, bias, stride=stride)
    if row.squeeze:
        hidden = max(1, round(row.squeeze * row.width))
        yield "gate.reduce", _conv(row.width, hidden, bias=True)
        yield "gate.expand", _conv(hidden, row.width, bias=True)


def _conv(
    given: int,
    out: int,
    bias: bool,
    kernel: int = 1,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
    groups: int = 1,
) -> dict[str, Literal]:
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


def _linear(given: int, out: int) -> dict[str, Literal]:
    return {"in_features": given, "out_features": out, "bias": True}


def _pool(path: str, pool: Pool | None) -> Iterator[tuple[str, dict[str, Literal]]]:
    if pool is not None:
        yield (
            path,
            {"kernel_size": pool.kernel, "stride": pool.stride, "padding": pool.padding},
        )
