"""What would make shapes fit that did not, where arithmetic can tell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

from striate.records.trace import Layer
from striate.tracing.heard import Heard

Shape = tuple[int, ...]


def hint(heard: Heard, layers: Sequence[Layer]) -> str | None:
    """One clause that names the value that would fit, or None."""
    finder = _FINDERS.get(heard.shown)
    return finder(heard, layers) if finder is not None else None


def needs(heard: Heard) -> Shape | None:
    """The least map (height, width) into which a 2-d window that does not fit would; else None."""
    given = heard.shapes[0] if heard.shapes else ()
    if heard.shown == "conv2d" and len(heard.shapes) > 1 and "transpose" not in heard.name:
        kernel = heard.shapes[1][2:]
        padding, dilation = heard.get(4, "padding", 0), heard.get(5, "dilation", 1)
    elif heard.shown in ("max_pool2d", "avg_pool2d"):
        kernel, padding = _sized(heard.get(1, "kernel_size", 1), 2), heard.get(3, "padding", 0)
        dilation = heard.get(4, "dilation", 1) if heard.shown == "max_pool2d" else 1
    else:
        return None
    if isinstance(padding, str) or len(kernel) != 2 or len(given) < 3:
        return None
    least = tuple(
        max(1, d * (k - 1) + 1 - 2 * p)
        for k, p, d in zip(kernel, _sized(padding, 2), _sized(dilation, 2), strict=True)
    )
    short = any(n < m for n, m in zip(given[-2:], least, strict=True))
    return least if short else None


def said(heard: Heard) -> str | None:
    """What did not fit, in the shapes that met, where torch's own words for it are obscure."""
    if len(heard.shapes) < 2:
        return None
    given, other = heard.shapes[0], heard.shapes[1]
    if heard.shown.startswith("conv") and len(given) == len(other) > 2:
        transposed = "transpose" in heard.name
        wanted = other[0] if transposed else other[1] * heard.get(6, "groups", 1)
        if given[1] != wanted:
            return f"takes {wanted} channels, and its input {_shape(given)} has {given[1]}"
    if heard.name == "linear" and given[-1:] != other[-1:]:
        return f"takes {other[-1]} features, and its input {_shape(given)} has {_last(given)}"
    if heard.shown in _ELEMENTWISE and len(heard.shapes) == 2:
        return f"{_shape(given)} and {_shape(other)} do not match"
    return None


def _conv(heard: Heard, _: Sequence[Layer]) -> str | None:
    if len(heard.shapes) < 2:
        return None
    given, weight = heard.shapes[0], heard.shapes[1]
    if len(given) != len(weight):
        return f"the input must have {len(weight)} dimensions, and has {len(given)}"
    transposed = "transpose" in heard.name
    groups = heard.get(6, "groups", 1)
    wanted = weight[0] if transposed else weight[1] * groups
    if given[1] != wanted:
        return f"in_channels={given[1]} would fit this input (it is {wanted})"
    kernel, k = weight[2:], len(weight) - 2
    dilation, padding = _sized(heard.get(5, "dilation", 1), k), heard.get(4, "padding", 0)
    if transposed or isinstance(padding, str):
        return None
    return _room(given[2:], kernel, _sized(padding, k), dilation)


