"""What a rule is, and what it says of one place."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from striate.records import Edit, Failure, Finding, Layer, Price, Severity, Trace


@dataclass(frozen=True, kw_only=True)
class Spot:
    """One place a rule found.  The engine adds the rule's code, name and severity.

    ``at``: the layer, or the failure a partial trace ends with.  ``message``: one sentence with
    the numbers in it.  ``measured``: those numbers, as plain JSON values.  ``price``: what could be
    saved.  ``fix``: the mend in one sentence; ``edits``: the same as literals to set; ``safe``:
    they leave what the network can compute as it was.
    """

    at: Layer | Failure
    message: str
    measured: Mapping[str, Any] = field(default_factory=dict[str, Any])
    price: Price = field(default_factory=Price)
    fix: str | None = None
    edits: tuple[Edit, ...] = ()
    safe: bool = False


class RuleFile(Protocol):
    """What the engine reads from a rule's module."""

    __doc__: str
    CODE: str
    NAME: str
    SEVERITY: Severity

    @staticmethod
    def find(trace: Trace) -> Iterable[Spot]: ...


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A rule as the engine knows it.

    ``code``: two letters for the group and three digits (``FL201``).  ``name``: in words.
    ``doc``: its documentation (Markdown).  ``silent_if``: codes of the rules whose findings say
    that this one's question makes no sense here; it then says nothing.
    """

    code: str
    name: str
    severity: Severity
    doc: str
    find: Callable[[Trace], Iterable[Spot]]
    silent_if: tuple[str, ...] = ()

    def findings(self, trace: Trace) -> list[Finding]:
        """Every place of ``trace`` that this rule objects to, silenced or not."""
        return [self._finding(spot) for spot in self.find(trace)]

    def _finding(self, spot: Spot) -> Finding:
        return Finding(
            code=self.code,
            name=self.name,
            severity=self.severity,
            path=spot.at.path,
            message=spot.message,
            source=spot.at.source,
            defined=spot.at.defined if isinstance(spot.at, Layer) else None,
            measured=spot.measured,
            price=spot.price,
            fix=spot.fix,
            edits=spot.edits,
            safe=spot.safe,
        )
