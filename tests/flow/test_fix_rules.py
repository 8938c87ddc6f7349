"""What a rule offers as literals mends its own Bad example."""

from __future__ import annotations

import sys
from inspect import cleandoc
from pathlib import Path
from textwrap import indent
from typing import Any

import pytest

from striate.arch import from_toml
from striate.checking import rules
from striate.checking.docs import read_doc
from striate.checking.rule import Rule
from striate.flow.check_types import Asked
from striate.flow.fix import Mended, mend
from striate.flow.fix_arch import ArchDesign
from striate.flow.fix_source import SourceDesign

RULES = [rule for rule in rules() if not rule.asks]

# A call in a loop, and two that would be found to be something else.
LEFT = {
    "CO603": "bad.py line 6 makes 4 modules of Conv2d, of which some do not ask for this",
    "NA516": "NA505 softmax-output would be found at 6",
    "NA517": "NA504 linear-linear would be found at 3",
}


def mended(rule: Rule, folder: Path) -> Mended[Any]:
    """Its Bad example with every mend that holds."""
    bad = read_doc(rule.doc).bad
    select = (rule.code,) if rule.opt_in else ()
    if bad.language == "toml":
        return mend(
            ArchDesign(arch=from_toml(bad.text), where="bad"), Asked(select=select), unsafe=True
        )
    names: dict[str, Any] = {}
    exec(compile(bad.text, rule.code, "exec"), names)
    lines = cleandoc(bad.text).splitlines()
    made = next(n for n, line in enumerate(lines) if line.startswith("net = "))
    top, body = "\n".join(lines[:made]), indent("\n".join(lines[made:]), "    ")
    (folder / "bad.py").write_text(f"{top}\n\n\ndef make():\n{body}\n    return net\n")
    image = "x".join(map(str, names["image"]))
    design = SourceDesign(target="bad.py:make", known=frozenset(sys.modules))
    return mend(design, Asked(image=image, select=select), unsafe=True)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_bad_examples(rule: Rule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = mended(rule, tmp_path)
    offered = [one for one in done.before.findings if one.code == rule.code and one.edits]
    if not offered:
        return
    gone = {one.code for one in done.findings}
    left = [one.reason for one in done.suggestions if one.finding.code == rule.code]
    if rule.code in LEFT:
        assert left == [LEFT[rule.code]]
    else:
        assert rule.code in gone, left
