"""The Look tab of ``striate serve``: one image inside a run's network, asked piece by piece."""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from striate.errors import InputError
from striate.flow.network import users_errors
from striate.records import Field, Trace
from striate.records.ledger import Ledger
from striate.runs import LoadedRun, evaluating
from striate.seeing.ledger import logit_ledger
from striate.seeing.mechanics import Mechanics, Position, convolve
from striate.seeing.passing import hooked, submodules, watch
from striate.seeing.places import Place, as_map, places_of
from striate.seeing.traced import seen_by
from striate.tracing import trace

KEPT_STEPS = 4
"""Convolutions whose sums are kept, of one image."""


@dataclass(frozen=True, kw_only=True)
class SeenLayer:
    """A module that hands on a map.  ``kind``: its class.  ``steps``: it is a convolution whose
    sums can be followed.  ``field``: of each element of its map; None where none is traced.
    """

    path: str
    kind: str
    channels: int
    size: tuple[int, int]
    steps: bool
    field: Field | None


@dataclass(frozen=True, kw_only=True)
class Step:
    """One sum of a convolution, in float64.

    ``at``: patch, kernel and products of all channels that are read (``first`` is the number of
    the first of them).  ``bias``: added behind the sum.  ``output``: what the network itself gave
    there, in its own float32.
    """

    at: Position
    first: int
    bias: float
    output: float


@dataclass
class Looked:
    """One image in the network: what was asked of it is kept.

    ``picture``: (H, W) or (H, W, 3) uint8, as the network is given it, before it is normalised.
    """

    inputs: Tensor
    picture: NDArray[np.uint8]
    layers: tuple[SeenLayer, ...]
    places: dict[str, Place]
    steps: OrderedDict[tuple[str, int], tuple[Mechanics, float]] = field(
        default_factory=OrderedDict[tuple[str, int], "tuple[Mechanics, float]"]
    )


class Looker:
    """A run's network, to be looked into by one thread at a time.

    It works on a copy, since looking puts hooks on modules that something else may run meanwhile.
    """

    def __init__(self, run: LoadedRun) -> None:
        self._run = run
        self._module: nn.Module = copy.deepcopy(run.module).eval()
        self._parts = submodules(self._module)
        self._trace: Trace | None = None

    @property
    def classes(self) -> tuple[str, ...]:
        """Names, in the order of the logits."""
        return self._run.preprocessing.classes

    def open(self, inputs: Tensor) -> Looked:
        """An image as the network takes it, (1, C, H, W): which layers hand on a map of it."""
        calls: dict[str, int] = {}
        # What only hands its input on shows nothing of its own.
        paths = [
            path
            for path, part in self._parts.items()
            if path and not isinstance(part, (nn.Identity, nn.Dropout, nn.ModuleList))
        ]
        with self._running():
            _, seen = watch(self._module, paths, lambda: self._module(inputs), calls=calls)
        places = places_of(seen, inputs, calls)
        height, width = int(inputs.shape[2]), int(inputs.shape[3])
        found = self._traced()
        return Looked(
            inputs=inputs,
            picture=self._picture(inputs),
            layers=tuple(
                SeenLayer(
                    path=place.path,
                    kind=type(self._parts[place.path]).__name__,
                    channels=place.channels,
                    size=place.size,
                    steps=_can_be_followed(self._parts[place.path]),
                    field=seen_by(found, place, (height, width)).field,
                )
                for place in places
            ),
            places={place.path: place for place in places},
        )

    def maps(self, looked: Looked, path: str) -> NDArray[np.float32]:
        """What the layer at ``path`` hands on, (channels, h, w).  InputError for no such layer."""
        place = looked.places.get(path)
        if place is None:
            raise InputError(f"layer {path!r}: hands on no map of this image")
        with self._running():
            _, seen = watch(self._module, [path], lambda: self._module(looked.inputs))
        return as_map(seen[path], place)[0].cpu().numpy()

    def step(self, looked: Looked, path: str, channel: int, row: int, col: int) -> Step:
        """How the convolution at ``path`` came to one value of ``channel``.

        InputError for a layer that is no such convolution, and for a place outside its map.
        """
        part = self._parts.get(path)
        if path not in looked.places or part is None or not _can_be_followed(part):
            raise InputError(f"layer {path!r}: is no convolution whose sums could be followed")
        assert isinstance(part, nn.Conv2d)
        if not 0 <= channel < part.out_channels:
            raise InputError(f"channel {channel}: {path} has {part.out_channels}, counted from 0")
        key = path, channel
        known = looked.steps.get(key)
        if known is None:
            known = looked.steps[key] = self._summed(looked, part, path, channel)
            while len(looked.steps) > KEPT_STEPS:
                looked.steps.popitem(last=False)
        looked.steps.move_to_end(key)
        sums, bias = known
        at = sums.at(row, col)
        output = self.maps(looked, path)[channel, row, col]
        per_group = part.in_channels // part.groups
        return Step(
            at=at,
            first=channel // (part.out_channels // part.groups) * per_group,
            bias=bias,
            output=float(output),
        )

    def ledger(self, looked: Looked, number: int) -> Ledger:
        """Which block wrote how much of the logit of class ``number``; InputError for no class."""
        with users_errors(self._run.info.network):
            return logit_ledger(self._module, looked.inputs[0], classes=[number])

    def _summed(
        self, looked: Looked, part: nn.Conv2d, path: str, channel: int
    ) -> tuple[Mechanics, float]:
        """Every sum of one channel, by numpy alone; and its bias."""
        given: list[Tensor] = []

        def keep(_module: nn.Module, inputs: Any, _output: object) -> None:
            given.append(inputs[0].detach().clone())

        with self._running(), hooked(self._module, {path: keep}):
            self._module(looked.inputs)
        per_group = part.in_channels // part.groups
        first = channel // (part.out_channels // part.groups) * per_group
        assert not isinstance(part.padding, str)
        sums = convolve(
            given[0][0, first : first + per_group].double().cpu().numpy(),
            part.weight[channel].detach().double().cpu().numpy(),
            stride=(part.stride[0], part.stride[1]),
            padding=(part.padding[0], part.padding[1]),
            dilation=(part.dilation[0], part.dilation[1]),
        )
        return sums, 0.0 if part.bias is None else float(part.bias[channel])

    def _picture(self, inputs: Tensor) -> NDArray[np.uint8]:
        kept = self._run.preprocessing
        mean, std = (torch.tensor(values)[:, None, None] for values in (kept.mean, kept.std))
        pixels = (inputs[0].cpu() * std + mean).clamp(0, 1).mul(255).round().to(torch.uint8)
        planes = pixels.numpy()
        return planes[0] if len(planes) != 3 else np.ascontiguousarray(np.moveaxis(planes, 0, -1))

    def _traced(self) -> Trace:
        if self._trace is None:
            with users_errors(self._run.info.network):
                self._trace = trace(self._module, self._run.preprocessing.image)
        return self._trace

    @contextmanager
    def _running(self) -> Generator[None]:
        with users_errors(self._run.info.network), evaluating(self._module):
            yield


def _can_be_followed(part: nn.Module) -> bool:
    """Whether its sums are those of ``convolve``: zeros around the map, numbers for padding."""
    return (
        isinstance(part, nn.Conv2d)
        and part.padding_mode == "zeros"
        and not isinstance(part.padding, str)
    )
