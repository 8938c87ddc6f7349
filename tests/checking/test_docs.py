"""The reader of docstrings: what it takes, and what it says of what it does not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from striate.checking import index_page, rule_page, rules
from striate.checking.docs import SECTIONS, read_doc

WHOLE = """XX100 a-rule

## What it finds

Something. With a second sentence.

## Why it is bad

It is.

## Bad

```python
net, image = None, (3, 8, 8)
```

Fires at `a.b` and `c`.

## Good

```toml
name = "x"
```

## How it is measured

So.

## Limits

These.

## References

Them.
"""


def test_a_docstring_is_taken_apart() -> None:
    doc = read_doc(WHOLE)
    assert doc.title == "XX100 a-rule"
    assert tuple(doc.sections) == SECTIONS
    assert doc.sections["Limits"] == "These."
    assert (doc.bad.language, doc.bad.fires_at) == ("python", ("a.b", "c"))
    assert doc.bad.text == "net, image = None, (3, 8, 8)\n"
    assert (doc.good.language, doc.good.fires_at) == ("toml", ())


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("## Limits\n\nThese.\n\n", "", "XX100 a-rule: its sections are"),
        ("## Limits", "## Limitations", "and should be"),
        ("These.", "", "XX100 a-rule: nothing is said under 'Limits'"),
        ("```toml", "```yaml", "Good needs one fenced block, toml or python"),
        ("Fires at `a.b` and `c`.", "", "belongs under Bad"),
        ("These.", "Fires at `x`.", None),
        ('name = "x"\n```', 'name = "x"\n```\n\nFires at `x`.', "there alone"),
    ],
)
def test_what_is_wrong_is_said(old: str, new: str, message: str | None) -> None:
    text = WHOLE.replace(old, new)
    assert text != WHOLE
    if message is None:
        read_doc(text)
        return
    with pytest.raises(ValueError, match="XX100") as raised:
        read_doc(text)
    assert message in str(raised.value)


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.code)
def test_every_docstring_is_a_page(rule: object) -> None:
    from striate.checking import Rule

    assert isinstance(rule, Rule)
    doc = read_doc(rule.doc)
    assert doc.title == f"{rule.code} {rule.name}"
    page = rule_page(rule)
    assert page.startswith(f"# {rule.code} {rule.name}\n\nSeverity: {rule.severity} (")
    for name in SECTIONS:
        assert f"\n## {name}\n" in page
    if rule.silent_if:
        assert f"\nSilent when {' or '.join(rule.silent_if)} fires.\n" in page


def test_the_index_links_every_rule() -> None:
    page = index_page()
    for rule in rules():
        kind = f"{rule.severity}, opt-in" if rule.opt_in else rule.severity
        row = f"| [{rule.code}]({rule.code.lower()}.md) | {rule.name} | {kind} |"
        assert row in page


def test_a_page_says_what_its_rule_needs_to_run() -> None:
    kind, *_ = rules()
    page = rule_page(replace(kind, opt_in=True, asks=("memory", "batch")))
    assert f"--select {kind.code}" in page
    assert "Asks for the memory that training may take: `--memory 16GiB` and the images" in page
    assert f"| {kind.name} | {kind.severity}, opt-in |" in index_page([replace(kind, opt_in=True)])
