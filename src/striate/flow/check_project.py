"""``striate check`` as a whole: settings, targets, comments, baseline, mends."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from striate.checking import codes_of
from striate.errors import InputError
from striate.flow.check import check_targets
from striate.flow.check_baseline import compare, known_of, read_baseline, written
from striate.flow.check_comments import silence
from striate.flow.check_config import Config
from striate.flow.check_types import Asked, Checked
from striate.records import Finding

if TYPE_CHECKING:
    from striate.flow.fix_targets import FixedTarget

Mends = Literal["none", "safe", "all"]


@dataclass(frozen=True, kw_only=True)
class Request:
    """What one call of ``striate check`` is asked.

    ``targets``: none for those of ``config``.  ``given``: what the command line says of how they
    are checked.  ``mends``: which are made; ``write``: into the files, and not only shown; ``out``:
    where that of a zoo name goes.  ``baseline``: accepted findings; ``accept``: write them anew.
    ``cache``: take and keep remembered results.
    """

    config: Config
    targets: tuple[str, ...] = ()
    given: Mapping[str, Any] = field(default_factory=dict[str, Any])
    mends: Mends = "none"
    write: bool = True
    out: Path | None = None
    baseline: Path | None = None
    accept: bool = False
    cache: bool = True


@dataclass(frozen=True, kw_only=True)
class Report:
    """What came of it.

    ``checked``: each target with the findings that count.  ``fixed``: what was mended.
    ``silenced``: findings left out by comments and per path; ``accepted``: by the baseline.
    ``notes``: lines that should be known.
    """

    checked: tuple[Checked, ...]
    fixed: tuple[FixedTarget, ...] = ()
    silenced: int = 0
    accepted: int = 0
    notes: tuple[str, ...] = ()


def check_project(request: Request) -> Report:
    """Check, and mend where that is asked for; InputError for what cannot be asked.

    A target that cannot be checked is in the report with its error; the others are checked.
    """
    targets = tuple(dict.fromkeys(request.targets or request.config.targets))
    if not targets:
        raise InputError(
            "no TARGET; name one, for example striate check resnet18, or list them as targets "
            "under [tool.striate] in pyproject.toml"
        )
    known = frozenset(sys.modules)
    asked = {target: request.config.asked_of(target, request.given) for target in targets}
    found = _filtered(targets, asked, request)
    if request.mends == "none":
        return found
    from striate.flow.fix_reload import forgotten
    from striate.flow.fix_targets import Mending, fix_targets

    unsafe = request.mends == "all"
    mending = Mending(
        asked=asked,
        findings={one.target: _mendable(one, unsafe=unsafe) for one in found.checked},
        unsafe=unsafe,
        write=request.write,
        known=known,
        out=request.out,
    )
    fixed = tuple(fix_targets([one.target for one in found.checked], mending))
    if any(one.written for one in fixed) and request.out is None:
        forgotten(known)  # what was imported is not what the files hold now
        found = _filtered(targets, asked, request)
    return replace(found, fixed=fixed)


def _mendable(checked: Checked, *, unsafe: bool) -> tuple[Finding, ...]:
    return tuple(
        finding for finding in checked.findings if finding.edits and (finding.safe or unsafe)
    )


def _filtered(targets: Sequence[str], asked: Mapping[str, Asked], request: Request) -> Report:
    """What the targets' rules find, without what comments, settings and the baseline leave out."""
    config = request.config
    raw = tuple(check_targets(targets, asked, cache=request.cache))

    def active(target: str) -> set[str]:
        question = asked[target]
        selected = codes_of(question.select or ("all",), "select")
        return selected - codes_of(question.ignore, "ignore")

    silenced = silence(raw, active)
    checked = tuple(_without_paths(one, config) for one in silenced.checked)
    left_out = silenced.count + _count(silenced.checked) - _count(checked)
    notes = list(silenced.notes)
    baseline = request.baseline or config.baseline
    if request.accept:
        if baseline is None:
            raise InputError("--write-baseline: says nowhere to write; add --baseline FILE")
        from striate.runs.atomic import atomic_write  # loads torch

        known = known_of(checked, config.in_project)
        atomic_write(baseline, written(known))
        notes.append(f"{baseline}: holds {_many(len(known), 'accepted finding')} now")
    if baseline is None:
        return Report(checked=checked, silenced=left_out, notes=tuple(notes))
    compared = compare(checked, read_baseline(baseline), config.in_project)
    if compared.gone:
        are = "is" if compared.gone == 1 else "are"
        notes.append(
            f"{baseline}: {_many(compared.gone, 'finding')} of it {are} found no more; "
            "--write-baseline tidies it"
        )
    return Report(
        checked=compared.checked, silenced=left_out, accepted=compared.count, notes=tuple(notes)
    )


def _without_paths(checked: Checked, config: Config) -> Checked:
    """Without what ``per-path`` ignores."""
    if not config.per_path:
        return checked

    def stays(finding: Finding) -> bool:
        files = {
            config.in_project(place.rpartition(":")[0])
            for place in (finding.source, finding.defined)
            if place is not None
        }
        return not any(
            fnmatchcase(file, pattern) and finding.code in codes_of(codes, "per-path")
            for pattern, codes in config.per_path
            for file in files
        )

    return replace(checked, findings=tuple(filter(stays, checked.findings)))


def _count(checked: Sequence[Checked]) -> int:
    return sum(len(one.findings) for one in checked)


def _many(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"
