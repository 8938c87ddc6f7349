"""The page and its files, read once: what is not in the package cannot be asked for."""

from __future__ import annotations

from importlib.resources import files

from fastapi import APIRouter, Response

from striate.web.refusals import NotFound

_KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


def _read() -> dict[str, tuple[bytes, str]]:
    """Every asset by its name, with its media type."""
    found: dict[str, tuple[bytes, str]] = {}
    for asset in files("striate.web").joinpath("assets").iterdir():
        kind = _KINDS.get(f".{asset.name.rpartition('.')[2]}")
        if kind is not None:
            found[asset.name] = asset.read_bytes(), kind
    return found


def routes() -> APIRouter:
    """The page."""
    router = APIRouter(include_in_schema=False)
    kept = _read()

    @router.get("/")
    async def page() -> Response:
        content, kind = kept["index.html"]
        return Response(content, media_type=kind)

    @router.get("/assets/{name}")
    async def asset(name: str) -> Response:
        found = kept.get(name)
        if found is None:
            raise NotFound(f"no file is called {name[:80]!r}")
        content, kind = found
        return Response(content, media_type=kind, headers={"Cache-Control": "no-cache"})

    return router
