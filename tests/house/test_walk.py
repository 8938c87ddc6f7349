"""The walk covers the chapter, and no number in its words was typed (``tools/_walk.py``).

All of it is run when the docs are built (``make docs``); here its quick pages are.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import _walk

SUBJECTS = {
    "Convolution as feature detection": "features",
    "The mechanics of convolution": "features",
    "What convolution computes": "features",
    "Stride and padding": "shapes",
    "nn.Conv2d in practice": "shapes",
    "Pooling and hierarchical features": "hierarchy",
    "The feature hierarchy": "hierarchy",
    "Average pooling and global average pooling": "hierarchy",
    "Residual connections": "residual",
    "The skip connection": "residual",
    "The residual stream view": "residual",
    "Depth against width": "growing",
    "What depth buys": "growing",
    "What width buys": "growing",
    "EfficientNet and compound scaling": "growing",
    "Depth and transformers": "growing",
}
"""The chapter's table of contents, and the page that each subject is on."""

_CODE = re.compile(r"^```.*?^```$|<!--.*?-->|\{\{.*?\}\}|`[^`]*`|\]\([^)]*\)", re.M | re.S)
_NAME = re.compile(r"\b[A-Za-z]+[-A-Za-z]*\d+\b|\b16x16\b|\bConv2d\b")
"""EfficientNet-B0; a paper's title; a module."""
_YEAR = re.compile(r"\(((?:[A-Z][\w.]+(?: et al\.)?, )|Distill, )?(19|20)\d\d\)")


def words(source: str) -> str:
    """What a page says in words: without code, values, links, names and the years of papers."""
    return _YEAR.sub("", _NAME.sub("", _CODE.sub("", source)))


@pytest.mark.parametrize(("page", "source"), _walk.sources(), ids=_walk.PAGES)
def test_no_number_is_typed(page: str, source: str) -> None:
    wrong = [line for line in words(source).splitlines() if re.search(r"\d", line)]
    assert wrong == []


def test_a_typed_number_would_be_found() -> None:
    assert "97" in words("It gets 97 % (LeCun et al., 1998) of `resnet18` with {{ x }}.")
    assert not re.search(r"\d", words("EfficientNet-B0 (2019) and (Howard et al., 2017)."))


def test_every_subject_has_its_section() -> None:
    pages = dict(_walk.sources())
    missing = [
        subject
        for subject, page in SUBJECTS.items()
        if not re.search(rf"^#{{1,3}} {re.escape(subject)}$", pages[page], re.MULTILINE)
    ]
    assert missing == []


def test_every_section_has_something_to_do_something_to_see_and_a_paper() -> None:
    for page, source in _walk.sources()[1:]:
        for section in re.split(r"^## ", source, flags=re.MULTILINE)[1:]:
            title = section.splitlines()[0]
            assert re.search(r"^```(python|console)$", section, re.MULTILINE), f"{page}: {title}"
            assert "<!-- figure: " in section or "```console" in section, f"{page}: {title}"
            assert "<!-- holds: " in section, f"{page}: {title}"
            assert "*Where from*" in section, f"{page}: {title}"


def test_every_page_of_the_folder_is_walked() -> None:
    assert sorted(path.stem for path in _walk.FOLDER.glob("*.md")) == sorted(_walk.PAGES)


def test_code_is_not_longer_than_a_page_is_wide() -> None:
    for page, source in _walk.sources():
        for block in re.findall(r"^```python\n(.*?)^```$", source, re.MULTILINE | re.DOTALL):
            long = [line for line in block.splitlines() if len(line) > 100]
            assert long == [], page


@pytest.mark.parametrize("page", ["index", "shapes"])
def test_a_page_runs_and_its_claims_hold(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shown = _walk.rendered(dict(_walk.sources())[page], page)
    assert "{{" not in shown
    assert "<!--" not in shown
    assert "```text" in shown


def test_what_a_page_gave_is_put_in_its_place() -> None:
    source = (
        "```python\nx = 2 * 21\nprint('said')\nx\n```\n\nIt is {{ x:,.1f}}.\n\n"
        "<!-- figure: bars({'a': x}) | {x} of them. -->\n<!-- holds: x == 42 -->\n"
    )
    shown = _walk.rendered(source, "page")
    assert "```text\nsaid\n42\n```" in shown
    assert "It is 42.0." in shown
    assert re.search(r"<svg [^>]*>.*</svg>\n<figcaption>42 of them\.</figcaption>", shown, re.S)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("a\n\n<!-- holds: 1 > 2 -->\n", "page.md:3: AssertionError: does not hold: 1 > 2"),
        ("```python\n1 / 0\n```\n", "page.md:1: ZeroDivisionError: division by zero"),
        ("Of {{ nothing }}.\n", "page.md:1: NameError: name 'nothing' is not defined"),
    ],
)
def test_what_fails_is_named_with_its_place(source: str, said: str) -> None:
    with pytest.raises(_walk.WalkError, match=re.escape(said)):
        _walk.rendered(source, "page")
