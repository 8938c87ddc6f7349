"""Any convolution of a network, on an image: its patch, its kernel, their products, their sum.

What a convolution got and gave is heard where PyTorch runs it (``aten::convolution``), so a
functional call and a module that is used twice are found like any other.  It is then worked out
again by ``convolve``, which shares no code with PyTorch, and must come to the same.

Comes in: a Subject.  Goes out: Evidence ``mechanics``; or ``Convolution`` for one call.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from striate.errors import InputError, choices
from striate.records import Check, Evidence
from striate.runs import evaluating
from striate.seeing.mechanics import Mechanics, convolve
from striate.seeing.passing import submodules
from striate.seeing.subject import Subject, Tick

TITLE = "A convolution, position by position"
MOST_APART = 1e-4
MOST_TERMS = 36
CHANNELS = 4

Pair = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Convolution:
    """One call, on one image.

    ``path``: the module it ran in; ``call``: which of that module's, from 0.  ``inputs`` (C, H, W),
    ``weight`` (O, C / groups, kh, kw), ``bias`` (O,) or None, ``outputs`` (O, OH, OW).
    """

    path: str
    call: int
    inputs: NDArray[np.float64]
    weight: NDArray[np.float64]
    bias: NDArray[np.float64] | None
    outputs: NDArray[np.float64]
    stride: Pair
    padding: Pair
    dilation: Pair
    groups: int

    def channel(self, number: int) -> Mechanics:
        """The sums of one output channel before its bias; InputError for a channel it has not."""
        if not 0 <= number < len(self.weight):
            raise InputError(
                f"channel {number}: {self.path} puts out {len(self.weight)} channels; use 0 to "
                f"{len(self.weight) - 1}"
            )
        return convolve(
            self.inputs[self.sources(number)],
            self.weight[number],
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
        )

    def sources(self, number: int) -> slice:
        """The input channels that an output channel looks at: all, or those of its group."""
        width = self.weight.shape[1]
        group = number // (len(self.weight) // self.groups)
        return slice(group * width, (group + 1) * width)

    def offset(self, number: int) -> float:
        """What is added to every sum of a channel."""
        return 0.0 if self.bias is None else float(self.bias[number])


@dataclass(frozen=True, kw_only=True)
class _Call:
    path: str
    call: int
    transposed: bool
    axes: int


def calls_of(module: nn.Module, forward: Callable[[], object]) -> list[tuple[str, int]]:
    """(path, call) of every 2-d convolution that ``forward`` runs, in order; none transposed."""
    listener = _Listener(None)
    _run(module, forward, listener)
    return [(c.path, c.call) for c in listener.calls if not c.transposed and c.axes == 2]


def convolution_of(
    module: nn.Module, forward: Callable[[], object], path: str, call: int = 0
) -> Convolution:
    """What the convolution at ``path`` got and gave for the first image of ``forward``.

    InputError, with the paths there are, where no 2-d convolution ran there.
    """
    listener = _Listener((path, call))
    _run(module, forward, listener)
    if listener.found is None:
        known = [c for c in listener.calls if not c.transposed and c.axes == 2]
        if any(c.path == path for c in listener.calls):
            kinds = "transposed" if any(c.transposed for c in listener.calls) else "not 2-d"
            raise InputError(f"--layer {path}: its convolution is {kinds}, which is not shown")
        raise InputError(
            f"--layer {path}: no convolution runs there: "
            f"{choices(path, list(dict.fromkeys(c.path for c in known)))}"
        )
    return listener.found


class _Listener(TorchDispatchMode):
    """Hears every convolution, and keeps the wanted one's arguments and result."""

    def __init__(self, wanted: tuple[str, int] | None) -> None:
        super().__init__()
        self.wanted = wanted
        self.places: list[str] = [""]
        self.calls: list[_Call] = []
        self.found: Convolution | None = None

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if func is torch.ops.aten.convolution.default:
            self._hear(args, result)
        return result

    def _hear(self, args: Any, result: Tensor) -> None:
        taken, weight, bias, stride, padding, dilation, transposed, _, groups = args
        path = self.places[-1]
        call = sum(one.path == path for one in self.calls)
        axes = weight.dim() - 2
        self.calls.append(_Call(path=path, call=call, transposed=bool(transposed), axes=axes))
        if (path, call) != self.wanted or transposed or axes != 2:
            return
        self.found = Convolution(
            path=path,
            call=call,
            inputs=_array(taken[0]),
            weight=_array(weight),
            bias=None if bias is None else _array(bias),
            outputs=_array(result[0]),
            stride=_pair(stride),
            padding=_pair(padding),
            dilation=_pair(dilation),
            groups=int(groups),
        )


