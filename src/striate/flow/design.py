"""The Design tab of ``striate serve``: from a TOML text to what it makes, as fast as it is typed.

A design is traced and checked whole: for a ResNet-50 that takes some 45 ms, of which the half is
the building.  What was looked at last is kept, so that taking a change back costs nothing.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from striate.arch import Arch, from_dict, from_toml, scaled, to_toml
from striate.arch.lines import line_of, part_lines
from striate.arch.patching import patched_toml
from striate.building import build
from striate.checking import check
from striate.errors import ArchError, InputError
from striate.flow.check_types import Asked
from striate.flow.code import Written, code_of
from striate.flow.fix import mend
from striate.flow.fix_arch import ArchDesign
from striate.records import Finding, Totals, Trace
from striate.scaling import sides
from striate.tracing import trace

WHERE = "design"
"""What stands before the message of an architecture that cannot be."""
MOST_TEXT = 65_536
"""Characters of a TOML text."""
MOST_BLOCKS = 512
"""Blocks of a network; ResNet-1001 has 333."""
MOST_SIDE = 4096
MOST_WORK = 30_000_000
"""Blocks times pixels of the image: what some rules take memory for."""
KEPT = 32
"""Designs that were looked at last, with their traces."""


@dataclass(frozen=True, kw_only=True)
class Design:
    """What is to be shown.  ``lines``: of each finding, where in ``text`` it is to be mended."""

    text: str
    arch: Arch
    trace: Trace
    findings: tuple[Finding, ...]
    lines: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Mend:
    """A text after one finding's mend; ``refused``: why the mend was not made."""

    text: str
    gone: tuple[Finding, ...]
    refused: str | None


class Designer:
    """Looks at designs, one thread at a time."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, tuple[Trace, tuple[Finding, ...]]] = OrderedDict()

    def look(self, text: str, form: Mapping[str, Any] | None = None) -> Design:
        """The design that ``text`` says, or ``form`` (its plain data, which the text then follows).

        ArchError, in one line, for what cannot be built or is more than a page may ask for.
        """
        arch = read(text) if form is None else from_dict(form, where=WHERE)
        bounded(arch)
        if form is not None:
            text = rewritten(text, arch)
        found, findings = self._inspected(arch)
        lines = part_lines(text)
        return Design(
            text=text,
            arch=arch,
            trace=found,
            findings=findings,
            lines=tuple(line_of(lines, finding.path) for finding in findings),
        )

    def cost(self, arch: Arch) -> Totals:
        """What an architecture costs.  ArchError where it cannot be looked at."""
        bounded(arch)
        known = self._kept.get(to_toml(arch))
        return (_traced(arch) if known is None else known[0]).totals

    def _inspected(self, arch: Arch) -> tuple[Trace, tuple[Finding, ...]]:
        key = to_toml(arch)
        known = self._kept.get(key)
        if known is None:
            found = _traced(arch)
            known = found, tuple(check(found))
            self._kept[key] = known
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return known


def read(text: str) -> Arch:
    """The Arch of a TOML text; ArchError for a text that is too long too."""
    if len(text) > MOST_TEXT:
        raise ArchError(f"{WHERE}: {len(text):,} characters; {MOST_TEXT:,} are the most")
    return from_toml(text, where=WHERE)


def bounded(arch: Arch) -> None:
    """ArchError for a network that would keep the page waiting, or fill the memory."""
    blocks = sum(stage.depth for stage in arch.stages)
    _, height, width = arch.image
    if blocks > MOST_BLOCKS:
        raise ArchError(
            f"{WHERE}: {blocks:,} blocks; this page looks at {MOST_BLOCKS} at most: use striate "
            "check for more"
        )
    if max(height, width) > MOST_SIDE or blocks * height * width > MOST_WORK:
        raise ArchError(
            f"{WHERE}: images of {height}×{width} through {blocks} blocks are more than this page "
            "looks at; make them smaller, or use striate check"
        )


def rewritten(text: str, arch: Arch) -> str:
    """``text`` changed to say ``arch``, its comments kept; written anew where that cannot be."""
    try:
        return patched_toml(text, arch, where=WHERE)
    except ArchError:
        return to_toml(arch)


def resized(text: str, *, depth: float, width: float, resolution: float) -> Arch:
    """The design deeper, wider and for larger images by these factors, rounded as ``scale`` does.

    ArchError where that cannot be built.
    """
    arch = read(text)
    bounded(arch)
    height, breadth = sides(arch, resolution)
    grown = scaled(arch, name=arch.name, depth=depth, width=width, image=(height, breadth))
    bounded(grown)
    return grown


def mend_finding(text: str, code: str, path: str) -> Mend:
    """``text`` with the mend of the finding ``code`` at ``path``, traced and checked before.

    Where one key of the text says it for several places, they are mended together.  InputError
    where there is no such finding with a mend.
    """
    arch = read(text)
    bounded(arch)
    design = ArchDesign(arch=arch, where=WHERE, text=text)
    alone = frozenset({(code, path)})
    done = mend(design, Asked(), unsafe=True, only=alone)
    like = frozenset((one.code, one.path) for one in done.before.findings if one.code == code)
    if not done.findings and alone < like:
        done = mend(design, Asked(), unsafe=True, only=like)
    if done.findings:
        return Mend(text=done.design.written(), gone=done.findings, refused=None)
    for one in done.suggestions:
        if (one.finding.code, one.finding.path) == (code, path):
            return Mend(text=text, gone=(), refused=one.reason)
    raise InputError(f"{code} at {path or 'the network'}: no such finding that can be mended")


def source(text: str) -> Written:
    """The design as plain PyTorch source, run and compared with it."""
    arch = read(text)
    bounded(arch)
    return code_of(arch)


def _traced(arch: Arch) -> Trace:
    return trace(lambda: build(arch, device="meta"), arch.image, name=arch.name)
