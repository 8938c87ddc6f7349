"""Mended designs always trace, always pass the rule, and never change anything else."""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import striate
from striate.arch import Arch, from_dict
from striate.checking import check
from striate.errors import ArchError
from striate.flow.check_types import Asked
from striate.flow.fix import mend
from striate.flow.fix_source import SourceDesign
from striate.records import Finding
from striate.tracing import trace

DRAWN = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@st.composite
def faulty(draw: st.DrawFn) -> Arch:
    """Networks that are too deep, strided too much, padded wrongly, biased before their norms."""
    rows: list[dict[str, Any]] = []
    for _ in range(draw(st.integers(1, 4))):
        block = draw(st.sampled_from(["conv", "conv", "basic", "bottleneck"]))
        row: dict[str, Any] = {
            "block": block,
            "depth": draw(st.integers(1, 5)),
            "width": draw(st.sampled_from([8, 16, 24])),
            "stride": draw(st.integers(1, 2)),
            "kernel": draw(st.sampled_from([1, 3, 5])),
            "dilation": draw(st.sampled_from([1, 1, 2])),
            "pool": draw(st.sampled_from([None, None, {}, {"kernel": 1, "stride": 2}])),
        }
        if block != "conv":
            row["skip"] = draw(st.sampled_from([None, False]))
        rows.append(row)
    stems = [
        {"width": 8},
        {"width": 8, "kernel": 7, "stride": 2, "pool": {}},
        {"width": 8, "stride": 2},
    ]
    data = {
        "name": "faulty", "image": [3, *draw(st.sampled_from([(24, 24), (32, 48), (64, 64)]))],
        "classes": 10, "stages": rows, "bias": draw(st.sampled_from([None, True])),
        "norm": draw(st.sampled_from(["batch", "batch", "group", "none"])),
        "head": {"size": draw(st.sampled_from([1, 1, 2]))},
        "stem": draw(st.sampled_from([None, *stems])),
    }  # fmt: skip
    try:
        return from_dict(data)
    except ArchError:
        assume(False)
        raise


def found(arch: Arch) -> list[Finding]:
    network = trace(lambda: striate.build(arch, device="meta"), arch.image)
    assert network.complete, network.failure
    return check(network)


def keys(findings: list[Finding], *, grave: bool = False) -> set[tuple[str, str]]:
    return {(f.code, f.path) for f in findings if not grave or f.severity != "info"}


@settings(DRAWN, max_examples=12)
@given(faulty(), st.booleans())
def test_architectures(arch: Arch, unsafe: bool) -> None:
    before = found(arch)
    after, mended = striate.fix(arch, unsafe=unsafe)
    left = found(after)  # it traces
    assert not keys(left) & keys(list(mended))  # and passes the rules
    assert keys(left, grave=True) <= keys(before, grave=True)
    assert (after == arch) == (not mended)
    assert unsafe or all(finding.safe for finding in mended)
    assert (after.name, after.image, after.classes) == (arch.name, arch.image, arch.classes)
    asked = {edit.argument for finding in mended for edit in finding.edits}
    changed = _changed_keys(arch, after)
    may = {
        "bias": {"bias"}, "stride": {"stride", "pool"}, "kernel_size": {"kernel", "pool"},
        "padding": {"padding", "pool"},
        "dilation": {"dilation"}, "output_size": {"size", "head"},
        # a plain block that loses one of its two convolutions becomes a row of single ones
        None: {"depth", "stages", "pool", "block", "skip"},
    }  # fmt: skip
    assert changed <= {key for argument in asked for key in may.get(argument, {argument})}
    again, more = striate.fix(after, unsafe=unsafe)
    assert (again, more) == (after, ())


def _changed_keys(before: Arch, after: Arch) -> set[str]:
    found: set[str] = set()
    old, new = before.model_dump(), after.model_dump()
    if len(old["stages"]) != len(new["stages"]):
        found.add("stages")
    for one, other in [
        (old, new), (old["stem"], new["stem"]), (old["head"], new["head"]),
        *zip(old["stages"], new["stages"], strict=False),
    ]:  # fmt: skip
        for key in one or {}:
            if key not in ("stages", "stem", "head") and one[key] != (other or {}).get(key):
                found.add(key)
    return found


