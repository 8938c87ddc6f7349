"""Architectures mended: in Python (``striate.fix``), or in their TOML with its comments kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from striate.arch import Arch, to_toml
from striate.arch.mending import mended
from striate.arch.patching import patched_toml
from striate.flow.check import Inspected, inspect_target
from striate.flow.check_places import placed
from striate.flow.check_types import Asked
from striate.flow.fix import Mended, mend
from striate.flow.fix_files import Patch
from striate.flow.targets import Target, from_arch
from striate.records import Edit, Finding


@dataclass(frozen=True, kw_only=True)
class ArchDesign:
    """An architecture and, where it has a file, what stands in it.

    ``where``: the TARGET.  ``text``: the TOML that says ``arch``, or None for one without a file.
    """

    arch: Arch
    where: str
    text: str | None = None

    def mended(self, edits: Sequence[Edit], found: Inspected) -> ArchDesign:
        """A copy with the edits made; ArchError names one that an architecture cannot say."""
        del found
        arch = mended(self.arch, edits)
        text = None if self.text is None else patched_toml(self.text, arch, where=self.where)
        return replace(self, arch=arch, text=text)

    def inspected(self, asked: Asked) -> Inspected:
        """It traced and checked."""
        found = inspect_target(from_arch(self.arch, "" if self.text else self.where), asked)
        target = from_arch(self.arch, self.where)
        return replace(found, target=target, findings=placed(found.findings, target, self.text))

    def patches(self, first: ArchDesign, out: Path | None = None) -> tuple[Patch, ...]:
        """What ``first``'s file would become, or ``out`` instead; none for a zoo name without."""
        before, after = (design.written().encode() for design in (first, self))
        if before == after:
            return ()
        if out is not None:
            return (Patch(file=out, before=before, after=after, new=True),)
        if self.text is None:
            return ()
        return (Patch(file=Path(self.where), before=before, after=after),)

    def written(self) -> str:
        """The TOML that says it, as its owner wrote it."""
        return to_toml(self.arch) if self.text is None else self.text


def design_of(target: Target) -> ArchDesign:
    """What of an architecture's TARGET is to be mended."""
    assert target.arch is not None
    text = Path(target.text).read_bytes().decode() if target.text.endswith(".toml") else None
    return ArchDesign(arch=target.arch, where=target.text, text=text)


class Fixed(NamedTuple):
    """An architecture after its mends, and the findings that are gone with them."""

    arch: Arch
    mended: tuple[Finding, ...]


def fix(
    arch: Arch,
    *,
    image: Sequence[int] | None = None,
    select: Sequence[str] = (),
    ignore: Sequence[str] = (),
    unsafe: bool = False,
) -> Fixed:
    """``arch`` with every mend made that holds, and what was mended.

    Each mend is traced and checked before it is kept: what it mends is gone, nothing new of
    warning severity or above is found, and the output has the shape it had.

    ``image``: (C, H, W) or (H, W) it is looked at with, by default its own; the architecture that
    comes back keeps its own.  ``select``, ``ignore``: rules, as in ``striate.check``.  ``unsafe``:
    also the mends that change what the network can compute (a stride, a kernel, a layer less).
    Raises ArchError for an image that the network cannot take, InputError for an unknown rule.

    >>> from striate import Arch, fix
    >>> from striate.arch import Stage
    >>> arch = Arch(
    ...     name="n", image=(3, 32, 32), classes=10, bias=True,
    ...     stages=(Stage(block="conv", depth=2, width=16),),
    ... )
    >>> mended, findings = fix(arch)
    >>> mended.bias, [finding.code for finding in findings]
    (False, ['PA301', 'PA301'])
    """
    size = None if image is None else "x".join(map(str, image))
    asked = Asked(image=size, select=tuple(select), ignore=tuple(ignore))
    done: Mended[ArchDesign] = mend(ArchDesign(arch=arch, where=arch.name), asked, unsafe=unsafe)
    return Fixed(done.design.arch, done.findings)
