"""``striate.testing.assert_healthy``, as a user's own tests call it."""

from __future__ import annotations

from pathlib import Path

import pytest
from torch import nn

import striate
from striate.errors import InputError, TraceError
from striate.testing import assert_healthy

HERE = (
    str(Path(__file__).relative_to(Path.cwd()))
    if Path(__file__).is_relative_to(Path.cwd())
    else __file__
)


def line_of(text: str) -> int:
    lines = Path(__file__).read_text(encoding="utf-8").splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)


class Strided(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(3, 8, 1, stride=2),  # the strided one
            nn.BatchNorm2d(8), nn.ReLU(),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 10),
        )  # fmt: skip


class Silenced(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(3, 8, 1, stride=2),  # striate: ignore[FL203]
            nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 10),
        )  # fmt: skip


def test_healthy_networks() -> None:
    assert_healthy(striate.zoo("resnet20"))
    assert_healthy(striate.build(striate.zoo("resnet20")), (3, 32, 32))
    assert_healthy(Silenced, (3, 32, 32))
    assert_healthy(Strided, (3, 32, 32), ignore=["FL203"])
    assert_healthy(Strided, (3, 32, 32), fail_on="error")
    assert_healthy(Strided, (3, 32, 32), select=["FL201"])


def test_the_text_is_the_findings() -> None:
    with pytest.raises(AssertionError) as raised:
        assert_healthy(Strided, (3, 32, 32))
    place = f"{HERE}:{line_of('# the strided one')}"
    assert str(raised.value).splitlines() == [
        "Strided at 3×32×32: 1 finding",
        f"  warning FL203 0 kernel-smaller-than-stride ({place})",
        "      a 1×1 kernel with stride 2 steps over pixels of the 32×32 map: 75 % of them are",
        "      never looked at.",
        *[line for line in str(raised.value).splitlines()[4:] if line.startswith("      ")],
    ]
    assert "mend: " in str(raised.value)


def test_severities() -> None:
    with pytest.raises(AssertionError, match="2 findings"):
        assert_healthy(Strided, (3, 32, 32), fail_on="info")
    with pytest.raises(AssertionError, match=r"^Strided at 3×32×32: 1 finding\n  warning FL203"):
        assert_healthy(Strided(), (3, 32, 32))


def test_an_architecture_has_a_size_of_its_own() -> None:
    arch = striate.zoo("plain56")
    with pytest.raises(AssertionError, match="plain56 at 3×32×32: "):
        assert_healthy(arch)
    with pytest.raises(AssertionError, match="plain56 at 3×48×48: ") as raised:
        assert_healthy(arch, (3, 48, 48))
    assert "striate/" not in str(raised.value)


def test_wrong_words() -> None:
    with pytest.raises(InputError, match="no rule is called 'FL999'"):
        assert_healthy(Strided, (3, 32, 32), ignore=["FL999"])
    with pytest.raises(InputError, match="fail_on 'warn': did you mean warning"):
        assert_healthy(Strided, (3, 32, 32), fail_on="warn")  # type: ignore[arg-type]  # a slip
    with pytest.raises(TraceError, match="takes 3 channels, and the image 1x32x32 has 1"):
        assert_healthy(Strided, (1, 32, 32))
