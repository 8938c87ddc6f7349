"""HTML that is escaped by construction: a plain ``str`` child is text, only ``Html`` is markup.

>>> el("p.note", "a < b", el("em", "!"))
'<p class="note">a &lt; b<em>!</em></p>'
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from html import escape

_VOID = frozenset({"img", "meta", "col", "br", "hr", "input"})
_NAME = re.compile(r"[a-zA-Z][\w:-]*")


class Html(str):
    """A string that is markup already."""

    __slots__ = ()


Child = str | int | None
Attrs = Mapping[str, str | float | bool | None]


def el(tag: str, *children: Child, attrs: Attrs | None = None) -> Html:
    """One element.  ``tag`` may carry classes (``td.num.wide``); None children are left out.

    ``attrs``: True writes a bare attribute, False and None leave it out.
    """
    name, *classes = tag.split(".")
    written = [f' class="{" ".join(classes)}"'] if classes else []
    for key, value in (attrs or {}).items():
        if value is None or value is False:
            continue
        if not _NAME.fullmatch(key):
            raise ValueError(f"attribute name {key!r} is not a name")
        bare = value is True
        written.append(f" {key}" if bare else f' {key}="{escape(str(value), quote=True)}"')
    opening = f"<{name}{''.join(written)}>"
    if name in _VOID:
        return Html(opening)
    return Html(f"{opening}{join(children)}</{name}>")


def join(children: Iterable[Child], between: str = "") -> Html:
    """Children one after another, text escaped; ``between`` is text too."""
    parts = [
        child if isinstance(child, Html) else escape(str(child), quote=False)
        for child in children
        if child is not None
    ]
    return Html(escape(between).join(parts))
