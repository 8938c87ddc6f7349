"""A rule's docstring is its page, its ``--explain`` text and its test; this file reads it.

The docstring is Markdown: a title line (``FL201 unproductive-layer``), then the sections of
``SECTIONS``, each once and in that order.  ``Bad`` and ``Good`` each hold one fenced block that can
be run: ``toml`` (an Arch) or ``python`` that defines ``net`` and ``image``.  ``Bad`` ends with
"Fires at `path`." (several paths: "Fires at `a` and `b`."), and the tests hold it to that.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from inspect import cleandoc

from striate.checking.engine import rule_named, rules
from striate.checking.rule import Rule

SECTIONS = (
    "What it finds", "Why it is bad", "Bad", "Good", "How it is measured", "Limits", "References",
)  # fmt: skip

SEVERITIES = {
    "error": "the network cannot run",
    "warning": "it runs, and loses a share of its parameters, MACs, pixels or accuracy that can be "
    "named",
    "info": "true, and cheap",
}

INTRODUCTION = (
    "What `striate check` looks for. Each page says what a rule finds, why that is bad, how it is "
    "measured and what it cannot see; its Bad and Good examples are run by the tests."
)

OPT_IN = "an opinion on style, silent unless it is selected by its code or name, as in"

ASKED = {
    "health": "a trained run: `striate check RUN_FOLDER`",
    "memory": "the memory that training may take: `--memory 16GiB`",
    "batch": "the images in a training step: `--batch 64`",
    "optimiser": "the optimiser, as a run's recipe names it",
}

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FIRES = re.compile(r"^Fires at (`.*`)\.$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Example:
    """A network to run: ``language`` is ``toml`` or ``python``; ``fires_at`` the paths it names."""

    language: str
    text: str
    fires_at: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class RuleDoc:
    """A rule's docstring, taken apart."""

    title: str
    sections: Mapping[str, str]
    bad: Example
    good: Example


def read_doc(doc: str) -> RuleDoc:
    """Take a rule's docstring apart; ValueError says what is missing or out of place."""
    title, *parts = re.split(r"^## +(.*)$", cleandoc(doc), flags=re.MULTILINE)
    title = title.strip()
    found = tuple(parts[::2])
    if found != SECTIONS:
        raise ValueError(f"{title}: its sections are {found}, and should be {SECTIONS}")
    sections = {name: text.strip() for name, text in zip(found, parts[1::2], strict=True)}
    empty = [name for name, text in sections.items() if not text]
    if empty:
        raise ValueError(f"{title}: nothing is said under {empty[0]!r}")
    bad, good = (_example(title, name, sections[name]) for name in ("Bad", "Good"))
    if not bad.fires_at or good.fires_at:
        raise ValueError(f'{title}: "Fires at `path`." belongs under Bad, and there alone')
    return RuleDoc(title=title, sections=sections, bad=bad, good=good)


def explain(code: str) -> str:
    """A rule's documentation as Markdown, by code or name; InputError if there is no such rule."""
    return rule_page(rule_named(code))


def rule_page(rule: Rule) -> str:
    """The rule's page of the documentation, Markdown: its docstring under a heading."""
    doc = read_doc(rule.doc)
    lines = [f"# {doc.title}", "", f"Severity: {rule.severity} ({SEVERITIES[rule.severity]})."]
    if rule.silent_if:
        lines += ["", f"Silent when {' or '.join(rule.silent_if)} fires."]
    if rule.opt_in:
        lines += ["", f"Opt-in: {OPT_IN} `--select {rule.code}`."]
    if rule.asks:
        lines += ["", f"Asks for {' and '.join(ASKED[name] for name in rule.asks)}."]
    for name, text in doc.sections.items():
        lines += ["", f"## {name}", "", text]
    return "\n".join([*lines, ""])


def page_name(rule: Rule) -> str:
    """The file name of its page.

    >>> page_name(rule_named("PA301"))
    'pa301.md'
    """
    return f"{rule.code.lower()}.md"


def index_page(of: Sequence[Rule] = ()) -> str:
    """The table of all rules (or of those given), Markdown."""
    lines = [
        "# Rules",
        "",
        INTRODUCTION,
        "",
        *(f"- **{severity}**: {meaning}." for severity, meaning in SEVERITIES.items()),
        "",
        "| code | name | severity | what it finds |",
        "|---|---|---|---|",
    ]
    for rule in of or rules():
        finds = read_doc(rule.doc).sections["What it finds"].split("\n\n")[0].replace("\n", " ")
        link = f"[{rule.code}]({page_name(rule)})"
        kind = f"{rule.severity}, opt-in" if rule.opt_in else rule.severity
        lines.append(f"| {link} | {rule.name} | {kind} | {finds} |")
    return "\n".join([*lines, ""])


def _example(title: str, name: str, section: str) -> Example:
    blocks = _BLOCK.findall(section)
    if len(blocks) != 1 or blocks[0][0] not in ("toml", "python"):
        raise ValueError(f"{title}: {name} needs one fenced block, toml or python")
    fires = _FIRES.search(section)
    return Example(
        language=blocks[0][0],
        text=blocks[0][1],
        fires_at=tuple(re.findall(r"`(.*?)`", fires[1])) if fires else (),
    )
