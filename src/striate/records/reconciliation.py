"""Why another tool's total differs from ours: operation by operation, and what is left over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Counted:
    """What another tool counts for one thing it saw.

    ``path``: the module it saw it in.  ``op``: what it calls it.  ``macs``: what it counts.
    ``meant``: the multiply-accumulates of what it counted, by our convention and from the shapes
    it was called with.  ``why``: its rule, where the rule gives just ``macs``; None where it is not
    known why the two differ.
    """

    path: str
    op: str
    macs: int
    meant: int
    why: str | None = None


@dataclass(frozen=True, kw_only=True)
class Account:
    """A tool's count of one network, taken apart.

    ``total``: as the tool gives it, in multiply-accumulates.  ``unit``: what the tool itself calls
    what it counts, where it had to be converted.  ``counted``: what it counts, module by module.
    ``leaves_out``: by our name of an operation (or ``*``), why it counts nothing for it.
    """

    tool: str
    version: str
    total: int
    counted: tuple[Counted, ...]
    leaves_out: Mapping[str, str]
    unit: str = "multiply-accumulates"


@dataclass(frozen=True, kw_only=True)
class Reason:
    """Operations that are counted differently for one reason.

    ``op``: the operation.  ``why``: the reason, which was computed again from the shapes and gives
    exactly ``theirs``; None where none was found.  ``count``: how many.  ``paths``: where.
    ``theirs`` and ``ours``: multiply-accumulates of all of them.
    """

    op: str
    why: str | None
    count: int
    paths: tuple[str, ...]
    theirs: int
    ours: int

    @property
    def difference(self) -> int:
        """How much of the totals' difference this is."""
        return self.theirs - self.ours


@dataclass(frozen=True, kw_only=True)
class Reconciliation:
    """One tool's total beside ours.

    ``explained`` and ``leftover`` together are the whole difference.  ``failure``: what the tool
    raised instead of a total; there is nothing to explain then.
    """

    tool: str
    version: str
    ours: int
    total: int = 0
    unit: str = "multiply-accumulates"
    explained: tuple[Reason, ...] = ()
    leftover: tuple[Reason, ...] = ()
    failure: str | None = None

    @property
    def difference(self) -> int:
        """Theirs less ours."""
        return self.total - self.ours

    @property
    def unexplained(self) -> int:
        """What no reason was found for, all in all."""
        return self.difference - sum(reason.difference for reason in self.explained)

    def as_json(self) -> dict[str, Any]:
        """One entry of the document's ``reconcile``."""
        if self.failure is not None:
            return {
                "tool": self.tool, "version": self.version, "ours": self.ours,
                "failure": self.failure,
            }  # fmt: skip
        return {
            "tool": self.tool,
            "version": self.version,
            "unit": self.unit,
            "total": self.total,
            "ours": self.ours,
            "difference": self.difference,
            "explained": [_reason_json(reason) for reason in self.explained],
            "unexplained": self.unexplained,
            "leftover": [_reason_json(reason) for reason in self.leftover],
        }


def _reason_json(reason: Reason) -> dict[str, Any]:
    return {
        "op": reason.op,
        "why": reason.why,
        "count": reason.count,
        "paths": list(reason.paths),
        "theirs": reason.theirs,
        "ours": reason.ours,
        "difference": reason.difference,
    }


@dataclass(frozen=True, kw_only=True)
class Reconciled:
    """A network's total beside those of other tools.

    ``missing``: tools that were asked for and are not installed, with what would install them.
    """

    target: str
    image: tuple[int, int, int]
    macs: int
    tools: tuple[Reconciliation, ...]
    missing: tuple[tuple[str, str], ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The ``reconcile`` document."""
        return {
            "striate": 1,
            "target": self.target,
            "image": list(self.image),
            "totals": {"macs": self.macs},
            "reconcile": [tool.as_json() for tool in self.tools],
            "missing": [{"tool": tool, "install": how} for tool, how in self.missing],
        }