def _run(module: nn.Module, forward: Callable[[], object], listener: _Listener) -> None:
    with evaluating(module), _told(module, listener.places), listener:
        forward()


@contextmanager
def _told(module: nn.Module, places: list[str]) -> Generator[None]:
    """Inside, ``places`` ends with the path of the module that is at work."""
    with ExitStack() as stack:
        for path, part in submodules(module).items():

            def enter(_part: nn.Module, _inputs: object, path: str = path) -> None:
                places.append(path)

            def leave(_part: nn.Module, _inputs: object, _output: object) -> None:
                places.pop()

            stack.callback(part.register_forward_pre_hook(enter).remove)
            stack.callback(part.register_forward_hook(leave).remove)
        yield


def _array(tensor: Tensor) -> NDArray[np.float64]:
    return tensor.detach().double().cpu().numpy().copy()


def _pair(values: Any) -> Pair:
    given = [int(value) for value in cast("list[int]", values)]
    return (given[0], given[-1])


def mechanics(subject: Subject, tick: Tick) -> list[Evidence]:
    """One position of one convolution on the first picture.

    The layer is the one asked for, else the first; the channel, else the one that varies most over
    the image; the position, else where that channel is greatest in magnitude.
    """
    inputs = subject.prepared(subject.pictures.pixels[:1])

    def forward() -> Tensor:
        return subject.logits(subject.module, inputs)

    options = subject.options
    known = calls_of(subject.module, forward)
    tick(1, 3)
    if not known and options.layer is None:
        return [
            Evidence(
                name="mechanics",
                title=TITLE,
                inapplicable="This network has no 2-d convolution whose sums could be shown.",
            )
        ]
    path, call = known[0] if options.layer is None else (options.layer, 0)
    found = convolution_of(subject.module, forward, path, call)
    tick(2, 3)
    spread = found.outputs.var(axis=(1, 2))
    number = int(spread.argmax()) if options.channel is None else options.channel
    worked = found.channel(number)
    whole = worked.output + found.offset(number)
    row, col = options.at or _greatest(found.outputs[number])
    at = worked.at(row, col)
    scale = max(float(np.abs(found.outputs[number]).max()), 1e-30)
    apart = float(np.abs(whole - found.outputs[number]).max()) / scale
    shares = np.abs(at.products).sum(axis=(1, 2))
    order = np.argsort(-shares, kind="stable")[:CHANNELS]
    first = found.sources(number).start
    return [
        Evidence(
            name="mechanics",
            title=TITLE,
            arrays={
                "image": subject.pictures.pixels[0],
                "input": found.inputs[found.sources(number)][order].astype(np.float32),
                "output": found.outputs[number].astype(np.float32),
                "patch": np.asarray(at.patch, np.float64)[order],
                "kernel": np.asarray(at.kernel, np.float64)[order],
                "products": np.asarray(at.products, np.float64)[order],
            },
            facts={
                "picture": subject.pictures.names[0],
                "path": path,
                "call": call,
                "channel": number,
                "channels": len(found.weight),
                "inputs": int(found.weight.shape[1]),
                "drawn": [int(first + index) for index in order],
                "at": [row, col],
                "rows": list(at.rows),
                "cols": list(at.cols),
                "size": list(found.outputs.shape[1:]),
                "stride": list(found.stride),
                "padding": list(found.padding),
                "dilation": list(found.dilation),
                "groups": found.groups,
                "sum": float(at.sum),
                "sums": [float(at.products[index].sum()) for index in order],
                "rest": float(at.products.sum() - at.products[order].sum()),
                "bias": found.offset(number),
                "value": float(found.outputs[number, row, col]),
                "text": at.text if at.products.size <= MOST_TERMS else None,
                "layers": [one for one, _ in known],
            },
            checks=(
                Check(
                    name="conv2d",
                    claim="Greatest difference, over all positions of the channel, between sums of "
                    "products worked out one by one and what PyTorch computed, relative to the "
                    "greatest value",
                    value=apart,
                    limit=MOST_APART,
                    passed=apart <= MOST_APART,
                ),
            ),
        )
    ]


def _greatest(plane: NDArray[np.float64]) -> Pair:
    row, col = np.unravel_index(int(np.abs(plane).argmax()), plane.shape)
    return int(row), int(col)
