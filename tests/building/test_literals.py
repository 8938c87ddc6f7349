"""What constructors are called with, told from an architecture, against the modules themselves."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from torch import nn

from striate.arch import zoo, zoo_names
from striate.arch.literals import literals
from striate.building import build

CalledWith = Callable[[nn.Module], dict[tuple[str, str], object]]


@pytest.mark.parametrize("name", [name for name in zoo_names() if name != "preact_resnet1001"])
def test_the_table_is_that_of_the_network(name: str, called_with: CalledWith) -> None:
    assert literals(zoo(name)) == called_with(build(zoo(name), device="meta"))
