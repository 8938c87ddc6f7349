"""Faults planted by changing one constructor's call: the commonest way to make one."""

from __future__ import annotations

from collections.abc import Iterator

from faults.hosts import Host
from faults.program import Mutant

_DROPPED = 1 / 16
"""Dropped rows below this share of the map are no fault: nothing is lost that would be missed."""


def plants(host: Host) -> Iterator[Mutant]:
    """Every fault of this file in one healthy network."""
    for plant in (
        _bias_before_norm,
        _padded_pointwise,
        _border_dropped_by_conv,
        _border_dropped_by_pool,
        _kernel_under_stride,
        _even_kernel,
        _too_large_kernel,
        _merge_size,
        _pool_of_one,
        _not_depthwise,
        _groups,
        _checkerboard,
        _wrong_flatten,
    ):
        yield from plant(host)


def _bias_before_norm(host: Host) -> Iterator[Mutant]:
    program = host.program
    for call, made in host.convs():
        if all(host.before_norm(layer) and not layer.attrs["bias"] for layer in made):
            text = program.with_arguments(call, bias=None)
            if program.argument(call, "bias") is None:
                continue
            yield program.mutant("bias-before-norm", made[0].path, text)
    for call in program.calls("Linear"):
        if program.argument(call, "bias") == "False":
            text = program.with_arguments(call, bias=None)
            yield program.mutant("dense-bias-before-norm", program.source(call), text)


def _padded_pointwise(host: Host) -> Iterator[Mutant]:
    program = host.program
    for call, made in host.convs():
        if all(layer.attrs["kernel"] == (1, 1) for layer in made):
            text = program.with_arguments(call, padding="1")
            yield program.mutant("padded-pointwise", made[0].path, text)


def _border_dropped_by_conv(host: Host) -> Iterator[Mutant]:
    program = host.program
    for call, made in host.convs():
        plain = not any(host.merged(layer) for layer in made)
        strided = all(layer.attrs["stride"] == (2, 2) for layer in made)
        if not (plain and strided and all(layer.attrs["kernel"] == (3, 3) for layer in made)):
            continue
        sizes = {host.trace.layers[layer.inputs[0]].shape[2] for layer in made}
        if all(_dropped(size, 3, 2, 0) >= _DROPPED * size for size in sizes):
            text = program.with_arguments(call, padding="0")
            yield program.mutant("border-dropped", f"{made[0].path}, not padded", text)


def _border_dropped_by_pool(host: Host) -> Iterator[Mutant]:
    program = host.program
    for call in program.calls("MaxPool2d", "AvgPool2d"):
        made = host.layers(call)
        if not made or any(host.merged(layer) for layer in made):
            continue
        sizes = [host.trace.layers[layer.inputs[0]].shape[2] for layer in made]
        if any(_dropped(size, 3, 3, 0) >= _DROPPED * size for size in sizes) and min(sizes) > 5:
            text = program.with_arguments(call, kernel_size="3", stride="3")
            yield program.mutant("border-dropped", f"{made[0].path}, by threes", text)


def _dropped(size: int, kernel: int, stride: int, padding: int) -> int:
    """Rows at the far end that no window reads."""
    outputs = (size + 2 * padding - kernel) // stride + 1
    return max(0, size + padding - ((outputs - 1) * stride + kernel))


def _kernel_under_stride(host: Host) -> Iterator[Mutant]:
    program = host.program
    for call, made in host.convs():
        if any(layer.attrs["stride"] == (2, 2) for layer in made) and all(
            layer.attrs["kernel"] == (3, 3) and not host.read_elsewhere(layer) for layer in made
        ):
            text = program.with_arguments(call, kernel_size="1", padding="0")
            yield program.mutant("kernel-under-stride", f"{made[0].path}, 1×1 by twos", text)
    for call in program.calls("MaxPool2d", "AvgPool2d"):
        made = host.layers(call)
        if made and not any(host.merged(layer) for layer in made):
            text = program.with_arguments(call, kernel_size="2", stride="3")
            yield program.mutant("kernel-under-stride", f"{made[0].path}, 2×2 by threes", text)
            text = program.with_arguments(call, kernel_size="1", stride="2")
            yield program.mutant("kernel-under-stride", f"{made[0].path}, 1×1 by twos", text)


