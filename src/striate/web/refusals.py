"""How a server says no: one line of JSON, and never a traceback.

Refusal
├── TooLarge       413   a body or an image beyond a limit
├── TooSlow        408   a body that does not arrive
├── Busy           429   more than can be done now: ask again, in ``Retry-After`` seconds
├── NotFound       404   nothing has that name
└── NotHere        409   the server was started without what is asked for
"""

from __future__ import annotations

from fastapi.responses import JSONResponse
from pydantic import BaseModel


class Problem(BaseModel):
    """What was wrong with a request, in one line."""

    striate: int = 1
    error: str


class Refusal(Exception):
    """A request that is not answered, and the status that says why."""

    status = 400
    retry: int | None = None


class TooLarge(Refusal):
    """Beyond a limit of bytes or pixels."""

    status = 413


class TooSlow(Refusal):
    """A body that did not arrive in time."""

    status = 408


class Busy(Refusal):
    """A queue is full."""

    status = 429
    retry = 1


class NotFound(Refusal):
    """Nothing has that name."""

    status = 404


class NotHere(Refusal):
    """The server was started without it."""

    status = 409


def said(status: int, message: str, *, retry: int | None = None) -> JSONResponse:
    """The answer of a refused request."""
    answer = JSONResponse(Problem(error=" ".join(message.split())).model_dump(), status_code=status)
    if retry is not None:
        answer.headers["Retry-After"] = str(retry)
    return answer