CONV = st.fixed_dictionaries(
    {
        "kernel": st.sampled_from([1, 3, 5]),
        "stride": st.sampled_from([1, 1, 2]),
        "bias": st.sampled_from(["", ", bias=True", ", bias=False", ", bias=BIAS"]),
        "norm": st.booleans(),
        "multiline": st.booleans(),
        "comment": st.sampled_from(["", "  # why", "  # ünïcode"]),
        "times": st.sampled_from([1, 1, 3]),
    }
)
END = st.sampled_from(["", "            nn.Softmax(dim=1),\n", "            nn.ReLU(),\n"])


@st.composite
def sources(draw: st.DrawFn) -> str:
    """A file with one network, layer by layer."""
    lines: list[str] = []
    width = 3
    for layer in draw(st.lists(CONV, min_size=1, max_size=5)):
        out = 8 if layer["times"] == 1 else width
        call = f"nn.Conv2d({width}, {out}, {layer['kernel']}, {layer['stride']}, "
        call += f"{layer['kernel'] // 2}{layer['bias']})"
        if layer["multiline"]:
            call = call.replace("(", "(\n                ").replace(")", ",\n            )")
        if layer["times"] > 1:
            call = f"*[{call} for _ in range({layer['times']})]"
        norm = f" nn.BatchNorm2d({out})," if layer["norm"] else ""
        lines.append(f"            {call},{norm}{layer['comment']}\n            nn.ReLU(),\n")
        width = out
    return (
        "# -*- coding: utf-8 -*-\nfrom torch import nn\n\nBIAS = True\n\n\n"
        "class Net(nn.Sequential):\n    def __init__(self):\n        super().__init__(\n"
        + "".join(lines)
        + "            nn.AdaptiveAvgPool2d(1), nn.Flatten(),\n"
        + f"            nn.Linear({width}, 10),\n{draw(END)}        )\n"
    )


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@DRAWN
@given(sources(), st.booleans())
def test_sources(folder: Path, source: str, unsafe: bool) -> None:
    (folder / "nets.py").write_text(source, encoding="utf-8")
    design = SourceDesign(target="nets.py:Net", known=frozenset(sys.modules))
    done = mend(design, Asked(image="3x32x32"), unsafe=unsafe)
    assert done.after.trace.complete
    assert not keys(list(done.after.findings)) & keys(list(done.findings))
    assert keys(list(done.after.findings), grave=True) <= keys(
        list(done.before.findings), grave=True
    )
    patches = done.design.patches()
    assert bool(patches) == bool(done.findings)
    edits = {(edit.path, edit.argument) for one in done.findings for edit in one.edits}
    _same_elsewhere(done.before, done.after, {path for path, _ in edits})
    for patch in patches:
        assert patch.before.decode() == source
        _only_calls_differ(source, patch.after.decode(), {str(name) for _, name in edits})


def _same_elsewhere(before: Any, after: Any, edited: set[str]) -> None:
    """Every layer that is not edited is called as it was."""
    attrs = [
        {
            layer.path: (layer.op, layer.attrs, layer.params)
            for layer in found.trace
            if layer.path not in edited and layer.op in ("conv2d", "linear", "batch_norm")
        }
        for found in (before, after)
    ]
    assert attrs[0] == attrs[1]


def _only_calls_differ(before: str, after: str, names: set[str]) -> None:
    """Comments stay, and the syntax differs in keywords, literals and modules taken away."""
    comments = [
        [line.split("#", 1)[1] for line in t.splitlines() if "#" in line] for t in (before, after)
    ]
    assert comments[0] == comments[1]
    old, new = (
        [ast.unparse(node) for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
        for text in (before, after)
    )
    for call in set(new) - set(old):
        assert call.startswith(("nn.Conv2d(", "nn.Identity()", "super().__init__("))
    if names == {"bias"}:
        assert [call.replace(", bias=False", "").replace(", bias=True", "") for call in old] == [
            call.replace(", bias=False", "").replace(", bias=True", "") for call in new
        ]
