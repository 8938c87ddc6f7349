"""Mends for people: the diff, what it changed, and what could not be mended."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.text import Text

from striate.cli.console import Talk, count

if TYPE_CHECKING:
    from striate.flow.fix_targets import FixedTarget, Gain

_COLOURS = {"+": "green", "-": "red", "@": "cyan"}


def show_fixed(out: Talk, fixed: FixedTarget) -> None:
    """One target's mends, before its findings are listed."""
    if not fixed.mended and not fixed.suggestions:
        return
    if fixed.mended:
        word = "mended" if fixed.written else "would mend"
        out.tell(f"[good]{word}[/] [key]{escape(fixed.target)}[/]", hang=2)
        names = Counter((finding.code, finding.name) for finding in fixed.mended)
        for (code, name), times in names.items():
            out.tell(f"{code} {name}{f' ×{times}' if times > 1 else ''}", indent=2, hang=2)
    if fixed.gain is not None:
        out.tell(gain_text(fixed.gain), indent=2, hang=2)
    if fixed.note:
        out.tell(f"[bad]not written:[/] {escape(fixed.note)}", indent=2, hang=2)
    for patch in fixed.patches:
        if not out.quiet:  # lines of a diff are whole, however wide they are
            out.people.print(_coloured(patch.diff), soft_wrap=True)
    for suggestion in fixed.suggestions:
        finding = suggestion.finding
        where = escape(finding.path or "the network")
        out.tell(
            f"[dim]not mended:[/] {finding.code} {where}: {escape(suggestion.reason)}",
            indent=2,
            hang=2,
        )


def gain_text(gain: Gain) -> str:
    """What mends changed, in one line.

    >>> from striate.flow.fix_targets import Gain
    >>> gain_text(Gain(params=(2_357_930, 1_175_786), macs=(71_666_176,) * 2, field=None))
    'parameters 2.36M → 1.18M (−50 %) · MACs 71.7M as before'
    """
    parts = [
        f"{name} {_change(*pair)}"
        for name, pair in (("parameters", gain.params), ("MACs", gain.macs))
    ]
    if gain.field is not None:
        old, new = (_pixels(size) for size in gain.field)
        parts.append(f"field {old} px as before" if old == new else f"field {old} → {new} px")
    return " · ".join(parts)


def fixed_json(fixed: FixedTarget) -> dict[str, Any]:
    """The same for programs."""
    return {
        "written": fixed.written,
        "mended": [
            {"code": finding.code, "path": finding.path, "safe": finding.safe}
            for finding in fixed.mended
        ],
        "suggestions": [
            {"code": one.finding.code, "path": one.finding.path, "reason": one.reason}
            for one in fixed.suggestions
        ],
        "gain": None
        if fixed.gain is None
        else {
            "params": list(fixed.gain.params),
            "macs": list(fixed.gain.macs),
            "field": None if fixed.gain.field is None else [list(f) for f in fixed.gain.field],
        },
        "diff": "".join(patch.diff for patch in fixed.patches),
        "note": fixed.note,
    }


def _change(old: int, new: int) -> str:
    if old == new:
        return f"{count(old)} as before"
    share = (new - old) / max(1, old)
    sign = "+" if share > 0 else "−"
    size = abs(share)
    percent = f"{size:.0%}" if size >= 0.01 else f"{size:.2%}" if size >= 0.0001 else "under 0.01%"
    return f"{count(old)} → {count(new)} ({sign}{percent.replace('%', ' %')})"


def _pixels(size: tuple[int, int]) -> str:
    return str(size[0]) if size[0] == size[1] else f"{size[0]}×{size[1]}"


def _coloured(diff: str) -> Text:
    text = Text(no_wrap=True, overflow="ignore")
    for line in diff.splitlines():
        text.append(f"{line}\n", _COLOURS.get(line[:1], ""))
    text.right_crop(1)
    return text
