"""Receptive fields of random graphs, against the gradient.

``bench/random_steps.py`` has the steps; ``bench/fields.py`` does the same for thousands of graphs.
"""

from __future__ import annotations

import random

import pytest
import torch
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from field_checks import checks
from random_graphs import IMAGE, KINDS, Choice, Graph

numbers = st.integers(0, 10_000)
choices = st.lists(
    st.tuples(st.integers(0, KINDS - 1), numbers, numbers, numbers), min_size=1, max_size=9
)


# Torch says it once a process, of the first graph that has such a convolution.
@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
def test_fields_of_random_graphs() -> None:
    compared = {"exact": 0, "bound": 0, "whole": 0}

    @seed(20151210)
    @settings(
        max_examples=200,
        deadline=None,
        derandomize=False,
        database=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(choices)
    def holds(choices: list[Choice]) -> None:
        torch.manual_seed(len(choices))
        for check in checks(Graph(choices), IMAGE, tries=1, choose=random.Random(len(choices))):
            assert check.holds, check
            compared[check.kind] += 1

    holds()
    assert compared["exact"] > 300, "too few elements are interior for the test to mean anything"
    assert min(compared.values()) > 10
