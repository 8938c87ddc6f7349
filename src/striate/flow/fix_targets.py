"""``striate check --fix``: TARGETs mended, one after the other, each in the files it is made of."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from striate.checking import codes_of
from striate.errors import InputError, Interrupted, StriateError
from striate.flow.check import Asked, Checked, Inspected, inspect_target, refuse
from striate.flow.fix import Mended, Suggestion, everything_of, mend, objection
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

    ``checked``: what is still found.  ``mended``: what is not any more.  ``suggestions``: mends
    that could not be made, and why.  ``patches``: what files become; ``written`` says that they
    did.  ``note``: why nothing was written, where something would have been.
    """

    checked: Checked
    mended: tuple[Finding, ...] = ()
    suggestions: tuple[Suggestion, ...] = ()
    gain: Gain | None = None
    patches: tuple[Patch, ...] = ()
    written: bool = False
    note: str | None = None


def fix_targets(
    targets: Sequence[str],
    asked: Mapping[str, Asked],
    *,
    unsafe: bool,
    write: bool,
    out: Path | None = None,
) -> Iterator[FixedTarget]:
    """Mend each TARGET in turn; one that cannot be checked does not keep the rest from it.

    ``asked``: how each is checked.  ``unsafe``: also make mends that change what the network can
    compute.  Without ``write`` nothing is.  ``out``: where the TOML of a zoo name goes.  A mend of
    source that other targets share is kept only if they are no worse for it.
    """
    for target in targets:
        refuse(asked[target])
    if out is not None and len(targets) > 1:
        raise InputError(f"--out {out}: holds one network; mend one TARGET at a time")
    known = frozenset(sys.modules)
    for target in targets:
        try:
            if module_of(target) is not None:
                if out is not None:
                    raise InputError(f"--out {out}: is for architectures; {target} is Python")
                others = [other for other in targets if other != target and module_of(other)]
                yield _source(target, asked, others, known, unsafe=unsafe, write=write)
            else:
                yield _network(target, asked[target], out, unsafe=unsafe, write=write)
        except Interrupted:
            raise
        except StriateError as error:
            yield FixedTarget(checked=Checked(target=target, error=str(error)))


def _network(
    text: str, asked: Asked, out: Path | None, *, unsafe: bool, write: bool
) -> FixedTarget:
    """A TARGET that is an architecture, or somebody else's network, which nobody can mend."""
    target = resolve(text)
    if target.arch is None:
        return FixedTarget(checked=_checked(text, inspect_target(target, asked), asked))
    first = design_of(target)
    done: Mended[ArchDesign] = mend(first, asked, unsafe=unsafe)
    patches = done.design.patches(first, out)
    note = None
    if write and patches:
        write_patches(patches)
    elif done.findings and not patches:
        note = f"{text} is a name of the zoo and has no file; --out FILE.toml writes one"
    return _told(text, done, asked, patches, written=write and bool(patches), note=note)


def _source(
    text: str,
    asked: Mapping[str, Asked],
    others: Sequence[str],
    known: frozenset[str],
    *,
    unsafe: bool,
    write: bool,
) -> FixedTarget:
    done: Mended[SourceDesign] = mend(
        SourceDesign(target=text, known=known), asked[text], unsafe=unsafe
    )
    patches = done.design.patches()
    worse = _worse(done.design, patches, others, asked)
    if worse is not None:
        refused = tuple(Suggestion(finding=finding, reason=worse) for finding in done.findings)
        done = replace(done, after=done.before, findings=(), suggestions=refused)
        patches = ()
    if write and patches:
        write_patches(patches)
    return _told(text, done, asked[text], patches, written=write and bool(patches), note=None)


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
    asked: Asked,
    patches: tuple[Patch, ...],
    *,
    written: bool,
    note: str | None,
) -> FixedTarget:
    gone = bool(done.findings)
    return FixedTarget(
        checked=_checked(text, done.after if written else done.before, asked),
        mended=done.findings,
        suggestions=done.suggestions,
        gain=_gain(done.before.trace, done.after.trace) if gone else None,
        patches=patches,
        written=written,
        note=note,
    )


def _checked(text: str, found: Inspected, asked: Asked) -> Checked:
    """What was found, of the rules that were asked for."""
    wanted = codes_of(asked.select or ("all",), "select") - codes_of(asked.ignore, "ignore")
    return Checked(
        target=text,
        image=found.trace.image,
        findings=tuple(finding for finding in found.findings if finding.code in wanted),
        unknown=found.trace.unknown,
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
