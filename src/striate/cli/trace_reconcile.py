"""Our total beside those of other tools in a terminal: what each counts differently, and why."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager

from rich.markup import escape

from striate.cli.console import Talk
from striate.cli.trace_against import ratio
from striate.flow.reconcile import parse_tools, reconcile_target
from striate.records.reconciliation import Reason, Reconciled, Reconciliation
from striate.records.wording import by, count, many

_UNIT = "multiply-accumulates"
_ROWS = 12
"""Reasons that are listed for one tool; the rest is one line."""


def reconciled(out: Talk, target: str, tools: str, image: str | None) -> Reconciled:
    """Run the tools, saying which is at work to whoever looks."""
    names = parse_tools(tools)
    with _running(out) as begins:
        return reconcile_target(target, names, image, begins=begins)


@contextmanager
def _running(out: Talk) -> Generator[Callable[[str], None]]:
    if out.quiet or not out.progress.is_terminal:
        yield lambda _: None
        return
    with out.progress.status("tracing …") as status:
        yield lambda name: status.update(
            f"{name} runs the network on real numbers, which takes time and memory …"
        )


def show_reconciled(out: Talk, found: Reconciled) -> None:
    """For each tool a line with its total, then what it counts differently, largest first."""
    out.tell(
        f"[key]{escape(found.target)}[/] at {by(found.image)}: [key]{count(found.macs)}[/] MACs "
        f"({found.macs:,})"
    )
    for tool in found.tools:
        _show(out, tool)
    for name, how in found.missing:
        out.tell(f"{name} is not installed; {how}")


def _show(out: Talk, tool: Reconciliation) -> None:
    name = f"[key]{tool.tool}[/] {escape(tool.version)}"
    if tool.failure is not None:
        out.tell(f"{name}: [bad]fails[/]: {escape(tool.failure)}", hang=2)
        return
    out.tell(f"{name}: {count(tool.total)}, {_verdict(tool)}", hang=2)
    shown, rest = tool.explained[:_ROWS], tool.explained[_ROWS:]
    for reason in shown:
        out.tell(f"{signed(reason.difference):>7}  {_said(reason)}", indent=2, hang=9)
    if rest:
        more = sum(reason.difference for reason in rest)
        out.tell(f"{signed(more):>7}  {many(len(rest), 'reason')} more; --json", indent=2, hang=9)
    for reason in tool.leftover:
        out.tell(
            f"{signed(reason.difference):>7}  {_operation(reason)}: [bad]not explained[/] "
            f"({escape(_where(reason))})", indent=2, hang=9,
        )  # fmt: skip


def _verdict(tool: Reconciliation) -> str:
    unit = f" [dim]({escape(tool.unit)})[/]" if tool.unit != _UNIT else ""
    if not tool.difference and not tool.explained and not tool.leftover:
        return f"[good]the same[/]{unit}"
    change = ratio(tool.ours, tool.total)
    change = f"{change} " if change.strip("+−") not in ("the same", "", "0.00 %") else ""
    if not tool.leftover:
        verdict = "[good]all of it explained[/]"
    else:
        verdict = f"[bad]{signed(tool.unexplained)} of it not explained[/]"
    return f"{change}({tool.difference:+,}){unit}, {verdict}"


def _said(reason: Reason) -> str:
    return f"{_operation(reason)}: {escape(reason.why or '')} [dim]({escape(_where(reason))})[/]"


def _operation(reason: Reason) -> str:
    times = f" ×{reason.count}" if reason.count > 1 else ""
    return f"[key]{escape(reason.op)}[/]{times}"


def _where(reason: Reason) -> str:
    first = reason.paths[0] or "the network itself"
    return f"{first} …" if len(reason.paths) > 1 else first


def signed(value: int) -> str:
    """A difference in a few characters, with its sign.

    >>> signed(10600), signed(-178_831_872)
    ('+10.6k', '−179M')
    """
    return f"{'−' if value < 0 else '+'}{count(abs(value))}"
