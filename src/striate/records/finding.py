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
class Finding:
    """A rule's verdict on one place.

    ``path`` is the module, ``source`` the ``file:line`` of the call, ``defined`` the line that
    made the module.  ``measured`` holds the numbers that led to the verdict; ``fix`` says the
    mend in one sentence, or is None where there is none to offer.
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
        }
