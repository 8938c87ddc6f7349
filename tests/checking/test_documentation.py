"""The documentation is the test: each rule's Bad fires this rule alone, where the page says so, and
its Good is silent.  The text runs as it is printed.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch

from striate.arch import from_toml
from striate.building import build
from striate.checking import Given, Rule, check, rules
from striate.checking.docs import Example, read_doc
from striate.flow.health import measure
from striate.records import Finding, Health, Trace
from striate.tracing import trace


def traced(example: Example, asks: tuple[str, ...] = ()) -> tuple[Trace, Given]:
    """The example's trace and what it says is given: ``memory``, ``batch``; its health."""
    if example.language == "toml":
        arch = from_toml(example.text)
        return trace(lambda: build(arch, device="meta"), arch.image), Given()
    names: dict[str, Any] = {}
    torch.manual_seed(0)  # its weights, whatever ran before in this process
    exec(compile(example.text, "<example>", "exec"), names)  # the repository's own documentation
    given = {name: names[name] for name in ("memory", "batch") if name in names}
    found = trace(names["net"], names["image"])
    if "health" in asks:
        given["health"] = examined(found, names)
    return found, Given(**given)


def examined(found: Trace, names: dict[str, Any]) -> Health:
    """The example's network as measured on 64 images of noise.

    It may say what it was at the ``start``, its ``first_loss``, and that the classes are the
    ``"brightest"`` channel.
    """
    images = torch.randn(64, *names["image"], generator=torch.Generator().manual_seed(0))
    classes = found.layers[-1].shape[1]
    labels = torch.arange(64) % classes
    if names.get("labels") == "brightest":
        labels = images.mean(dim=(2, 3)).argmax(dim=1)
    return measure(
        names["net"],
        found,
        images,
        labels,
        classes=classes,
        start=names.get("start"),
        first_loss=names.get("first_loss"),
    )


def said_of(example: Example, rule: Rule) -> list[Finding]:
    """All rules over the example; one on style is asked for."""
    found, given = traced(example, rule.asks or ())
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
