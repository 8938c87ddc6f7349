"""What a rule is, and what it says of one place."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from striate.records import Edit, Failure, Finding, Health, Layer, Price, Severity, Trace


@dataclass(frozen=True, kw_only=True)
class Given:
    """What there is to judge by besides the trace; a rule's ``ASKS`` names what it cannot do
    without.

    ``health``: what was measured of a trained run.  ``memory``: bytes that training may take.
    ``batch``: images in one training step.  ``optimiser``: its name (``"sgd"``, ``"adamw"``), for
    the state it keeps of each parameter.
    """

    health: Health | None = None
    memory: int | None = None
    batch: int | None = None
    optimiser: str | None = None

    def has(self, asked: Iterable[str]) -> bool:
        """Whether all that is ``asked`` for, by the names of these fields, is here."""
        return all(getattr(self, name) is not None for name in asked)


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
    """What the engine reads from a rule's module.

    It may also have ``SILENT_IF``, ``OPT_IN`` and ``ASKS`` (see :class:`Rule`); with ``ASKS`` its
    function is ``find(trace, given)``.
    """

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
    that this one's question makes no sense here; it then says nothing.  ``opt_in``: an opinion on
    style, which runs only where it is selected by its whole code or name.  ``asks``: names of what
    it needs of :class:`Given`; it runs only where all of that is given.  Empty: it looks at what is
    given and needs none of it; None: it looks at the trace alone.
    """

    code: str
    name: str
    severity: Severity
    doc: str
    find: Callable[..., Iterable[Spot]]
    silent_if: tuple[str, ...] = ()
    opt_in: bool = False
    asks: tuple[str, ...] | None = None

    def findings(self, trace: Trace, given: Given | None = None) -> list[Finding]:
        """Every place of ``trace`` that this rule objects to, silenced or not.

        Empty where it asks for what is not given.
        """
        given = given or Given()
        if not given.has(self.asks or ()):
            return []
        spots = self.find(trace) if self.asks is None else self.find(trace, given)
        return [self._finding(spot) for spot in spots]

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