def _even_kernel(host: Host) -> Iterator[Mutant]:
    program = host.program
    for call, made in host.convs():
        if all(
            layer.attrs["kernel"] in ((3, 3), (5, 5), (7, 7))
            and layer.attrs["stride"] == (1, 1)
            and layer.attrs["dilation"] == (1, 1)
            for layer in made
        ):
            text = program.with_arguments(call, kernel_size="4", padding="'same'")
            yield program.mutant("even-kernel", f"{made[0].path}, 4×4", text)
            if not any(host.merged(layer) for layer in made):
                text = program.with_arguments(call, kernel_size="2", padding="1")
                yield program.mutant("even-kernel", f"{made[0].path}, 2×2", text)


def _too_large_kernel(host: Host) -> Iterator[Mutant]:
    program = host.program
    for call, made in host.convs():
        size = min(host.trace.layers[layer.inputs[0]].shape[2] for layer in made)
        if any(host.merged(layer) for layer in made):
            continue
        if size <= 8 and all(layer.attrs["kernel"] == (3, 3) for layer in made):
            text = program.with_arguments(call, kernel_size=str(size + 3), padding="0")
            yield program.mutant("input-too-small", f"{made[0].path}, kernel {size + 3}", text)


def _merge_size(host: Host) -> Iterator[Mutant]:
    program = host.program
    for call, made in host.convs():
        if not any(_added(host, layer.index) for layer in made):
            continue
        if program.argument(call, "stride") == "1" and made[0].attrs["kernel"] == (3, 3):
            text = program.with_arguments(call, stride="2")
            yield program.mutant("merge-size", f"{made[0].path}, strided too", text)
        if program.argument(call, "stride") == "stride" and any(
            layer.attrs["stride"] == (2, 2) and _added(host, layer.index) for layer in made
        ):
            text = program.with_arguments(call, stride="1")
            yield program.mutant("merge-size", f"{made[0].path}, stride forgotten", text)
        if program.argument(call, "padding") == "1" and made[0].attrs["kernel"] == (3, 3):
            text = program.with_arguments(call, padding="0")
            yield program.mutant("merge-size", f"{made[0].path}, padding forgotten", text)


def _added(host: Host, index: int) -> bool:
    """Whether the layer is part of a block that ends in an addition."""
    path = host.trace.layers[index].path
    blocks = {layer.path for layer in host.trace if layer.op == "add" and layer.path}
    return any(path.startswith(f"{block}.") for block in blocks)


def _pool_of_one(host: Host) -> Iterator[Mutant]:
    program = host.program
    for call in program.calls("MaxPool2d", "AvgPool2d"):
        made = host.layers(call)
        if made and program.argument(call, "stride") == program.argument(call, "kernel_size"):
            if any(_concatenated(host, layer.index) for layer in made):
                continue
            text = program.with_arguments(call, kernel_size="1", stride="1")
            yield program.mutant("pool-of-one", made[0].path, text)


def _concatenated(host: Host, index: int) -> bool:
    return host.merged(host.trace.layers[index])


def _not_depthwise(host: Host) -> Iterator[Mutant]:
    program = host.program
    for call, made in host.convs():
        deep = [layer for layer in made if 1 < layer.attrs["groups"] == layer.attrs["in_channels"]]
        if deep:
            text = program.with_arguments(call, groups=None)
            yield program.mutant("not-depthwise", deep[0].path, text)


def _groups(host: Host) -> Iterator[Mutant]:
    program = host.program
    for call in program.calls("GroupNorm"):
        text = program.with_arguments(call, num_groups="7")
        yield program.mutant("groups-do-not-divide", program.source(call), text)


def _checkerboard(host: Host) -> Iterator[Mutant]:
    program = host.program
    for call in program.calls("ConvTranspose2d"):
        text = program.with_arguments(call, kernel_size="3", padding="1", output_padding="1")
        yield program.mutant("checkerboard", f"{program.source(call)}, 3×3", text)
        text = program.with_arguments(call, kernel_size="5", padding="2", output_padding="1")
        yield program.mutant("checkerboard", f"{program.source(call)}, 5×5", text)


def _wrong_flatten(host: Host) -> Iterator[Mutant]:
    program = host.program
    for call in program.calls("Linear"):
        made = host.layers(call)
        if len(made) != 1 or made[0].inputs == ():
            continue
        width = made[0].attrs["in_features"]
        for wrong in (width * 4, width // 2):
            text = program.with_arguments(call, in_features=str(wrong))
            where = f"{made[0].path}, {wrong} for {width}"
            yield program.mutant("wrong-flatten", where, text)
