"""Convolutions and transposed convolutions."""

from __future__ import annotations

from typing import Any

from striate.tracing.costs import convolution, transposed_convolution
from striate.tracing.fields.convs import convolve, convolve_transposed
from striate.tracing.ops.call import Call, Effect, op, sized


@op("conv1d", "conv2d", "conv3d")
def conv(call: Call) -> Effect:
    """(input, weight, bias, stride, padding, dilation, groups); padding may be a word."""
    weight = tuple(call.args[1].shape)
    k = len(weight) - 2
    return _conv(
        call,
        weight,
        stride=sized(call.get(3, "stride", 1), k),
        padding=call.get(4, "padding", 0),
        dilation=sized(call.get(5, "dilation", 1), k),
        groups=call.get(6, "groups", 1),
    )


@op("convolution", "_convolution")
def convolution_of_any_kind(call: Call) -> Effect:
    """(input, weight, bias, stride, padding, dilation, transposed, output_padding, groups)."""
    weight = tuple(call.args[1].shape)
    k = len(weight) - 2
    stride, dilation = sized(call.args[3], k), sized(call.args[5], k)
    if call.args[6]:
        return _transposed(
            call, weight, stride, sized(call.args[4], k), dilation, call.args[8]
        )._replace(name=f"conv_transpose{k}d")
    return _conv(
        call, weight, stride=stride, padding=call.args[4], dilation=dilation, groups=call.args[8]
    )._replace(name=f"conv{k}d")


@op("conv_transpose1d", "conv_transpose2d", "conv_transpose3d")
def conv_transpose(call: Call) -> Effect:
    """(input, weight, bias, stride, padding, output_padding, groups, dilation)."""
    weight = tuple(call.args[1].shape)
    k = len(weight) - 2
    return _transposed(
        call,
        weight,
        sized(call.get(3, "stride", 1), k),
        sized(call.get(4, "padding", 0), k),
        sized(call.get(7, "dilation", 1), k),
        call.get(6, "groups", 1),
    )


def _conv(
    call: Call,
    weight: tuple[int, ...],
    *,
    stride: tuple[int, ...],
    padding: Any,
    dilation: tuple[int, ...],
    groups: int,
) -> Effect:
    kernel = weight[2:]
    k = len(kernel)
    sides = _sides(padding, kernel, dilation)
    out = tuple(call.out.shape)
    reach = call.reach
    seen = reach and convolve(
        reach,
        channels=weight[0],
        kernel=kernel,
        stride=stride,
        padding=sides,
        dilation=dilation,
        groups=groups,
        out=out,
    )
    attrs = {
        "kernel": kernel,
        "stride": stride,
        "padding": tuple(left for left, _ in sides),
        "dilation": dilation,
        "groups": groups,
        "bias": call.get(2, "bias") is not None,
        "in_channels": weight[1] * groups,
        "out_channels": weight[0],
        "transposed": False,
    }
    if any(left != right for left, right in sides):
        attrs["padding_after"] = tuple(right for _, right in sides)
    assert k == len(sides)
    return Effect(seen, convolution(weight, out), call.out.numel(), attrs)


def _sides(
    padding: Any, kernel: tuple[int, ...], dilation: tuple[int, ...]
) -> tuple[tuple[int, int], ...]:
    """Padding before and after each axis; ``same`` puts the odd one after."""
    if padding == "same":
        totals = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
        return tuple((total // 2, total - total // 2) for total in totals)
    if padding == "valid":
        return ((0, 0),) * len(kernel)
    return tuple((p, p) for p in sized(padding, len(kernel)))


def _transposed(
    call: Call,
    weight: tuple[int, ...],
    stride: tuple[int, ...],
    padding: tuple[int, ...],
    dilation: tuple[int, ...],
    groups: int,
) -> Effect:
    kernel = weight[2:]
    reach = call.reach
    seen = reach and convolve_transposed(
        reach,
        channels=weight[1] * groups,
        kernel=kernel,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        out=tuple(call.out.shape),
    )
    attrs = {
        "kernel": kernel,
        "stride": stride,
        "padding": padding,
        "dilation": dilation,
        "groups": groups,
        "bias": call.get(2, "bias") is not None,
        "in_channels": weight[0],
        "out_channels": weight[1] * groups,
        "transposed": True,
    }
    macs = transposed_convolution(weight, tuple(call.args[0].shape))
    return Effect(seen, macs, call.out.numel(), attrs)
