"""What was seen inside a network, and the measurements that say whether to believe it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Check:
    """One measurement behind a picture.  ``claim`` says in words what must hold.

    ``value`` was measured; it passes when it is on the right side of ``limit`` (``passed``).
    """

    name: str
    claim: str
    value: float
    limit: float
    passed: bool


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """One way of looking at one network.

    ``arrays``: the data of the picture, raw scale, by name.  ``facts``: plain JSON values that
    explain them (layer paths, sizes).  The picture is withheld unless every check passed.
    ``inapplicable``: one line that says why this way of looking does not apply, else None.
    """

    name: str
    title: str
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict[str, NDArray[np.float32]])
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])
    checks: tuple[Check, ...] = ()
    inapplicable: str | None = None

    @property
    def withheld(self) -> bool:
        """True when a check failed: the picture is not shown, the failing number is."""
        return any(not check.passed for check in self.checks)
