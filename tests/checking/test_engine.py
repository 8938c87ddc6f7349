"""What the engine promises of every rule."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest

import striate.checking.engine as engine
from striate.checking import Given, Rule, Spot, check, explain, rules
from striate.errors import InputError
from striate.records import Failure, Finding, Severity, Trace

Draw = Callable[..., Any]


def _faulty(draw: Draw) -> Trace:
    """Fires PA301 at a and at c, FL203 at c, NA504 at b; in this order of layers."""
    d = draw(3, 64, 64)
    a = d.norm(d.conv(d.start, 16, bias=True, path="a"))
    b = d.relu(d.norm(d.conv(a, 16, path="b")))
    c = d.relu(d.norm(d.conv(b, 16, 1, stride=2, bias=True, path="c")))
    d.head(c)
    trace: Trace = d.trace()
    return trace


def _places(findings: list[Finding]) -> list[tuple[str, str]]:
    return [(finding.path, finding.code) for finding in findings]


EVERYTHING = [("a", "PA301"), ("b", "NA504"), ("c", "FL203"), ("c", "PA301")]


def test_findings_come_in_the_order_of_the_layers_then_by_code(draw: Draw) -> None:
    assert _places(check(_faulty(draw))) == EVERYTHING


@pytest.mark.parametrize(
    ("select", "ignore", "codes"),
    [
        (["PA301"], [], {"PA301"}),
        (["PA", "FL2"], [], {"PA301", "FL203"}),
        (["pa"], [], {"PA301"}),
        (["bias-before-norm"], [], {"PA301"}),
        ([], ["PA", "NA504"], {"FL203"}),
        (["FL", "PA"], ["FL203"], {"PA301"}),
        (["RE"], [], set()),
    ],
)
def test_select_and_ignore(
    draw: Draw, select: list[str], ignore: list[str], codes: set[str]
) -> None:
    found = _places(check(_faulty(draw), select=select, ignore=ignore))
    assert found == [place for place in EVERYTHING if place[1] in codes]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"select": ["XY9"]}, "select: no rule is called 'XY9'; choose from "),
        ({"ignore": ["bias-before-nrom"]}, "did you mean bias-before-norm?"),
        ({"ignore": [""]}, "ignore: no rule is called ''; choose from"),
        ({"select": ["FL201x"]}, "select: no rule is called 'FL201x'"),
    ],
)
def test_an_unknown_rule_is_named_with_the_choices(
    draw: Draw, options: dict[str, list[str]], message: str
) -> None:
    with pytest.raises(InputError) as raised:
        check(_faulty(draw), **options)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_explain_takes_a_code_or_a_name() -> None:
    assert explain("FL201") == explain("fl201") == explain("unproductive-layer")
    assert explain("FL201").startswith("# FL201 unproductive-layer\n\nSeverity: warning")
    with pytest.raises(InputError, match="unknown rule 'FL9'; choose from "):
        explain("FL9")


def test_silence_is_a_matter_of_the_network_not_of_the_options(
    draw: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rule(code: str, *silent_if: str) -> Rule:
        return Rule(
            code=code,
            name=code.lower(),
            severity="info",
            doc="",
            find=lambda trace: [Spot(at=trace.layers[0], message="Here.")],
            silent_if=silent_if,
        )

    monkeypatch.setattr(engine, "rules", lambda: (rule("AA1"), rule("AA2", "AA1")))
    trace = draw(3, 8, 8).trace()
    assert [finding.code for finding in check(trace)] == ["AA1"]
    assert check(trace, ignore=["AA1"]) == []
    assert check(trace, select=["AA2"]) == []


def test_an_opinion_on_style_runs_where_it_is_selected_and_silences_nobody_else(
    draw: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rule(code: str, *, opt_in: bool = False, silent_if: tuple[str, ...] = ()) -> Rule:
        return Rule(
            code=code,
            name=f"rule-{code.lower()}",
            severity="info",
            doc="",
            find=lambda trace: [Spot(at=trace.layers[0], message="Here.")],
            silent_if=silent_if,
            opt_in=opt_in,
        )

    both = (rule("AA1", opt_in=True), rule("AA2", silent_if=("AA1",)))
    monkeypatch.setattr(engine, "rules", lambda: both)
    trace = draw(3, 8, 8).trace()

    def codes(*select: str, ignore: tuple[str, ...] = ()) -> list[str]:
        return [finding.code for finding in check(trace, select=select, ignore=ignore)]

    assert codes() == codes("AA") == codes("all") == ["AA2"]
    assert codes("AA1") == codes("rule-aa1") == codes("aa1") == ["AA1"]
    assert codes("all", "AA1") == ["AA1"]  # and so AA2 is silent
    assert codes("all", "AA1", ignore=("AA1",)) == ["AA2"]


def test_a_rule_runs_only_where_all_it_asks_for_is_given(
    draw: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    def find(trace: Trace, given: Given) -> list[Spot]:
        return [Spot(at=trace.layers[0], message=f"{given.memory} and {given.batch}.")]

    asking = Rule(
        code="AA1", name="a", severity="info", doc="", find=find, asks=("memory", "batch")
    )
    content = replace(asking, code="AA2", asks=())
    monkeypatch.setattr(engine, "rules", lambda: (asking,))
    trace = draw(3, 8, 8).trace()
    assert check(trace) == check(trace, given=Given(memory=1)) == []
    (said,) = check(trace, given=Given(memory=0, batch=2))
    assert said.message == "0 and 2."
    monkeypatch.setattr(engine, "rules", lambda: (content,))
    assert [finding.message for finding in check(trace)] == ["None and None."]


def test_a_network_that_cannot_run_is_not_judged_by_who_reads_what(draw: Draw) -> None:
    """What would have been read behind the failure is not in the trace."""
    whole = _faulty(draw)
    failure = Failure(path="head", op="linear", shapes=(), message="no")
    assert _places(check(replace(whole, complete=False, failure=failure))) == [("head", "SH100")]


def test_every_rule_is_a_file_named_after_it() -> None:
    import striate.checking as room

    folder = Path(room.__file__).parent / "rules"
    files = {path.stem for path in folder.glob("[a-z]*.py")}
    assert files == {f"{r.code.lower()}_{r.name.replace('-', '_')}" for r in rules()}
    assert len(rules()) == len({r.name for r in rules()}) == len({r.code for r in rules()})


def test_the_folder_of_rules_does_not_shadow_the_function() -> None:
    program = (
        "import striate.checking as room; room.rules(); from striate.checking import rules; "
        "print(len(rules()), len(room.rules()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [str(len(rules()))] * 2


def test_every_rule_has_a_known_severity_and_silences_known_rules() -> None:
    codes = {rule.code for rule in rules()}
    for rule in rules():
        assert rule.severity in get_args(Severity)
        assert set(rule.silent_if) <= codes - {rule.code}


def test_a_finding_carries_the_place_it_was_found_at(draw: Draw) -> None:

    d = draw(3, 32, 32)
    d.head(d.relu(d.norm(d.conv(d.start, 16, bias=True, path="conv"))))
    d.layers[1] = replace(d.layers[1], source="net.py:20", defined="net.py:7")
    (finding,) = check(d.trace())
    assert (finding.source, finding.defined) == ("net.py:20", "net.py:7")


def test_checking_loads_no_torch() -> None:
    program = "import sys, striate.checking as c; c.rules(); print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"
