"""A healthy network together with its trace, so that plants know what its layers do."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from faults.judge import load
from faults.program import Program
from striate.records import Layer, Trace
from striate.tracing import trace


@dataclass
class Host:
    """One healthy program, loaded and traced."""

    program: Program
    folder: Path

    @property
    def name(self) -> str:
        return self.program.name

    @cached_property
    def network(self) -> Callable[[], Any]:
        """Its factory."""
        return load(self.program.text, self.folder)

    @cached_property
    def trace(self) -> Trace:
        """What it does to an image of its own size."""
        return trace(self.network, self.program.image, name=self.name)

    def layers(self, call: ast.expr) -> list[Layer]:
        """The layers that a constructor's call made."""
        line = call.lineno
        return [
            layer
            for layer in self.trace
            if layer.defined and int(layer.defined.rpartition(":")[2]) == line and layer.attrs
        ]

    def convs(self) -> Iterator[tuple[ast.Call, list[Layer]]]:
        """Calls of ``nn.Conv2d`` and the layers they made; those that made none are left out."""
        for call in self.program.calls("Conv2d"):
            made = [layer for layer in self.layers(call) if layer.op == "conv2d"]
            if made:
                yield call, made

    def before_norm(self, layer: Layer) -> bool:
        """Whether a batch norm is the only thing that reads the layer."""
        readers = [self.trace.layers[i] for i in self.trace.consumers().get(layer.index, ())]
        return [reader.op for reader in readers] == ["batch_norm"]

    def merged(self, layer: Layer) -> bool:
        """Whether maps must agree somewhere behind the layer: an addition or a concatenation."""
        consumers = self.trace.consumers()
        seen, waiting = {layer.index}, [layer.index]
        while waiting:
            for other in consumers.get(waiting.pop(), ()):
                if self.trace.layers[other].op in ("add", "cat", "mul"):
                    return True
                if other not in seen:
                    seen.add(other)
                    waiting.append(other)
        return False

    def read_elsewhere(self, layer: Layer) -> bool:
        """Whether what the layer reads is pooled by another layer, which then reads all of it."""
        readers = self.trace.consumers().get(layer.inputs[0], ())
        return any("pool" in self.trace.layers[reader].op for reader in readers)

    def called_at(self, line: int) -> list[Layer]:
        """The layers that were called at a line of the file."""
        return [
            layer
            for layer in self.trace
            if layer.source and int(layer.source.rpartition(":")[2]) == line
        ]

    def defined_at(self, line: int) -> list[Layer]:
        """The layers whose modules were made at a line of the file."""
        return [
            layer
            for layer in self.trace
            if layer.defined and int(layer.defined.rpartition(":")[2]) == line
        ]

    def alone_between(self, activation: Layer) -> bool:
        """Whether an activation is all that stands between two linear operations.

        Not where the first is read by others too (it then carries a skip), where a max pool or a
        product follows, or where a depthwise convolution meets its pointwise one, which some
        designs join on purpose.
        """
        consumers = self.trace.consumers()
        before = self.trace.layers[activation.inputs[0]]
        while before.op in ("batch_norm", "dropout"):
            before = self.trace.layers[before.inputs[0]]
        readers = [self.trace.layers[i] for i in consumers.get(activation.index, ())]
        while len(readers) == 1 and readers[0].op in PASSING:
            readers = [self.trace.layers[i] for i in consumers.get(readers[0].index, ())]
        linear = ("conv2d", "linear", "conv_transpose2d")
        if before.op not in linear or len(readers) != 1 or readers[0].op not in linear:
            return False
        return all(one.attrs.get("groups", 1) == 1 for one in (before, readers[0]))


PASSING = ("batch_norm", "dropout", "cat", "adaptive_avg_pool2d", "mean", "flatten", "avg_pool2d")
