"""The routes of the Look tab: one image, its maps, the sums behind them, who wrote the logit."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Path, Query, Request
from numpy.typing import NDArray

from striate.errors import InputError
from striate.flow.looked import SeenLayer, Step
from striate.records.ledger import Ledger
from striate.reporting.pictures import png_uri
from striate.seeing.ledger import MOST_MISSED
from striate.web.design import field_shape
from striate.web.predict import IMAGE_BODY, predicted, shown
from striate.web.service import Service
from striate.web.shapes import (
    LedgerAnswer,
    LookAnswer,
    MapsAnswer,
    PartShape,
    SeenShape,
    StepAnswer,
    StepChannel,
)

MAPS = 32
"""Maps of one answer."""
CHANNELS = 6
"""Input channels of a sum that are written out."""
SHARPEST_PX = 56
"""A map's longer side; larger ones are reduced by taking every n-th value."""
Name = Annotated[str, Path(pattern="^[0-9a-f]{16}$", description="As POST /api/look named it.")]
Layer = Annotated[str, Query(max_length=512, description="The path of a layer.")]
Count = Annotated[int, Query(ge=0, le=1_000_000)]


def routes(service: Service) -> APIRouter:
    """The Look tab of one server."""
    router = APIRouter(tags=["look"])

    @router.post("/api/look", openapi_extra=IMAGE_BODY)
    async def look(request: Request) -> LookAnswer:
        """Open an image in the run's network: prediction, layers, and a name to ask on with."""
        content = await request.body()
        opened = service.opened()
        said = await predicted(service, content, min(5, opened.top))
        name, looked = await service.look(content, await service.prepared(content))
        return LookAnswer(
            id=name,
            picture=png_uri(looked.picture),
            layers=[_seen(layer) for layer in looked.layers],
            **shown(said, min(5, opened.top)),
        )

    @router.get("/api/look/{name}/maps")
    async def maps(name: Name, path: Layer, first: Count = 0) -> MapsAnswer:
        """Feature maps of one layer, ``first`` and up to 31 behind it."""
        looked, looker = service.looked(name), service.opened().looker
        planes = await service.looking.run(partial(looker.maps, looked, path))
        if first >= len(planes):
            raise InputError(f"first {first}: {path} has {len(planes)} maps, counted from 0")
        some = planes[first : first + MAPS]
        return MapsAnswer(
            path=path,
            channels=len(planes),
            first=first,
            size=(planes.shape[1], planes.shape[2]),
            sheet=png_uri(_sheet(some)),
            ranges=[(float(one.min()), float(one.max())) for one in some],
        )

    @router.get("/api/look/{name}/step")
    async def step(name: Name, path: Layer, channel: Count, row: Count, col: Count) -> StepAnswer:
        """How a convolution came to one value of one of its maps."""
        looked, looker = service.looked(name), service.opened().looker
        found = await service.looking.run(partial(looker.step, looked, path, channel, row, col))
        return _step(path, channel, found)

    @router.get("/api/look/{name}/ledger")
    async def ledger(name: Name, number: Count) -> LedgerAnswer:
        """Which block wrote how much of the logit of the class of that number."""
        looked, looker = service.looked(name), service.opened().looker
        found = await service.looking.run(partial(looker.ledger, looked, number))
        return _ledger(found, looker.classes[number])

    return router


def _seen(layer: SeenLayer) -> SeenShape:
    return SeenShape(
        path=layer.path,
        kind=layer.kind,
        channels=layer.channels,
        size=layer.size,
        steps=layer.steps,
        field=field_shape(layer.field),
    )


def _sheet(planes: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Maps (n, h, w) below each other, each from its least value to its greatest."""
    step = max(1, -(-max(planes.shape[1:]) // SHARPEST_PX))
    small = planes[:, ::step, ::step].astype(np.float64)
    low = planes.min(axis=(1, 2), keepdims=True)
    span = planes.max(axis=(1, 2), keepdims=True) - low
    share = np.divide(small - low, span, out=np.zeros_like(small), where=span > 0)
    return np.rint(share * 255).astype(np.uint8).reshape(-1, small.shape[2])


def _step(path: str, channel: int, found: Step) -> StepAnswer:
    at = found.at
    sums: NDArray[np.float64] = at.products.sum(axis=(1, 2), dtype=np.float64)
    most = np.argsort(-np.abs(sums), kind="stable")[:CHANNELS]
    return StepAnswer(
        path=path,
        channel=channel,
        row=at.row,
        col=at.col,
        rows=list(at.rows),
        cols=list(at.cols),
        given=len(sums),
        channels=[
            StepChannel(
                channel=found.first + int(number),
                sum=float(sums[number]),
                patch=at.patch[number].tolist(),
                kernel=at.kernel[number].tolist(),
                products=at.products[number].tolist(),
            )
            for number in most
        ],
        rest=float(sums.sum() - sums[most].sum()),
        sum=float(at.sum),
        bias=found.bias,
        value=float(at.sum) + found.bias,
        output=found.output,
    )


def _ledger(found: Ledger, name: str) -> LedgerAnswer:
    error = found.error
    believed = error <= MOST_MISSED
    return LedgerAnswer(
        name=name,
        logit=float(found.logits[0]),
        sum=float(found.written.sum()),
        error=error,
        limit=MOST_MISSED,
        withheld=None
        if believed
        else f"its parts miss the logit by {error:.1e} of it, more than {MOST_MISSED:g}",
        parts=[
            PartShape.model_validate(
                {"name": part.name, "kind": part.kind, "written": float(written[0])}
            )
            for part, written in zip(found.parts, found.written, strict=True)
        ]
        if believed
        else [],
        notes=list(found.notes),
    )
