"""Mends of Python source and of architectures, from the finding to the file."""

from __future__ import annotations

import builtins
import stat
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import striate
from striate.arch import from_toml
from striate.checking import check
from striate.errors import InputError, OutputError
from striate.flow.check import Inspected, inspect_target
from striate.flow.check_types import Asked
from striate.flow.fix import mend
from striate.flow.fix_arch import ArchDesign
from striate.flow.fix_files import Patch, write_patches
from striate.flow.fix_targets import FixedTarget, Mending, fix_targets
from striate.records import Edit, Finding
from striate.tracing import trace

IMAGE = "3x16x16"

NETS = '''\
"""Nets."""
import sizes
from torch import nn


def block(channels):  # each call makes one
    return nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1), nn.BatchNorm2d(channels))


class Net(nn.Sequential):
    def __init__(self):
        super().__init__(
            nn.Conv2d(3, 8, 3, padding=1),  # the first
            nn.BatchNorm2d(8), nn.ReLU(),
            *[block(8) for _ in range(3)],
            nn.Conv2d(8, 8, 1, stride=2), nn.ReLU(),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, sizes.CLASSES),
        )


def mixed(normed):
    layers = [nn.Conv2d(8, 8, 3, padding=1)]
    return nn.Sequential(*layers, *([nn.BatchNorm2d(8)] if normed else []), nn.ReLU())


class Half(nn.Sequential):
    """The line that makes the convolutions makes one whose bias is needed."""

    def __init__(self):
        super().__init__(
            nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU(),
            mixed(True), mixed(False),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 10),
        )


class Configured(nn.Sequential):
    def __init__(self, bias=True):
        super().__init__(
            nn.Conv2d(3, 8, 3, bias=bias), nn.BatchNorm2d(8), nn.ReLU(),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 10),
        )
'''


@pytest.fixture
def nets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """``nets.py`` and ``sizes.py`` in the working directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nets.py").write_text(NETS)
    (tmp_path / "sizes.py").write_text("CLASSES = 10\n")
    monkeypatch.delitem(sys.modules, "nets", raising=False)  # of another test
    known = set(sys.modules)
    yield tmp_path / "nets.py"
    for name in set(sys.modules) - known:
        if name in ("sizes", "nets") or name.startswith("striate_target_"):
            del sys.modules[name]


def fixed(
    *targets: str, unsafe: bool = False, write: bool = True, **more: Any
) -> list[FixedTarget]:
    asked = {target: Asked(image=IMAGE) for target in targets}
    known = frozenset(sys.modules)
    findings = {
        target: tuple(
            finding
            for finding in inspect_target(target, asked[target]).findings
            if finding.edits and (finding.safe or unsafe)
        )
        for target in targets
    }
    mending = Mending(
        asked=asked, findings=findings, unsafe=unsafe, write=write, known=known, **more
    )
    return list(fix_targets(targets, mending))


def codes(findings: Any) -> list[str]:
    return [finding.code for finding in findings]


def test_safe_mends_of_source(nets: Path) -> None:
    before = striate.trace  # the public name is there, whatever is mended
    assert before is trace
    (done,) = fixed("nets.py:Net")
    assert codes(done.mended) == ["PA301"] * 4
    assert done.suggestions == ()
    assert done.written
    expected = NETS.replace(
        "nn.Conv2d(channels, channels, 3, padding=1)",
        "nn.Conv2d(channels, channels, 3, padding=1, bias=False)",
    ).replace("nn.Conv2d(3, 8, 3, padding=1),  #", "nn.Conv2d(3, 8, 3, padding=1, bias=False),  #")
    assert nets.read_text() == expected
    assert done.gain is not None
    assert done.gain.params[0] - done.gain.params[1] == 4 * 8
    assert done.gain.macs[0] == done.gain.macs[1]
    assert done.gain.field == ((9, 9), (9, 9))


def test_unsafe_mends_too(nets: Path) -> None:
    (done,) = fixed("nets.py:Net", unsafe=True)
    assert sorted(set(codes(done.mended))) == ["FL203", "PA301"]
    assert "nn.Conv2d(8, 8, 3, stride=2, padding=1), nn.ReLU()," in nets.read_text()
    again = fixed("nets.py:Net", unsafe=True)
    assert again == []


def test_nothing_is_written_where_that_is_asked(nets: Path) -> None:
    (done,) = fixed("nets.py:Net", write=False)
    assert not done.written
    assert nets.read_text() == NETS
    (patch,) = done.patches
    assert patch.diff.startswith("--- nets.py\n+++ nets.py\n@@ -4,13 +4,13 @@")
    assert "+            nn.Conv2d(3, 8, 3, padding=1, bias=False),  # the first\n" in patch.diff


def test_a_package_and_its_name(nets: Path) -> None:
    (done,) = fixed("nets:Net")
    assert done.written
    assert nets.read_text().count("bias=False") == NETS.count("bias=False") + 2


@pytest.mark.parametrize(
    ("net", "reason"),
    [
        ("Half", "nets.py line 22 makes 2 modules of Conv2d, of which some do not ask for this"),
        ("Configured", "nets.py line 40: Conv2d: bias is bias, which is not a literal"),
    ],
)
def test_what_is_left_to_its_owner(nets: Path, net: str, reason: str) -> None:
    (done,) = fixed(f"nets.py:{net}")
    assert codes(done.mended) == []
    (suggestion,) = done.suggestions
    assert suggestion.finding.code == "PA301"
    assert suggestion.reason == reason
    assert nets.read_text() == NETS


def test_another_target_must_be_no_worse(nets: Path) -> None:
    """What mends one network breaks another that is made by the same line."""
    shared = """\
