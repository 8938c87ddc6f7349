"""``POST /predict``: one image in, its likeliest classes out."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from striate.errors import InputError
from striate.records import Prediction
from striate.web.refusals import Busy
from striate.web.service import MOST_TOP, NAMED, Service
from striate.web.shapes import ClassShape, PredictAnswer, UnlikeShape

IMAGE_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "The content of an image file: JPEG, PNG, GIF, BMP, TIFF, WebP or PPM.",
        "content": {
            kind: {"schema": {"type": "string", "format": "binary"}}
            for kind in ("image/*", "application/octet-stream")
        },
    }
}
Top = Annotated[int, Query(ge=1, le=MOST_TOP, description="The K likeliest classes.")]


def routes(service: Service) -> APIRouter:
    """Predictions of one server's run."""
    router = APIRouter(tags=["predict"])

    @router.post("/predict", openapi_extra=IMAGE_BODY)
    async def predict(request: Request, top: Top = 1) -> PredictAnswer:
        """Predict one image.  Requests that come together are shown to the network together."""
        said = await predicted(service, await request.body(), top)
        return PredictAnswer(**shown(said, top))

    return router


async def predicted(service: Service, content: bytes, top: int) -> Prediction:
    """What the run says of an image file."""
    opened = service.opened()
    if top > opened.top:
        raise InputError(f"top {top}: the run knows {opened.top} classes; use 1 to that")
    pixels = await service.prepared(content)
    try:
        async with asyncio.timeout(service.limits.work_seconds):
            return await opened.batcher(pixels, NAMED)
    except TimeoutError:
        raise Busy(f"waited for {service.limits.work_seconds:g} s; ask again soon") from None


def shown(said: Prediction, top: int) -> dict[str, Any]:
    """The fields of a ``PredictAnswer``."""
    named = zip(said.classes[:top], said.confidences[:top], strict=True)
    return {
        "top": [ClassShape(name=name, confidence=confidence) for name, confidence in named],
        "unlike": [
            UnlikeShape(what=one.what, distance=one.distance, limit=one.limit)
            for one in said.unlike
        ],
    }
