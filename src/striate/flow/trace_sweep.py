"""``striate trace --sweep``: one network at many image sizes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from striate.errors import ArchError, InputError, TraceError
from striate.flow.sizes import full_image
from striate.flow.strides import collapsed, final_map, fits, fitting, unread
from striate.flow.targets import Target, resolve
from striate.flow.trace import DEFAULT_IMAGE, check_channels, tracer
from striate.records import Failure, Trace
from striate.records.trace_sweep import AtSize, Sweep

if TYPE_CHECKING:
    from torch import nn

MOST_SIZES = 64
"""Sizes that are tried if no step is asked for, those that fit exactly not counted."""
_MOST_PIXELS = 1 << 28


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Which sizes are tried.

    ``step``: every how many pixels.  ``chosen``: the step was chosen here, so that sizes in
    between may be tried too: where the network begins to be valid, and where its strides fit.
    """

    first: int
    last: int
    step: int
    chosen: bool

    @property
    def sizes(self) -> tuple[int, ...]:
        """The sizes that are tried in any case."""
        if not self.chosen:
            return tuple(range(self.first, self.last + 1, self.step))
        begin = -(-self.first // self.step) * self.step
        return tuple(sorted({self.first, *range(begin, self.last + 1, self.step), self.last}))


def parse_sweep(text: str) -> Plan:
    """Read ``FIRST:LAST`` or ``FIRST:LAST:STEP``, in pixels.

    Without a step it is 1 for up to 64 sizes, else the least power of two that leaves 64 of them.
    InputError for anything else.

    >>> parse_sweep("28:36").sizes
    (28, 29, 30, 31, 32, 33, 34, 35, 36)
    >>> parse_sweep("16:512").step, parse_sweep("32:224:32").sizes
    (8, (32, 64, 96, 128, 160, 192, 224))
    """
    match = re.fullmatch(r"(\d+):(\d+)(?::(\d+))?", text.strip())
    if match is None:
        raise InputError(
            f"--sweep {text}: not a range of sizes; write 16:512, or 16:512:16 for every 16th"
        )
    first, last, step = (None if part is None else int(part) for part in match.groups())
    assert first is not None
    assert last is not None
    if 0 in (first, step):
        raise InputError(
            f"--sweep {text}: sizes and steps are at least 1; write {max(1, first)}:{last}"
        )
    if first > last:
        raise InputError(f"--sweep {text}: ends before it begins; write {last}:{first}")
    if last * last > _MOST_PIXELS:
        raise InputError(f"--sweep {text}: more than {_MOST_PIXELS:,} pixels in one image")
    if step is not None:
        return Plan(first=first, last=last, step=step, chosen=False)
    step = 1
    while (last - first) // step + 1 > MOST_SIZES:
        step *= 2
    return Plan(first=first, last=last, step=step, chosen=True)


def sweep(target: Target | str, plan: Plan, image: str | None = None) -> Iterator[AtSize]:
    """The network at each size of the plan, and at those in between that matter, as they are done.

    ``image`` says how many channels there are, where the network does not.  The module is built
    once, unless its weights depend on the size (a flattened map).  TraceError where it takes no
    image of any size.
    """
    if isinstance(target, str):
        target = resolve(target)
    trying = _Trying(target, full_image(image, target.image or DEFAULT_IMAGE)[0])
    for size in plan.sizes:
        yield trying.at(size)
    if trying.refused is not None and not any(found.valid for found in trying.tried.values()):
        raise trying.refused
    if not plan.chosen or plan.step == 1:
        return
    yield from _where_it_begins(trying, plan)
    if trying.largest is not None:
        for size in fitting(trying.largest, range(plan.first, plan.last + 1))[:MOST_SIZES]:
            if size not in trying.tried:
                yield trying.at(size)


def _where_it_begins(trying: _Trying, plan: Plan) -> Iterator[AtSize]:
    """Halve the way from the last size that is not valid to the first that is."""
    valid = [size for size in plan.sizes if trying.tried[size].valid]
    below = [size for size in plan.sizes if valid and size < valid[0]]
    if not below:
        return
    low, high = below[-1], valid[0]
    while high - low > 1:
        middle = (low + high) // 2
        result = trying.at(middle)
        yield result
        low, high = (low, middle) if result.valid else (middle, high)


class _Trying:
    """One network, built once, and what was found of it at each size."""

    def __init__(self, target: Target, channels: int) -> None:
        self.tried: dict[int, AtSize] = {}
        self.largest: Trace | None = None
        self.refused: TraceError | None = None
        self._channels = channels
        self._trace = _tracer(target, channels)

    def at(self, size: int) -> AtSize:
        """The network at one size."""
        try:
            trace = self._trace((self._channels, size, size))
        except (TraceError, ArchError) as error:
            if isinstance(error, TraceError):
                self.refused = error
            shape = (1, self._channels, size, size)
            failure = Failure(path="", op="input", shapes=(shape,), message=str(error))
            result = AtSize(size=size, failure=failure)
        else:
            result = at_size(trace)
            if trace.complete and (self.largest is None or self.largest.image < trace.image):
                self.largest = trace
        self.tried[size] = result
        return result


def _tracer(target: Target, channels: int) -> Callable[[tuple[int, int, int]], Trace]:
    """What traces the network at a size: built once, or anew where its weights depend on it."""
    from torch.nn.parameter import UninitializedParameter

    from striate.flow.network import shapes_of
    from striate.tracing.prepare import made

    arch = target.arch
    if arch is not None:
        check_channels(target, (channels, *arch.image[1:]))
        if arch.head.pool == "none" or any(stage.block == "dense" for stage in arch.stages):
            return tracer(target)
        from striate.building import build

        module: nn.Module = build(arch, device="meta")
    else:
        module, _ = made(target.make)
        if any(isinstance(p, UninitializedParameter) for p in module.parameters()):
            return tracer(target)
    return lambda image: shapes_of(lambda: module, image, name=target.name)


def at_size(trace: Trace) -> AtSize:
    """What a sweep keeps of a trace of one square image."""
    size = trace.image[1]
    if trace.failure is not None:
        return AtSize(size=size, failure=trace.failure)
    return AtSize(
        size=size,
        final=final_map(trace),
        params=trace.totals.params,
        macs=trace.totals.macs,
        activations=trace.totals.activations,
        infer_bytes=trace.totals.infer_bytes,
        train_bytes=trace.totals.train_bytes,
        unread=unread(trace),
        fits=fits(trace),
        collapsed=collapsed(trace),
    )


def together(target: str, channels: int, plan: Plan, results: list[AtSize]) -> Sweep:
    """The results as one record, in order of size."""
    return Sweep(
        target=target,
        channels=channels,
        sizes=tuple(sorted(results, key=lambda result: result.size)),
        exhaustive=plan.step == 1,
    )