from torch import nn


def act():
    return nn.Softmax(dim=1)


class Probable(nn.Sequential):
    def __init__(self):
        super().__init__(
            nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
            nn.Linear(8, 10), act(),
        )


class Attending(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Conv2d(3, 8, 3), nn.Linear(8, 10)
        self.share = act()
        assert isinstance(self.share, nn.Softmax)

    def forward(self, image):
        maps = self.first(image).relu()
        return self.last((maps * self.share(maps)).mean((2, 3)))
"""
    nets.write_text(shared)
    alone = fixed("nets.py:Probable", unsafe=True, write=False)
    assert codes(alone[0].mended) == ["NA505"]
    together = fixed("nets.py:Probable", "nets.py:Attending", unsafe=True)
    assert codes(together[0].mended) == []
    (suggestion,) = together[0].suggestions
    assert suggestion.reason.startswith("nets.py:Attending shares its source: ")
    assert nets.read_text() == shared


def test_code_that_can_be_imported_once(nets: Path) -> None:
    """It registers something, say.  Nothing of it can be tried, and it is left as it is."""
    once = "import builtins\nassert not hasattr(builtins, 'once')\nbuiltins.once = 1\n"
    nets.write_text(NETS.replace("import sizes\n", f"import sizes\n{once}"))
    try:
        (done,) = fixed("nets.py:Net")
    finally:
        del vars(builtins)["once"]
    assert codes(done.mended) == []
    assert len(done.suggestions) == 4
    reason = done.suggestions[0].reason
    assert reason.startswith("it cannot be tried: nets.py:Net: raised AssertionError at ")
    assert reason.endswith("nets.py:4: no message")


def test_a_run_is_what_it_was_trained_as(nets: Path) -> None:
    nets.with_name("run.json").write_text("{}")
    finding = Finding(code="PA301", name="n", severity="info", path="x", message="m")
    mending = Mending(
        asked={".": Asked()}, findings={".": (finding,)}, unsafe=True, write=True,
        known=frozenset(),
    )  # fmt: skip
    (done,) = fix_targets(["."], mending)
    (suggestion,) = done.suggestions
    assert suggestion.reason.startswith("a run keeps the network it was trained as")


def test_a_file_that_changed_meanwhile(nets: Path) -> None:
    patch = Patch(file=nets, before=b"what it held when it was read", after=b"mended")
    with pytest.raises(OutputError, match=r"nets\.py: was changed meanwhile; run it again"):
        write_patches([patch])
    assert nets.read_text() == NETS


def test_files_are_written_together_or_not_at_all(
    nets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = nets.with_name("sizes.py")
    patches = [Patch(file=file, before=file.read_bytes(), after=b"new\n") for file in (nets, sizes)]
    import striate.runs.atomic as atomic

    real = atomic.atomic_write

    def fails(path: Path, data: bytes) -> None:
        if path.name == "sizes.py":
            raise OutputError(f"{path}: no space left on the device")
        real(path, data)

    monkeypatch.setattr(atomic, "atomic_write", fails)
    with pytest.raises(OutputError, match="no space left"):
        write_patches(patches)
    assert nets.read_text() == NETS
    assert sizes.read_text() == "CLASSES = 10\n"


def test_permissions_and_links_stay(nets: Path, tmp_path: Path) -> None:
    nets.chmod(0o750)
    (tmp_path / "elsewhere").mkdir()
    real = nets.rename(tmp_path / "elsewhere" / "real.py")
    nets.symlink_to(real)
    nets.with_name("sizes.py").rename(real.with_name("sizes.py"))
    (done,) = fixed("nets.py:Net")
    assert done.written
    assert nets.is_symlink()
    assert real.read_text().count("bias=False") == NETS.count("bias=False") + 2
    assert stat.S_IMODE(real.stat().st_mode) == 0o750
    assert not list(tmp_path.rglob("*.part"))


def test_modules_are_as_they_were(nets: Path) -> None:
    """Trying mends imports the user's code anew, and leaves no trace of it."""
    asked = {"nets:Net": Asked(image=IMAGE)}
    found = inspect_target("nets:Net", asked["nets:Net"]).findings
    module, sizes = sys.modules["nets"], sys.modules["sizes"]
    known = frozenset(set(sys.modules) - {"nets", "sizes"})
    findings = {"nets:Net": tuple(one for one in found if (one.code, one.path) == ("PA301", "0"))}
    mending = Mending(asked=asked, findings=findings, unsafe=False, write=False, known=known)
    (done,) = fix_targets(["nets:Net"], mending)
    assert codes(done.mended) == ["PA301"]
    assert sys.modules["nets"] is module
    assert sys.modules["sizes"] is sizes
    assert not list(nets.parent.rglob("*.part"))


@pytest.mark.parametrize(
    ("edit", "after", "reason"),
    [
        (("head.pool", "output_size", 4), None, None),
        (("head.pool", "output_size", 4), "x", "PA301 would still be found at x"),
        (("head.pool", "output_size", 4), "y", "PA301 would be found elsewhere"),
        (("stages.0.blocks.0.conv", "stride", 8), None, "FL203 kernel-smaller-than-stride would"),
        (("stem.conv", "stride", 40), None, "mine: stage 1 would make a 0x0 map"),
        (("stem.conv", "padding_mode", "reflect"), None, "has no key for reflect"),
    ],
)
def test_whatever_a_rule_says_is_tried_first(
    edit: tuple[str, str, Any], after: str | None, reason: str | None
) -> None:
    """A mend that holds, and those that leave a finding, move it, make things worse, cannot be."""
    arch = from_toml(TOML.replace("true", "false") + "[stem]\nwidth = 16\nstride = 2\n")
    path, argument, value = edit
    said = Finding(
        code="PA301", name="n", severity="info", path="x", message="m",
        edits=(Edit(path=path, argument=argument, value=value),), safe=True,
    )  # fmt: skip

    class Mistaken(ArchDesign):
        def inspected(self, asked: Asked) -> Inspected:
            found = super().inspected(asked)
            place = "x" if self.arch == arch else after
            more = () if place is None else (replace(said, path=place),)
            return replace(found, findings=(*found.findings, *more))

    only = frozenset({("PA301", "x")})
    done = mend(Mistaken(arch=arch, where="mine"), Asked(), unsafe=False, only=only)
    if reason is None:
        assert done.findings == (said,)
        assert done.design.arch.head.size == 4
        return
    assert (done.findings, done.design.arch) == ((), arch)
    (suggestion,) = done.suggestions
    assert reason in suggestion.reason


TOML = """\
name = "mine" # a name
image = [3, 32, 32]
classes = 10
bias = true # why not

[[stages]]
block = "conv"
depth = 2
width = 16
pool = {}

[[stages]]
block = "conv"
depth = 5 # deep
width = 16
"""


def test_mends_of_toml(nets: Path) -> None:
    file = nets.with_name("design.toml")
    file.write_text(TOML)
    (done,) = fixed("design.toml")
    assert set(codes(done.mended)) == {"PA301"}
    assert file.read_text() == TOML.replace("bias = true", "bias = false")
    assert done.gain is not None
    params = [
        trace(striate.build(from_toml(text), device="meta"), (3, 16, 16)).totals.params
        for text in (TOML, file.read_text())
    ]
    assert list(done.gain.params) == params


def test_a_zoo_name_has_no_file(nets: Path) -> None:
    (done,) = fixed("plain56", unsafe=True)
    assert done.note == "plain56 is a name of the zoo and has no file; --out FILE.toml writes one"
    assert codes(done.mended) == ["FL201"]
    out = nets.with_name("mended.toml")
    (done,) = fixed("plain56", unsafe=True, out=out)
    assert done.written
    after = from_toml(out.read_text())
    found = check(trace(striate.build(after, device="meta"), (3, 16, 16)))
    assert "FL201" not in codes(found)
    with pytest.raises(OutputError, match=r"mended\.toml: exists already; choose another --out"):
        fixed("plain56", unsafe=True, out=out)


def test_out_is_for_one_architecture(nets: Path) -> None:
    with pytest.raises(InputError, match="--out x: holds one network; mend one TARGET at a time"):
        fixed("plain20", "plain56", out=Path("x"))
    with pytest.raises(InputError, match=r"--out x: is for architectures; nets\.py:Net is Python"):
        fixed("nets.py:Net", out=Path("x"))


def test_fix_from_python() -> None:
    arch = from_toml(TOML)
    mended, findings = striate.fix(arch)
    assert mended == from_toml(TOML.replace("bias = true", "bias = false"))
    assert len(findings) == 7
    assert striate.fix(mended) == (mended, ())
    deep, findings = striate.fix(arch, image=(3, 12, 12), unsafe=True, select=["FL201"])
    assert codes(findings) == ["FL201"]
    assert (deep.bias, deep.image, deep.stages[0]) == (True, (3, 32, 32), arch.stages[0])
    depth = deep.stages[1].depth
    assert 1 <= depth < 5
    for layers, expected in ((depth, []), (depth + 1, ["FL201"])):  # no layer more than must go
        row = arch.stages[1].model_copy(update={"depth": layers})
        other = arch.model_copy(update={"stages": (arch.stages[0], row)})
        network = trace(striate.build(other, device="meta"), (3, 12, 12))
        assert codes(check(network, select=["FL201"])) == expected
    with pytest.raises(InputError, match="no rule is called 'XY'"):
        striate.fix(arch, select=["XY"])


def test_mend_gives_up_what_comes_back() -> None:
    """A design that is mended into itself is not mended for ever."""

    class Stuck:
        def mended(self, edits: Any, found: Any) -> Stuck:
            return self

        def inspected(self, asked: Asked) -> Any:
            return inspect_target("plain56", asked)

    done = mend(Stuck(), Asked(), unsafe=True)
    assert done.findings == ()
    assert [one.reason for one in done.suggestions] == [
        f"FL201 would still be found at {one.finding.path}" for one in done.suggestions
    ]
    assert done.suggestions
