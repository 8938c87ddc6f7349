"""The page as chapters: which section stands in which, in the order in which it is read.

Comes in: sections by key.  Goes out: chapters, those without a section left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from striate.reporting.document import section
from striate.reporting.html import Html, el

CHAPTERS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Block by block", ("axis", "network")),
    ("One image, from pixels to logit", ("maps", "mechanics", "decision", "ledger")),
    ("What it looks for", ("filters", "patches", "selectivity", "peaks")),
    ("What depth buys", ("reach", "fields", "stream", "depth", "paths")),
    ("Beside another", ("beside",)),
    (
        "Where it is wrong",
        ("confusions", "classes", "slices", "calibration", "errors", "typical", "labels"),
    ),
    ("What it would cost to change", ("tail", "landscape")),
    ("May this be believed?", ("checks",)),
    ("How it was made", ("findings", "training", "setting", "data", "made")),
)
OTHERS = 6
"""The chapter of a section that is named in none."""


@dataclass(frozen=True, kw_only=True)
class Section:
    """``key`` is its anchor, ``title`` its heading, ``short`` its name in the contents."""

    key: str
    short: str
    title: str
    body: Html


@dataclass(frozen=True, kw_only=True)
class Chapter:
    """Sections that are read together."""

    title: str
    sections: tuple[Section, ...]


def chapters(sections: Mapping[str, Section]) -> list[Chapter]:
    """Every section once, in the order of ``CHAPTERS``."""
    named = {key for _, keys in CHAPTERS for key in keys}
    found: list[Chapter] = []
    for place, (title, keys) in enumerate(CHAPTERS):
        others = [key for key in sections if key not in named] if place == OTHERS else []
        members = tuple(sections[key] for key in (*keys, *others) if key in sections)
        if members:
            found.append(Chapter(title=title, sections=members))
    return found


def contents(found: list[Chapter]) -> Html:
    """Links to every section, chapter by chapter."""
    return el(
        "nav",
        el(
            "ol",
            *(
                el(
                    "li",
                    el("span", chapter.title),
                    el(
                        "ul",
                        *(
                            el("li", el("a", one.short, attrs={"href": f"#{one.key}"}))
                            for one in chapter.sections
                        ),
                    ),
                )
                for chapter in found
            ),
        ),
        attrs={"aria-label": "Contents"},
    )


def opened(number: int, chapter: Chapter) -> list[Html]:
    """The chapter's sections, under its number and name."""
    return [
        el("p.chapter", el("span", str(number)), chapter.title),
        *(section(one.key, one.title, one.body) for one in chapter.sections),
    ]
