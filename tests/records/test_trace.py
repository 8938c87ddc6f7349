"""A trace in Python: by path, by module, by op, printed, and in a notebook."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from torch import nn

from striate.errors import InputError
from striate.records import Trace
from striate.records.portion import prefixes


def test_by_path(traced: tuple[nn.Module, Trace]) -> None:
    """Everything in a module, against the module's own parameters."""
    module, trace = traced
    seen: set[int] = set()
    for path, part in module.named_children():
        own = {id(p): p.numel() for p in part.parameters() if id(p) not in seen}
        seen |= set(own)
        if any(path in prefixes(layer.path) for layer in trace):
            assert trace[path].params == sum(own.values())


def test_by_path_takes_whole_names_only() -> None:
    from striate.tracing import trace

    net = nn.Sequential(*(nn.Conv2d(3, 3, 1) for _ in range(12)))
    found = trace(net, (3, 8, 8))
    assert [layer.path for layer in found["1"]] == ["1"]
    assert len(found["1"]) == 1


def test_a_path_that_there_is_not(resnet20: Trace) -> None:
    with pytest.raises(InputError) as caught:
        resnet20["stages.0.blocks.0.conv9"]
    assert str(caught.value) == (
        "no layer of resnet20 is in 'stages.0.blocks.0.conv9'; did you mean "
        "stages.0.blocks.0.conv2?"
    )


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_by_module_leaves_nothing_out(traced: tuple[nn.Module, Trace], depth: int) -> None:
    module, trace = traced
    parts = trace.by_module(depth)
    assert [layer for part in parts for layer in part] == list(trace.layers)
    assert sum(part.params for part in parts) == sum(p.numel() for p in module.parameters())
    assert sum(part.macs for part in parts) == trace.totals.macs
    assert all(part.path.count(".") < depth for part in parts)


def test_by_module_names_classes(alternating: Trace) -> None:
    assert [part.module for part in alternating.by_module(2)][2:5] == ["Block", "Gate", "Block"]


def test_by_module_counts_from_one(resnet20: Trace) -> None:
    with pytest.raises(InputError, match="depth 0: modules are counted from 1"):
        resnet20.by_module(0)


def test_find(resnet20: Trace) -> None:
    assert len(resnet20.find("conv2d")) == 19
    assert len(resnet20.find("conv2d", "linear")) == 20
    assert resnet20.find("conv3d") == ()


def test_printed(resnet20: Trace, stopped: Trace) -> None:
    assert repr(resnet20) == (
        "Trace('resnet20', 3×32×32, 76 layers, 269,722 params, 40,551,040 MACs)"
    )
    assert repr(stopped).endswith("incomplete)")
    assert str(resnet20).startswith("layer ")
    assert "269,722 parameters" in str(resnet20)
    assert "stopped at second" in str(stopped)
    assert repr(resnet20["head"]) == "Portion('head', 3 layers, 650 params, 640 MACs)"


class Balanced(HTMLParser):
    """Every tag that opens is closed in its turn; text and tags are kept."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_in_a_notebook(traced: tuple[nn.Module, Trace]) -> None:
    _, trace = traced
    read = Balanced()
    read.feed(trace._repr_html_())
    assert read.open == []
    assert read.tags.count("tr") == len(trace.table().splitlines())
    assert len(trace._repr_html_()) < 60_000
    assert f"{trace.totals.params:,} parameters" in "".join(read.text)


def test_in_a_notebook_names_are_text(stopped: Trace) -> None:
    shown = stopped._repr_html_()
    assert "&lt;b&gt;stops&lt;/b&gt;" in shown
    assert "<b>" not in shown
