"""The routes of the Runs tab: what there is, what differs, and training as it goes on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse

from striate.errors import InputError, StriateError
from striate.flow.served_runs import MOST_COMPARED, Feed, epoch_json, epochs_of
from striate.web.refusals import Busy, NotFound
from striate.web.service import Service
from striate.web.shapes import CurvesAnswer, RunsAnswer

EVERY_SECONDS = 0.5
"""Between two looks at a run's metrics."""
BEAT_SECONDS = 15.0
"""After so long without news a comment is sent, so that a connection that is gone is noticed."""
Named = Annotated[str, Query(max_length=1024, description="A run's name, as it is listed.")]


def routes(service: Service) -> APIRouter:
    """The Runs tab of one server."""
    router = APIRouter(tags=["runs"])

    @router.get("/api/runs")
    async def runs() -> RunsAnswer:
        """The runs here, the newest first."""
        found = await service.listing.run(service.runs.listed)
        return RunsAnswer(
            runs=[_relative(run.as_json()) for run in found.runs], left_out=list(found.left_out)
        )

    @router.get("/api/runs/curves")
    async def curves(run: Named) -> CurvesAnswer:
        """One run and its epochs."""
        path = await _path(service, run)
        epochs = await service.listing.run(partial(epochs_of, path))
        listed = await service.listing.run(Feed(path).run)
        return CurvesAnswer(
            run=_relative(listed.as_json()) | {"name": run},
            epochs=[epoch_json(epoch) for epoch in epochs],
        )

    @router.get("/api/runs/compare")
    async def compare(run: Annotated[list[Named], Query(max_length=64)]) -> dict[str, Any]:
        """Some runs side by side, as ``striate runs A B --json`` tells them."""
        names = list(dict.fromkeys(run))
        if not 2 <= len(names) <= MOST_COMPARED:
            raise InputError(f"{len(names)} runs: name 2 to {MOST_COMPARED} different ones")
        paths = [await _path(service, name) for name in names]
        found = await service.listing.run(partial(service.runs.compared, paths))
        told = found.as_json()
        for one, name in zip(told["runs"], names, strict=True):
            one.update(_relative(one), name=name)
        return told

    @router.get(
        "/api/runs/live",
        response_class=StreamingResponse,
        responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
    )
    async def live(request: Request, run: Named) -> StreamingResponse:
        """A run's metrics as they are written: events ``news``, and ``end`` when it is over."""
        path = await _path(service, run)
        if service.streams >= service.limits.streams:
            raise Busy(f"{service.streams} streams are open already; close one")
        service.streams += 1
        return StreamingResponse(_stream(service, request, path), media_type="text/event-stream")

    return router


async def _path(service: Service, name: str) -> Path:
    found = await service.listing.run(partial(service.runs.path, name))
    if found is None:
        raise NotFound(f"no run is listed as {name[:80]!r}")
    return found


async def _stream(service: Service, request: Request, path: Path) -> AsyncGenerator[str]:
    feed, silent = Feed(path), 0.0
    try:
        while not await request.is_disconnected() and not service.ending:
            try:
                news = await asyncio.to_thread(feed.news)
            except StriateError as error:
                yield _event("wrong", {"error": str(error)})
                return
            if news.again or news.steps or news.epochs:
                silent = 0.0
                yield _event(
                    "news",
                    {"again": news.again, "steps": news.steps, "epochs": news.epochs},
                )
            if not news.training:
                listed = await asyncio.to_thread(feed.run)
                yield _event("end", {"run": _relative(listed.as_json())})
                return
            if silent >= BEAT_SECONDS:
                silent = 0.0
                yield ": still here\n\n"
            await asyncio.sleep(EVERY_SECONDS)
            silent += EVERY_SECONDS
    finally:
        service.streams -= 1


def _event(name: str, data: dict[str, Any]) -> str:
    return f"event: {name}\ndata: {json.dumps(data, allow_nan=False, default=str)}\n\n"


def _relative(run: dict[str, Any]) -> dict[str, Any]:
    """Without the folder's path, which is this machine's business."""
    return {key: value for key, value in run.items() if key != "run"}
