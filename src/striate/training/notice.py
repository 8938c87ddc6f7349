"""Something a person should be told while training, and that changes no number."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Notice:
    """One line, for example that a broken checkpoint was passed over."""

    text: str
