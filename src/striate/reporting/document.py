"""The frame of every page: its head, and the policy that lets it ask for nothing.

Comes in: a title, a style, the script that is allowed, and a body.  Goes out: one HTML document.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from striate.reporting.html import Child, Html, el
from striate.reporting.script import ASSETS, digest


def document(
    *,
    title: str,
    styles: Sequence[str],
    allowed: str,
    body: Iterable[Child],
    kind: str | None = None,
    mark: str | None = None,
) -> str:
    """A whole page that names no address, and whose content security policy forbids every request.

    ``styles``: files of the assets.  ``allowed``: the digest of its one script.  ``kind``: the
    class of its body.  ``mark``: an element of the head by which the page is known again.
    """
    style = "".join((ASSETS / name).read_text() for name in styles)
    policy = (
        f"default-src 'none'; img-src data:; style-src {digest(style)}; "
        f"script-src {allowed}; base-uri 'none'; form-action 'none'"
    )
    whole = el(
        "html",
        el(
            "head",
            el("meta", attrs={"charset": "utf-8"}),
            None if mark is None else Html(mark),
            el("meta", attrs={"http-equiv": "Content-Security-Policy", "content": policy}),
            el(
                "meta", attrs={"name": "viewport", "content": "width=device-width, initial-scale=1"}
            ),
            el("meta", attrs={"name": "color-scheme", "content": "light dark"}),
            el("title", title),
            Html(f"<style>{style}</style>"),
        ),
        el("body", *body, attrs={"class": kind}),
        attrs={"lang": "en"},
    )
    return f"<!doctype html>\n{whole}\n"


def section(key: str, title: str, body: Child) -> Html:
    """A part of a page under its heading; ``key`` is its anchor."""
    return el(
        "section",
        el("h2", title, attrs={"id": f"{key}-title"}),
        body,
        attrs={"id": key, "aria-labelledby": f"{key}-title"},
    )
