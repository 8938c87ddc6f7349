"""The oracle of receptive fields: which pixels have a non-zero derivative.

``bench/opened.py`` says how a network is opened for it, ``bench/field_checks.py`` compares.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from torch import nn

from field_checks import checks, hear
from striate.records import Field
from striate.tracing.fields.report import field_of


@dataclass
class Verdict:
    """``compared``: how many (element, axis) pairs; of the outputs: ``fields``, ``statuses``."""

    compared: int = 0
    fields: list[Field | None] = field(default_factory=list)

    @property
    def statuses(self) -> list[str | None]:
        return [None if one is None else one.status for one in self.fields]


Oracle = Callable[..., Verdict]


@pytest.fixture
def against_gradient() -> Oracle:
    """check(module, (C, H, W), tries=…): every output's field against the gradient."""

    def check(module: nn.Module, image: tuple[int, int, int], tries: int = 6) -> Verdict:
        module.eval()
        verdict = Verdict()
        for reach in hear(module, image)[0]:
            assert reach is not None
            verdict.fields.append(field_of(reach))
        chance = random.Random(0)
        for one in checks(module, image, tries=tries, choose=chance, strictly=False, gates=True):
            assert one.holds, one
            verdict.compared += 1
        return verdict

    return check
