"""The linter: what is wrong with a network, read from its trace alone.

A rule is one file in ``checking.rules``: its docstring is its documentation, its ``--explain`` text
and its test; its one pure function finds places in a trace.  A new file there is a new rule: the
engine finds it by its folder.

Comes in: a :class:`~striate.records.Trace` (complete or not).  Goes out: Findings, and each rule's
documentation.  May import: ``striate.records`` and ``striate.errors``; never torch.
"""

from striate.checking.docs import explain, index_page, rule_page
from striate.checking.engine import check, codes_of, rules
from striate.checking.rule import Given, Rule, Spot

__all__ = [
    "Given",
    "Rule",
    "Spot",
    "check",
    "codes_of",
    "explain",
    "index_page",
    "rule_page",
    "rules",
]
