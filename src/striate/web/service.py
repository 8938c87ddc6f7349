"""What the routes work with: the run that was opened, and the threads that do the work."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from striate.data.images.bad import BadImage
from striate.data.images.header import read_header
from striate.deploying import Predictor
from striate.errors import ImageError
from striate.flow.confidence import confidence_of
from striate.flow.design import Designer
from striate.flow.load import load
from striate.flow.looked import Looked, Looker
from striate.flow.network import users_errors
from striate.flow.served_runs import ServedRuns
from striate.flow.settings import device_name
from striate.records import Prediction
from striate.runs import LoadedRun
from striate.web.batcher import Batcher
from striate.web.lanes import Lane
from striate.web.metering import Meters
from striate.web.options import Limits, ServeOptions
from striate.web.refusals import NotFound, NotHere, TooLarge

MOST_TOP = 20
"""Classes that one answer names."""
KEPT_IMAGES = 8
"""Images that were dropped on the Look tab last."""
NAMED = "the image"


@dataclass
class Opened:
    """The run that answers: its network twice, once to predict with and once to look into."""

    run: LoadedRun
    said: tuple[str, ...]
    batcher: Batcher
    looker: Looker
    top: int


class Service:
    """One server's state.  Closed at its end."""

    def __init__(self, options: ServeOptions, meters: Meters) -> None:
        limits = self.limits = options.limits
        seconds = limits.work_seconds
        self.options, self.meters = options, meters
        self.designer = Designer()
        self.runs = ServedRuns(options.runs)
        self.designing = Lane("design", threads=1, waiting=16, seconds=seconds)
        self.decoding = Lane("decode", threads=2, waiting=limits.waiting, seconds=seconds)
        self.looking = Lane("look", threads=1, waiting=16, seconds=seconds)
        self.listing = Lane("runs", threads=1, waiting=16, seconds=seconds)
        self.streams = 0
        self.ending = False
        self._opened = None if options.run is None else _open(options, limits, meters)
        self._images: OrderedDict[str, Looked] = OrderedDict()

    @property
    def run(self) -> Opened | None:
        """The run, where there is one."""
        return self._opened

    def opened(self) -> Opened:
        """The run; NotHere where the server was started without one."""
        if self._opened is None:
            raise NotHere("no run is open; start striate serve with the folder of a finished run")
        return self._opened

    async def prepared(self, content: bytes) -> Tensor:
        """An image file as the network takes it, (1, C, H, W).

        TooLarge for more pixels than are decoded, ImageError for what cannot be read.
        """
        return await self.decoding.run(partial(self._prepare, content))

    def _prepare(self, content: bytes) -> Tensor:
        try:
            header = read_header(content)
        except BadImage as bad:
            raise ImageError(f"{NAMED} {bad}; give another image") from bad
        if header.height * header.width > self.limits.pixels:
            raise TooLarge(
                f"{NAMED} says it is {header.height}×{header.width}, more than "
                f"{self.limits.pixels:,} pixels; make it smaller"
            )
        return self.opened().run.preprocessing.read(content, where=NAMED)

    async def look(self, content: bytes, inputs: Tensor) -> tuple[str, Looked]:
        """An image opened in the network, and the name it is known by until others have come."""
        name = hashlib.sha256(content).hexdigest()[:16]
        if name not in self._images:
            looker = self.opened().looker
            self._images[name] = await self.looking.run(partial(looker.open, inputs))
            while len(self._images) > KEPT_IMAGES:
                self._images.popitem(last=False)
        self._images.move_to_end(name)
        return name, self._images[name]

    def looked(self, name: str) -> Looked:
        """The image of that name; NotFound where it is not kept any more."""
        found = self._images.get(name)
        if found is None:
            raise NotFound(f"no image is known as {name[:40]!r}; drop it again")
        self._images.move_to_end(name)
        return found

    def close(self) -> None:
        """Let the threads and the streams end."""
        self.ending = True
        for lane in (self.designing, self.decoding, self.looking, self.listing):
            lane.close()
        if self._opened is not None:
            self._opened.batcher.close()


def _open(options: ServeOptions, limits: Limits, meters: Meters) -> Opened:
    assert options.run is not None
    device = device_name(options.device)
    run = load(options.run)
    looker = Looker(run)  # a copy, before the other goes to its device
    measured = confidence_of(run, device=device)
    predictor = Predictor(run.module, run.preprocessing, measured.confidence, device=device)
    top = min(MOST_TOP, len(run.preprocessing.classes))

    def show(pixels: Sequence[Tensor], names: Sequence[str]) -> list[Prediction]:
        with users_errors(run.info.network):
            return predictor(torch.cat(list(pixels)), names, top=top)

    batcher = Batcher(
        show,
        batch=limits.batch,
        wait_seconds=limits.wait_seconds,
        waiting=limits.waiting,
        told=meters.batch,
    )
    meters.watch(lambda: batcher.waiting)
    return Opened(
        run=run, said=(*run.notices, *measured.said), batcher=batcher, looker=looker, top=top
    )
