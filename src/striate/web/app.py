"""The application: routes put together, behind the guard."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from striate._version import __version__
from striate.errors import StriateError
from striate.web import design, look, page, predict, runs
from striate.web.guard import Guard
from striate.web.metering import Meters
from striate.web.options import ServeOptions
from striate.web.refusals import Problem, Refusal, said
from striate.web.service import Service
from striate.web.shapes import HealthAnswer

_SAYS = {
    400: "The request is not whole, or not what HTTP or JSON says.",
    401: "The token is missing.",
    403: "Asked by another site's page.",
    404: "Nothing has that name.",
    408: "The body did not arrive in time.",
    409: "The server was started without a run.",
    413: "Too many bytes or pixels.",
    421: "Asked for by another name than localhost.",
    422: "What was given is wrong; the error says how.",
    429: "Too much at once: ask again after Retry-After seconds.",
}
REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": what} for status, what in _SAYS.items()
}


def make_app(options: ServeOptions) -> FastAPI:
    """The server's application, with its run open.  StriateError where that cannot be."""
    meters = Meters()
    service = Service(options, meters)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        warm = asyncio.create_task(design.warmed(service))
        yield
        warm.cancel()
        service.close()

    app = FastAPI(
        title="striate",
        version=__version__,
        description="Designs, predictions and runs of one `striate serve`.",
        docs_url=None,
        redoc_url=None,
        responses=REFUSALS,
        lifespan=lifespan,
    )
    app.state.service = service
    app.include_router(_own(service, meters))
    for routes in (design, look, runs, predict):
        app.include_router(routes.routes(service))
    app.include_router(page.routes())
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(StriateError, _wrong)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_middleware(Guard, options=options, meters=meters)
    return app


def _own(service: Service, meters: Meters) -> APIRouter:
    router = APIRouter(tags=["server"])

    @router.get("/health")
    async def health() -> HealthAnswer:
        """Whether the server is there, and which run it has open."""
        opened = service.run
        return HealthAnswer(
            version=__version__, run=None if opened is None else opened.run.path.resolve().name
        )

    @router.get(
        "/metrics",
        response_class=Response,
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
    )
    async def metrics() -> Response:
        """What the server counts of itself, as Prometheus reads it."""
        return Response(meters.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    return router


async def _refused(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Refusal)
    return said(error.status, str(error), retry=error.retry)


async def _wrong(_: Request, error: Exception) -> JSONResponse:
    return said(422, str(error))


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"] if part not in ("body", "query", "path"))
    return said(422, f"{where or 'request'}: {first['msg']}")


async def _http(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    answer = said(error.status_code, str(error.detail))
    answer.headers.update(error.headers or {})
    return answer
