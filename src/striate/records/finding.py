"""One thing the linter has to say about one place in a network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Severity = Literal["error", "warning", "info"]


@dataclass(frozen=True, kw_only=True)
class Price:
    """What a finding costs: parameters, multiply-accumulates and bytes that could be saved."""

    params: int = 0
    macs: int = 0
    bytes: int = 0

    def as_json(self) -> dict[str, int]:
        return {"params": self.params, "macs": self.macs, "bytes": self.bytes}


@dataclass(frozen=True, kw_only=True)
class Edit:
    """One literal change of a design that mends a finding.

    ``path``: the module whose constructor is called otherwise.  ``argument``: the constructor's
    parameter (``bias``, ``padding``, ``stride``, ``kernel_size``, ``in_channels`` …), or ``None``
    to take the module away.  ``value``: the literal it becomes.
    """

    path: str
    argument: str | None
    value: bool | float | str | tuple[int, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A rule's verdict on one place.

    ``path`` is the module, ``source`` the ``file:line`` of the call, ``defined`` the line that
    made the module.  ``measured`` holds the numbers that led to the verdict; ``fix`` says the
    mend in one sentence, or is None where there is none to offer.  ``edits`` are the same mend as
    literals that a machine can set, together; ``safe``: they leave what the network can compute as
    it was.
    """

    code: str
    name: str
    severity: Severity
    path: str
    message: str
    source: str | None = None
    defined: str | None = None
    measured: Mapping[str, Any] = field(default_factory=dict[str, Any])
    price: Price = field(default_factory=Price)
    fix: str | None = None
    edits: tuple[Edit, ...] = ()
    safe: bool = False

    def as_json(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "name": self.name,
            "severity": self.severity,
            "path": self.path,
            "source": self.source,
            "defined": self.defined,
            "message": self.message,
            "measured": dict(self.measured),
            "price": self.price.as_json(),
            "fix": self.fix,
            "edits": [
                {"path": edit.path, "argument": edit.argument, "value": edit.value}
                for edit in self.edits
            ],
            "safe": self.safe,
        }
