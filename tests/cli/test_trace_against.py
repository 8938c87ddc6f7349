"""``striate trace --against``: totals side by side, then what was changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from torch import nn

from striate.cli.trace_against import changes, folded, ratio
from striate.flow.against import compare
from striate.tracing import trace

Striate = Callable[..., Any]


def lines(old: nn.Module, new: nn.Module) -> list[str]:
    found = compare(trace(old, (3, 32, 32)), trace(new, (3, 32, 32)))
    return [f"{line.kind} {line.path}: {line.says}" for line in folded(list(changes(found)))]


class Block(nn.Module):
    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(width)

    def forward(self, x: Any) -> Any:
        return x + self.norm(self.conv(x)).relu()


def test_added_modules_are_one_line_and_repetitions_fold() -> None:
    stem = nn.Conv2d(3, 8, 1)
    head = nn.Conv2d(8, 2, 1)
    old = nn.Sequential(stem, Block(), head)
    new = nn.Sequential(stem, Block(), Block(), Block(), head)
    assert lines(old, new) == [
        "added 2–3 ×2: Block · out 8×32×32 · 592 params · 590k MACs",
        "changed 4: was 2 · field 3 → 7",
    ]


def test_a_width_is_said_where_it_was_changed() -> None:
    """The norm and the activation behind it follow; the next convolution takes another width."""
    old = nn.Sequential(nn.Conv2d(3, 8, 1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 4, 1))
    new = nn.Sequential(nn.Conv2d(3, 9, 1), nn.BatchNorm2d(9), nn.ReLU(), nn.Conv2d(9, 4, 1))
    assert lines(old, new) == [
        "changed 0: output 8×32×32 → 9×32×32 · params 32 → 36 · MACs 24.6k → 27.6k",
        "changed 3: params 36 → 40 · MACs 32.8k → 36.9k",
    ]


def test_a_norm_of_its_own_is_said() -> None:
    old = nn.Sequential(nn.Conv2d(3, 8, 1), nn.BatchNorm2d(8))
    new = nn.Sequential(nn.Conv2d(3, 8, 1), nn.BatchNorm2d(8, affine=False))
    assert lines(old, new) == ["changed 1: params 16 → 0"]
    bare = nn.Sequential(nn.Conv2d(3, 8, 1))
    assert lines(old, bare) == ["removed 1: batch_norm · out 8×32×32 · 16 params"]


def test_fields_that_grow_alike_are_one_line() -> None:
    rest = [nn.Conv2d(8, 8, 3, padding=1) for _ in range(4)]
    old = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), *rest)
    new = nn.Sequential(nn.Conv2d(3, 8, 7, padding=3), *rest)
    assert lines(old, new)[1:] == ["changed 1 … 4 (4 layers): field 4 px larger"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [(100, 186, "+86 %"), (1000, 968, "−3.2 %"), (10**6, 10**6 - 400, "−0.04 %"),
     (7, 7, "the same"), (0, 0, "the same"), (0, 9, ""), (10, 100, "×10"), (100, 99, "−1.0 %")],
)  # fmt: skip
def test_changes_of_totals(old: int, new: int, said: str) -> None:
    assert ratio(old, new) == said


def test_in_a_terminal_of_eighty_columns(striate: Striate) -> None:
    done = striate("trace", "resnet18", "--against", "resnet34", env={"COLUMNS": "80"})
    assert max(len(line.rstrip()) for line in done.out.splitlines()) <= 80
    assert "+ stages.2.blocks.2–5 ×4  BasicBlock" in done.out
    assert "+86 %" in done.out
    assert "56 added, 0 removed" in done.out


def test_nothing_differs(striate: Striate) -> None:
    done = striate("trace", "tiny.toml", "--against", "tiny.toml")
    assert "no layer differs" in done.out
    assert "the same" in done.out


def test_json(striate: Striate, tmp_path: Path) -> None:
    done = striate("trace", "resnet20", "--against", "plain20", "--json")
    document = json.loads(done.out)["against"]
    assert document["target"] == "plain20"
    assert {one["change"] for one in document["layers"]} == {"removed"}
    assert "removed" in done.err
    striate("trace", "resnet20", "--against", "plain20", "--json", "--out", "changes.json")
    assert json.loads((tmp_path / "changes.json").read_text())["against"] == document


def test_a_target_that_fails(striate: Striate, tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(
        "from torch import nn\n\n\nclass Net(nn.Sequential):\n    def __init__(self):\n"
        "        super().__init__(nn.Conv2d(1, 8, 3), nn.Conv2d(9, 8, 3))\n"
    )
    error = striate("trace", "tiny.toml", "--against", "net.py:Net").error
    assert error.startswith("net.py:Net: stopped at 1 (conv2d")


def test_a_network_without_a_size_takes_the_others(striate: Striate, tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(
        "from torch import nn\n\n\ndef net():\n    return nn.Conv2d(1, 8, 3)\n"
    )
    for pair in (("tiny.toml", "net.py:net"), ("net.py:net", "tiny.toml")):
        document = json.loads(striate("trace", pair[0], "--against", pair[1], "--json").out)
        assert document["image"] == document["against"]["image"] == [1, 8, 8]
