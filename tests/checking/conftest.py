"""Traces drawn by hand, so that rules are tested without torch and without the tracer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import prod
from typing import Any

import pytest

from striate.records import Failure, Field, Layer, Totals, Trace

POINT = Field(status="exact", size=(1, 1), least=(1, 1), stride=(1, 1), start=(0, 0))


class Drawing:
    """Adds one layer at a time; every method returns the layer it added."""

    def __init__(self, *image: int) -> None:
        self.image: tuple[int, int, int] = (image[0], image[1], image[2])
        self.layers = [Layer(index=0, path="", op="input", inputs=(), shape=(1, *image))]
        self.layers[0] = replace(self.layers[0], field=POINT)

    @property
    def start(self) -> Layer:
        return self.layers[0]

    def op(self, name: str, *inputs: Layer, shape: tuple[int, ...] = (), **more: Any) -> Layer:
        """Any operation; by default it keeps the first input's shape and field."""
        index = len(self.layers)
        more.setdefault("path", f"{name}{index}")
        more.setdefault("field", inputs[0].field if inputs else None)
        layer = Layer(
            index=index,
            op=name,
            inputs=tuple(one.index for one in inputs),
            shape=shape or inputs[0].shape,
            **more,
        )
        self.layers.append(layer)
        return layer

    def conv(
        self,
        source: Layer,
        out: int,
        kernel: int | tuple[int, int] = 3,
        *,
        stride: int = 1,
        padding: int | None = None,
        dilation: int = 1,
        groups: int = 1,
        bias: bool = False,
        path: str | None = None,
    ) -> Layer:
        """A 2-d convolution with "same" padding unless told; field for a chain of convolutions."""
        sides = (kernel, kernel) if isinstance(kernel, int) else kernel
        pads = [dilation * (k - 1) // 2 if padding is None else padding for k in sides]
        maps = [
            (n + 2 * p - dilation * (k - 1) - 1) // stride + 1
            for n, p, k in zip(source.shape[2:], pads, sides, strict=True)
        ]
        weights = source.shape[1] // groups * out * prod(sides)
        seen = source.field
        return self.op(
            "conv2d",
            source,
            shape=(1, out, *maps),
            params=weights + out * bias,
            macs=weights * prod(maps),
            field=None if seen is None else _widened(seen, sides, pads, dilation, stride),
            attrs={
                "kernel": sides,
                "stride": (stride, stride),
                "padding": tuple(pads),
                "dilation": (dilation, dilation),
                "groups": groups,
                "bias": bias,
                "in_channels": source.shape[1],
                "out_channels": out,
            },
            **({} if path is None else {"path": path}),
        )

    def pool(self, source: Layer, kernel: int, stride: int, op: str = "max_pool2d") -> Layer:
        """A pool without padding."""
        maps = [(n - kernel) // stride + 1 for n in source.shape[2:]]
        sides = (kernel, kernel)
        seen = source.field
        return self.op(
            op,
            source,
            shape=(1, source.shape[1], *maps),
            field=None if seen is None else _widened(seen, sides, [0, 0], 1, stride),
            attrs={"kernel": sides, "stride": (stride, stride), "padding": (0, 0)},
        )

    def relu(self, source: Layer) -> Layer:
        return self.op("relu", source)

    def norm(self, source: Layer, op: str = "batch_norm", **attrs: Any) -> Layer:
        return self.op(op, source, params=2 * source.shape[1], attrs=attrs)

    def add(self, *sources: Layer) -> Layer:
        """The union's greatest and least field, for sources of one stride."""
        fields = [one.field for one in sources if one.field is not None]
        union = replace(
            max(fields, key=lambda f: f.size),
            least=min(f.least for f in fields),
        )
        return self.op("add", *sources, field=union)

    def flatten(self, source: Layer) -> Layer:
        return self.op("flatten", source, shape=(1, prod(source.shape[1:])), field=None)

    def gap(self, source: Layer) -> Layer:
        shape = (*source.shape[:2], 1, 1)
        return self.op("adaptive_avg_pool2d", source, shape=shape, field=None)

    def linear(self, source: Layer, out: int, *, bias: bool = True) -> Layer:
        width = source.shape[-1]
        return self.op(
            "linear",
            source,
            shape=(*source.shape[:-1], out),
            params=width * out + out * bias,
            macs=width * out * prod(source.shape[:-1]),
            field=None,
            attrs={"in_features": width, "out_features": out, "bias": bias},
        )

    def head(self, source: Layer, classes: int = 10) -> Layer:
        return self.linear(self.flatten(self.gap(source)), classes)

    def trace(self, failure: Failure | None = None) -> Trace:
        params = sum(layer.params for layer in self.layers)
        macs = sum(layer.macs or 0 for layer in self.layers)
        return Trace(
            name="drawn",
            image=self.image,
            layers=tuple(self.layers),
            totals=Totals(params=params, macs=macs, activations=0, infer_bytes=0, train_bytes=0),
            complete=failure is None,
            failure=failure,
        )


def _widened(
    seen: Field, kernel: tuple[int, int], padding: list[int], dilation: int, stride: int
) -> Field:
    grown = [dilation * (k - 1) * s for k, s in zip(kernel, seen.stride, strict=True)]
    return replace(
        seen,
        size=(seen.size[0] + grown[0], seen.size[1] + grown[1]),
        least=(seen.least[0] + grown[0], seen.least[1] + grown[1]),
        stride=(seen.stride[0] * stride, seen.stride[1] * stride),
        start=(
            seen.start[0] - padding[0] * seen.stride[0],
            seen.start[1] - padding[1] * seen.stride[1],
        ),
    )


@pytest.fixture
def draw() -> Callable[..., Drawing]:
    """``draw(3, 32, 32)`` begins a trace of an image of that size."""
    return Drawing
