"""For the tests of your own networks: a design that is not healthy is a failed test.

Comes in: a module, a function that makes one, or an Arch.  Goes out: an AssertionError whose text
is the findings.  May import: flow and everything below it.

>>> import striate
>>> from striate.testing import assert_healthy
>>> assert_healthy(striate.zoo("resnet20"))
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from textwrap import fill
from typing import TYPE_CHECKING

from striate.arch import Arch
from striate.checking import codes_of
from striate.errors import InputError, choices
from striate.flow.check import check_module
from striate.flow.check_comments import silence
from striate.flow.check_types import Asked
from striate.records import Finding, Severity

if TYPE_CHECKING:
    from torch import nn

__all__ = ["assert_healthy"]

_RANK: dict[Severity, int] = {"info": 0, "warning": 1, "error": 2}


def assert_healthy(
    model: nn.Module | Callable[[], nn.Module] | Arch,
    image: Sequence[int] | None = None,
    *,
    select: Sequence[str] = (),
    ignore: Sequence[str] = (),
    fail_on: Severity = "warning",
) -> None:
    """Fail where the linter finds something in ``model``.

    ``model``: an ``nn.Module``, a function that makes one (then findings name the line that made
    each module, and nothing is allocated), or an ``Arch``.  ``image``: (C, H, W); by default
    an Arch's own, and (3, 224, 224) for a module.  ``select``, ``ignore``: rules, as in
    ``striate.check``.  ``fail_on``: the least severity that counts, ``"info"``, ``"warning"`` or
    ``"error"``.  ``# striate: ignore[CODE]`` holds here too.

    Raises AssertionError, whose text is the findings; InputError for an unknown rule or severity;
    TraceError for an image that the network cannot take.
    """
    if fail_on not in _RANK:
        raise InputError(f"fail_on {fail_on!r}: {choices(fail_on, _RANK)}")
    if image is None:
        image = model.image if isinstance(model, Arch) else (3, 224, 224)
    asked = Asked(select=tuple(select), ignore=tuple(ignore))
    checked = check_module(model, image, asked)
    active = codes_of(select or ("all",), "select") - codes_of(ignore, "ignore")
    (left,) = silence([checked], lambda _: active).checked
    counting = [finding for finding in left.findings if _RANK[finding.severity] >= _RANK[fail_on]]
    if counting:
        number = f"{len(counting)} finding{'' if len(counting) == 1 else 's'}"
        size = "×".join(map(str, left.image))
        raise AssertionError(
            "\n".join([f"{left.target} at {size}: {number}", *map(_text, counting)])
        )


def _text(finding: Finding) -> str:
    place = finding.defined or finding.source
    lines = [
        f"  {finding.severity} {finding.code} {finding.path or '(the network)'} {finding.name}"
        + (f" ({place})" if place else ""),
        _wrapped(finding.message),
    ]
    if finding.fix:
        lines.append(_wrapped(f"mend: {finding.fix}"))
    return "\n".join(lines)


def _wrapped(text: str) -> str:
    indent = " " * 6
    return fill(
        text,
        width=88,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
