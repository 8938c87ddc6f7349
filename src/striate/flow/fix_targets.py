"""``striate check --fix``: TARGETs mended, one after the other, each in the files it is made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from striate.errors import ArchError, InputError, StriateError, TargetError, TraceError
from striate.flow.check import is_run_folder
from striate.flow.check_types import Asked
from striate.flow.fix import Mended, Only, Suggestion, everything_of, mend, objection
from striate.flow.fix_arch import ArchDesign, design_of
from striate.flow.fix_files import Patch, write_patches
from striate.flow.fix_source import SourceDesign
from striate.flow.targets import module_of, resolve
from striate.records import Finding, Trace


@dataclass(frozen=True, kw_only=True)
class Gain:
    """What mends changed: parameters, MACs, and the field (h, w) of the last convolution in pixels.

    Each is a pair, before and after; ``field`` is None where one of them has none.
    """

    params: tuple[int, int]
    macs: tuple[int, int]
    field: tuple[tuple[int, int], tuple[int, int]] | None


@dataclass(frozen=True, kw_only=True)
class FixedTarget:
    """A TARGET after its mends.

    ``mended``: the findings that are gone.  ``suggestions``: mends that could not be made, and why.
    ``patches``: what files become; ``written`` says that they did.  ``note``: why nothing was
    written, where something would have been.
    """

    target: str
    mended: tuple[Finding, ...] = ()
    suggestions: tuple[Suggestion, ...] = ()
    gain: Gain | None = None
    patches: tuple[Patch, ...] = ()
    written: bool = False
    note: str | None = None


@dataclass(frozen=True, kw_only=True)
class Mending:
    """How mends are made.

    ``asked``: how each TARGET is checked.  ``findings``: those of each that may be mended.
    ``unsafe``: also make mends that change what the network can compute.  ``write``: into the
    files.  ``out``: where the TOML of a zoo name goes.  ``known``: modules that were imported
    before the first TARGET was.
    """

    asked: Mapping[str, Asked]
    findings: Mapping[str, tuple[Finding, ...]]
    unsafe: bool
    write: bool
    known: frozenset[str]
    out: Path | None = None

    def only(self, target: str) -> Only:
        """Which they are, by rule and path."""
        return frozenset((finding.code, finding.path) for finding in self.findings[target])


def fix_targets(targets: Sequence[str], mending: Mending) -> Iterator[FixedTarget]:
    """Mend each TARGET in turn.

    A mend of source that other targets share is kept only if they are no worse for it.
    """
    out = mending.out
    if out is not None and len(targets) > 1:
        raise InputError(f"--out {out}: holds one network; mend one TARGET at a time")
    for target in targets:
        if not mending.findings[target]:
            continue
        if out is not None and module_of(target) is not None:
            raise InputError(f"--out {out}: is for architectures; {target} is Python")
        others = [other for other in targets if other != target and module_of(other)]
        try:
            if is_run_folder(target):
                reason = "a run keeps the network it was trained as; mend its design and train that"
                yield _left(target, mending, reason)
            elif module_of(target) is not None:
                yield _source(target, others, mending)
            else:
                yield _network(target, mending)
        except (TargetError, ArchError, TraceError) as error:
            yield _left(target, mending, f"it cannot be tried: {error}")


def _left(target: str, mending: Mending, reason: str) -> FixedTarget:
    """A target of which nothing can be mended."""
    suggestions = tuple(
        Suggestion(finding=finding, reason=reason) for finding in mending.findings[target]
    )
    return FixedTarget(target=target, suggestions=suggestions)


def _network(text: str, mending: Mending) -> FixedTarget:
    """A TARGET that is an architecture, or somebody else's network, which nobody can mend."""
    target = resolve(text)
    asked = mending.asked[text]
    if target.arch is None:
        return _left(text, mending, f"{text} is not among your sources")
    first = design_of(target)
    done: Mended[ArchDesign] = mend(first, asked, unsafe=mending.unsafe, only=mending.only(text))
    patches = done.design.patches(first, mending.out)
    note = None
    if done.findings and not patches:
        note = f"{text} is a name of the zoo and has no file; --out FILE.toml writes one"
    return _told(text, done, patches, mending, note)


def _source(text: str, others: Sequence[str], mending: Mending) -> FixedTarget:
    done: Mended[SourceDesign] = mend(
        SourceDesign(target=text, known=mending.known),
        mending.asked[text],
        unsafe=mending.unsafe,
        only=mending.only(text),
    )
    patches = done.design.patches()
    worse = _worse(done.design, patches, others, mending.asked)
    if worse is not None:
        refused = tuple(Suggestion(finding=finding, reason=worse) for finding in done.findings)
        done = replace(done, after=done.before, findings=(), suggestions=refused)
        patches = ()
    return _told(text, done, patches, mending, None)


def _worse(
    design: SourceDesign,
    patches: Sequence[Patch],
    others: Sequence[str],
    asked: Mapping[str, Asked],
) -> str | None:
    """Why another target could not live with the patches; None where all can."""
    files = {patch.file for patch in patches}
    for text in others if files else ():
        other = SourceDesign(target=text, known=design.known)
        question = everything_of(asked[text])
        try:
            before = other.inspected(question)
        except StriateError:
            continue  # it is broken as it is, and says so in its turn
        if not files & other.held.keys():
            continue
        try:
            after = replace(other, changed=design.changed).inspected(question)
        except StriateError as error:
            return f"{text} shares its source: {error}"
        problem = objection(before, after)
        if problem is not None:
            return f"{text} shares its source: {problem}"
    return None


def _told(
    text: str,
    done: Mended[ArchDesign] | Mended[SourceDesign],
    patches: tuple[Patch, ...],
    mending: Mending,
    note: str | None,
) -> FixedTarget:
    written = mending.write and bool(patches)
    if written:
        write_patches(patches)
    return FixedTarget(
        target=text,
        mended=done.findings,
        suggestions=done.suggestions,
        gain=_gain(done.before.trace, done.after.trace) if done.findings else None,
        patches=patches,
        written=written,
        note=note,
    )


def _gain(before: Trace, after: Trace) -> Gain:
    fields = (_field(before), _field(after))
    return Gain(
        params=(before.totals.params, after.totals.params),
        macs=(before.totals.macs, after.totals.macs),
        field=None if fields[0] is None or fields[1] is None else (fields[0], fields[1]),
    )


def _field(trace: Trace) -> tuple[int, int] | None:
    """The field of the last convolution, where it is known."""
    for layer in reversed(trace.layers):
        if layer.op == "conv2d" and layer.field is not None:
            return layer.field.size if layer.field.status in ("exact", "bound") else None
    return None
