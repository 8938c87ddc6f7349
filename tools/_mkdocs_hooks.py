"""What the docs need beyond plain mkdocs.

A navigation entry that names a folder stands for its pages, in order of name: a new decision or a
new rule appears without an edit of ``mkdocs.yml``.

Pages from the repository's top folder (changelog, contributing, results) link to files there; those
links are pointed at the pages they have in the site, or unlinked where they have none.

The walk's pages are run, and what they gave is put on them (``_walk.py``).

A built page that would load something from elsewhere is a warning, and so a failure.
"""

from __future__ import annotations

import logging
import posixpath
import re
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))  # mkdocs loads a hook by its path alone
import _walk

_LINK = re.compile(r"(?<!!)\[([^\]]+)\]\((?![a-z]+:|#)([^)\s]+)\)")
_LOADED = re.compile(r'<(?:script|img|iframe|link)\b[^>]*\b(?:src|href)="((?:https?:)?//[^"]+)')
_LOG = logging.getLogger("mkdocs.hooks")
_INCLUDED = {
    "changelog.md": "CHANGELOG.md",
    "contributing.md": "CONTRIBUTING.md",
    "results.md": "bench/RESULTS.md",
}


def on_config(config: Any) -> Any:
    """Write out the folders of the navigation."""
    config["nav"] = [_spread(entry, Path(config["docs_dir"])) for entry in config["nav"]]
    return config


def _spread(entry: Any, docs: Path) -> Any:
    if not isinstance(entry, dict):
        return entry
    ((title, what),) = entry.items()
    if isinstance(what, list):
        return {title: [_spread(part, docs) for part in what]}
    if what.endswith("/"):
        pages = sorted(
            (docs / what).glob("*.md"), key=lambda page: (page.stem != "index", page.stem)
        )
        return {title: [page.relative_to(docs).as_posix() for page in pages]}
    return entry


def on_page_markdown(markdown: str, *, page: Any, config: Any, **_: Any) -> str:
    """Run a page of the walk; take in a page of the top folder whole, with its links put right."""
    here = page.file.src_uri
    if here.startswith("walk/"):
        return _walk.walk(_walk.sources())[posixpath.basename(here).removesuffix(".md")]
    if here not in _INCLUDED:
        return markdown
    top = Path(config["docs_dir"]).parent
    text = (top / _INCLUDED[here]).read_text(encoding="utf-8")
    folder = posixpath.dirname(_INCLUDED[here])

    def put_right(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(folder, link[2]))
        if target.startswith("docs/"):
            return f"[{link[1]}]({target.removeprefix('docs/')})"
        known = {path: name for name, path in _INCLUDED.items()}
        return f"[{link[1]}]({known[target]})" if target in known else link[1]

    pictures = posixpath.relpath("docs", folder or ".") + "/"
    return _LINK.sub(put_right, text).replace(f"]({pictures}", "](")


def on_post_build(config: Any, **_: Any) -> None:
    """Look through the built pages for what they would load."""
    site = Path(config["site_dir"])
    for page in sorted(site.rglob("*.html")):
        for address in _LOADED.findall(page.read_text(encoding="utf-8")):
            _LOG.warning("%s loads %s", page.relative_to(site), address)