def _room(given: Shape, kernel: Shape, padding: Shape, dilation: Shape) -> str | None:
    """The least padding for which a kernel fits into a map."""
    need = [
        -(-(d * (side - 1) + 1 - n) // 2)
        for n, side, d in zip(given, kernel, dilation, strict=True)
    ]
    if all(n <= p for n, p in zip(need, padding, strict=True)):
        return None
    return (
        f"the map here is only {_by(given)}; padding={max(need)} would let the kernel in, "
        "and so would a larger image"
    )


def _pool(heard: Heard, _: Sequence[Layer]) -> str | None:
    k = 1 if "1d" in heard.name else 3 if "3d" in heard.name else 2
    given = heard.shapes[0][-k:]
    return f"the map here is only {_by(given)}; leave this pool out, or give a larger image"


def _linear(heard: Heard, _: Sequence[Layer]) -> str | None:
    if heard.name == "addmm":
        given, weight = heard.shapes[1], heard.shapes[2][::-1]
    elif heard.name == "linear":
        given, weight = heard.shapes[0], heard.shapes[1]
    else:
        return None
    features = _last(given)
    if features == weight[1]:
        return None
    if len(given) > 2 and prod(given[1:]) == weight[1]:
        return f"flatten(1) before it would give the {weight[1]} features it takes"
    return f"in_features={features} would fit this input (it is {weight[1]})"


def _norm(heard: Heard, _: Sequence[Layer]) -> str | None:
    if len(heard.shapes) < 2 or len(heard.shapes[0]) < 2:
        return None
    channels, features = heard.shapes[0][1], heard.shapes[1][0]
    if channels == features:
        return None
    return f"num_features={channels} would fit this input (it is {features})"


def _view(heard: Heard, _: Sequence[Layer]) -> str | None:
    given = heard.shapes[0]
    asked: list[int] | None = heard.get(1, "size")
    if not asked or not given:
        return None
    batch, features = given[0], prod(given[1:])
    if len(asked) == 2 and (asked[0] in (-1, batch) or asked[1] != -1):
        return f"there are {features} features for each image here, not {asked[1]}"
    return f"there are {prod(given)} elements here: {_by(given)}"


def _meeting(heard: Heard, layers: Sequence[Layer]) -> str | None:
    """Two maps that do not match: a padding, or the 1×1 convolution a skip needs."""
    shapes = [shape for shape in heard.shapes if len(shape) == 4]
    if len(shapes) < 2 or len(heard.inputs) < 2:
        return None
    a, b = shapes[:2]
    if a[2:] != b[2:]:
        paths = [(heard.inputs[0], a, b), (heard.inputs[1], b, a)]
        if prod(a[2:]) > prod(b[2:]):
            paths.reverse()  # the smaller one first: it may grow
        for index, own, goal in paths:
            found = _padding(layers, index, own, goal)
            if found is not None:
                return found
    if heard.shown == "cat":
        return None
    wide, narrow = (a, b) if prod(a[2:]) >= prod(b[2:]) else (b, a)
    strides = {-(-n // m) for n, m in zip(wide[2:], narrow[2:], strict=True)}
    if len(strides) != 1:
        return None
    stride = strides.pop()
    if any(-(-n // stride) != m for n, m in zip(wide[2:], narrow[2:], strict=True)):
        return None
    if stride == 1 and a[1] == b[1]:
        return None
    if stride == 1:
        return f"a 1x1 convolution from {a[1]} to {b[1]} channels on one path would match them"
    return (
        f"a 1x1 convolution from {wide[1]} to {narrow[1]} channels with stride={stride} on the "
        "path with the larger map would match them"
    )


def _padding(layers: Sequence[Layer], index: int, own: Shape, other: Shape) -> str | None:
    """The padding of the last window on a path that would make its map as large as another."""
    while index > 0:
        layer = layers[index]
        kernel = layer.attrs.get("kernel", (1, 1))
        if layer.shape[2:] != own[2:] or not layer.inputs or len(layer.shape) != 4:
            return None
        if max(kernel) > 1 and "dilation" in layer.attrs and not layer.attrs.get("transposed"):
            before = layers[layer.inputs[0]].shape
            stride, dilation = layer.attrs["stride"], layer.attrs["dilation"]
            for padding in range(max(k * d for k, d in zip(kernel, dilation, strict=True))):
                sizes = [
                    (n + 2 * padding - d * (k - 1) - 1) // s + 1
                    for n, k, s, d in zip(before[2:], kernel, stride, dilation, strict=True)
                ]
                if tuple(sizes) == other[2:]:
                    where = layer.path or layer.op
                    return f"padding={padding} in {where} would make these match"
            return None
        index = layer.inputs[0]
    return None


def _sized(value: Any, k: int) -> Shape:
    if isinstance(value, int):
        return (value,) * k
    return tuple(value) * k if len(value) == 1 else tuple(value)


def _last(shape: Shape) -> int:
    return shape[-1] if shape else 1


def _shape(shape: Shape) -> str:
    return "(" + ", ".join(map(str, shape)) + ")"


def _by(sizes: Shape) -> str:
    return "x".join(map(str, sizes))


_ELEMENTWISE = ("add", "sub", "mul", "div", "maximum", "minimum")

_FINDERS: dict[str, Callable[[Heard, Sequence[Layer]], str | None]] = {
    **dict.fromkeys(("conv1d", "conv2d", "conv3d"), _conv),
    **dict.fromkeys(("conv_transpose1d", "conv_transpose2d", "conv_transpose3d"), _conv),
    **{f"{kind}_pool{k}d": _pool for kind in ("max", "avg") for k in "123"},
    "linear": _linear,
    "batch_norm": _norm,
    "view": _view,
    "reshape": _view,
    **dict.fromkeys((*_ELEMENTWISE, "cat"), _meeting),
}
