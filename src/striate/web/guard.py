"""What stands before every route: who may ask, from where, how much, and what a browser may do.

A page on another site can make this machine's own browser ask a server on loopback.  So the name
in ``Host`` must be loopback's (against names that are made to point here: DNS rebinding), and what
a browser says of where a request comes from (``Origin``, ``Sec-Fetch-Site``) must be this page.
Where others than this machine can ask, each request must bring the token.
"""

from __future__ import annotations

import hmac
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from striate.web.bodies import Heard, Held, whole_body
from striate.web.metering import Meters
from striate.web.options import ServeOptions
from striate.web.refusals import Busy, Refusal, TooSlow, said

COOKIE = "striate-token"
UPLOADS = ("/predict", "/api/look")
"""Where a body is an image; elsewhere it is a JSON document."""
OPEN = ("/health",)
"""What may be asked without the token: whether the server is there."""
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_BODILESS = ("GET", "HEAD", "OPTIONS")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class _Stranger(Refusal):
    """Not from here.  ``status`` 403, 401 without a token, 421 for another name."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Guard:
    """The application behind it hears only what may be asked, with a body that is whole."""

    def __init__(self, app: ASGIApp, options: ServeOptions, meters: Meters) -> None:
        self._app, self._options, self._meters = app, options, meters
        self._held = Held(options.limits.held_bytes)
        self._inside = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        with self._meters.request(scope) as noted:

            async def sent(message: Message) -> None:
                if message["type"] == "http.response.start":
                    noted.status = message["status"]
                    _add_headers(message)
                await send(message)

            heard = Heard(receive)
            answer = await self._answer(scope, headers, heard, sent)
            if answer is not None:
                if scope["method"] not in _BODILESS and answer.status_code != TooSlow.status:
                    await heard.drain(headers)
                # What was refused may still be arriving: the connection is of no more use.
                answer.headers["Connection"] = "close"
                await answer(scope, receive, sent)

    async def _answer(
        self, scope: Scope, headers: Headers, receive: Receive, send: Send
    ) -> Response | None:
        """None where the application has answered."""
        try:
            entered = self._enter(scope, headers)
            if entered is not None:
                return entered
            if self._inside >= self._options.limits.requests:
                raise Busy(f"{self._inside} requests are being answered; ask again soon")
            self._inside += 1
            try:
                await self._pass_on(scope, headers, receive, send)
            finally:
                self._inside -= 1
        except Refusal as error:
            answer = said(error.status, str(error), retry=error.retry)
            if error.status == 401:
                answer.headers["WWW-Authenticate"] = "Bearer"
            return answer
        return None

    async def _pass_on(self, scope: Scope, headers: Headers, receive: Receive, send: Send) -> None:
        if scope["method"] in _BODILESS:
            await self._app(scope, receive, send)
            return
        limits = self._options.limits
        most = limits.upload_bytes if scope["path"] in UPLOADS else limits.document_bytes
        async with whole_body(
            receive, headers, self._held, most=most, seconds=limits.body_seconds
        ) as whole:
            await self._app(scope, whole, send)

    def _enter(self, scope: Scope, headers: Headers) -> Response | None:
        """Refusal of a stranger; an answer where the page was opened with its token."""
        host = headers.get("host", "")
        if self._options.loopback and _name(host) not in _LOOPBACK:
            raise _Stranger(421, "this server answers to localhost alone; ask for it by that name")
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
            raise _Stranger(403, "this is asked by another site's page")
        page = scope["path"] == "/" and scope["method"] == "GET"
        if headers.get("sec-fetch-site", "none") not in ("none", "same-origin") and not page:
            raise _Stranger(403, "this is asked by another site's page")
        token = self._options.token
        if token is None or scope["path"] in OPEN:
            return None
        if page and (given := _asked(scope)) is not None and _same(given, token):
            answer = RedirectResponse("/", status_code=303)
            answer.set_cookie(COOKIE, token, httponly=True, samesite="strict", path="/")
            return answer
        if not any(_same(given, token) for given in _brought(headers)):
            raise _Stranger(
                401, "a token is needed: Authorization: Bearer TOKEN, or the address that striate "
                "serve printed"
            )  # fmt: skip
        return None


def opening(address: str, token: str | None) -> str:
    """The address that opens the page: with its token, where there is one."""
    return address if token is None else f"{address}?{urlencode({'token': token})}"


def _add_headers(message: Message) -> None:
    headers = MutableHeaders(scope=message)
    for name, value in HEADERS.items():
        headers[name] = value
    headers.setdefault("Cache-Control", "no-store")


def _name(host: str) -> str:
    """``localhost:8000`` → ``localhost``; ``[::1]:8000`` → ``::1``; empty for what is no host."""
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def _asked(scope: Scope) -> str | None:
    query: bytes = scope.get("query_string", b"")
    try:
        given = parse_qs(query.decode("latin-1"), max_num_fields=8).get("token")
    except ValueError:  # more fields than that
        return None
    return given[0] if given else None


def _brought(headers: Headers) -> list[str]:
    """The tokens that a request brings."""
    found: list[str] = []
    scheme, _, value = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        found.append(value.strip())
    try:
        cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        cookie = None
    return found if cookie is None else [*found, cookie.value]


def _same(given: str, token: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), token.encode())
