"""The documentation is the test: each rule's Bad fires this rule alone, where the page says so, and
its Good is silent.  The text runs as it is printed.
"""

from __future__ import annotations

from typing import Any

import pytest

from striate.arch import from_toml
from striate.building import build
from striate.checking import Given, Rule, check, rules
from striate.checking.docs import Example, read_doc
from striate.records import Finding, Trace
from striate.tracing import trace


def traced(example: Example) -> tuple[Trace, Given]:
    """The example's trace and what it says is given: ``memory``, ``batch``."""
    if example.language == "toml":
        arch = from_toml(example.text)
        return trace(lambda: build(arch, device="meta"), arch.image), Given()
    names: dict[str, Any] = {}
    exec(compile(example.text, "<example>", "exec"), names)  # the repository's own documentation
    given = Given(**{name: names[name] for name in ("memory", "batch") if name in names})
    return trace(names["net"], names["image"]), given


def said_of(example: Example, rule: Rule) -> list[Finding]:
    """All rules over the example; one on style is asked for."""
    found, given = traced(example)
    assert given.has(rule.asks or ())
    return check(found, select=("all", rule.code), given=given)


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.code)
def test_bad_fires_this_rule_alone_where_the_page_says(rule: Rule) -> None:
    bad = read_doc(rule.doc).bad
    findings = said_of(bad, rule)
    assert {finding.code for finding in findings} == {rule.code}
    assert tuple(finding.path for finding in findings) == bad.fires_at
    for finding in findings:
        assert finding.severity == rule.severity
        assert finding.message.endswith(".")
        assert finding.fix
        assert finding.measured


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.code)
def test_good_is_silent(rule: Rule) -> None:
    good = read_doc(rule.doc).good
    assert traced(good)[0].complete
    assert said_of(good, rule) == []


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.code)
def test_bad_and_good_are_written_in_one_language(rule: Rule) -> None:
    doc = read_doc(rule.doc)
    assert doc.bad.language == doc.good.language
    assert doc.bad.text != doc.good.text
