"""Two networks side by side in a terminal: what they cost, then what was changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, cast

from rich.markup import escape

from striate.cli.console import Talk, plain_table
from striate.records import Layer
from striate.records.comparison import Comparison, Kind, Pair
from striate.records.portion import prefixes
from striate.records.trace_columns import operation
from striate.records.trace_rows import is_shown
from striate.records.trace_tree import runs, span_of
from striate.records.wording import by, count, many, size

_TOTALS = {
    "params": ("parameters", count), "macs": ("MACs", count), "activations": ("activations", count),
    "infer_bytes": ("to infer", size), "train_bytes": ("to train", size),
}  # fmt: skip
_MARKS: dict[Kind, tuple[str, str]] = {
    "added": ("+", "good"), "removed": ("−", "bad"), "changed": ("~", "mark"),
}  # fmt: skip


_FOLLOWING = {"shape", "field", "params"}


@dataclass(frozen=True)
class Line:
    """One line of the list: a layer, or a module as a whole."""

    kind: Kind
    path: str
    says: str


def show_comparison(out: Talk, found: Comparison) -> None:
    """The totals as a table, then a line for each change, consequences left out."""
    out.say(_totals(found))
    made = list(folded(list(changes(found))))
    for line in made:
        mark, style = _MARKS[line.kind]
        out.tell(f"[{style}]{mark}[/] [key]{escape(line.path)}[/]  {escape(line.says)}", hang=4)
    if not made:
        out.tell("[good]no layer differs[/]")
    out.tell(
        f"[dim]{many(found.count('same'), 'operation')} of {len(found.after):,} the same, "
        f"{found.count('changed'):,} changed, {found.count('added'):,} added, "
        f"{found.count('removed'):,} removed[/]"
    )


def _totals(found: Comparison) -> Any:
    before, after = found.before, found.after
    heads = [f"{trace.name} {by(trace.image)}" for trace in (before, after)]
    table = plain_table(("", "left"), (heads[0], "right"), (heads[1], "right"), ("", "right"))
    for name, (old, new) in found.totals().items():
        title, shown = _TOTALS[name]
        table.add_row(title, shown(old), shown(new), ratio(old, new))
    return table


def ratio(old: int, new: int) -> str:
    """A change in words: ``+86 %``, ``−3.2 %``, ``×12``, ``the same``.

    >>> ratio(100, 186), ratio(1000, 968), ratio(10, 120), ratio(7, 7), ratio(0, 7)
    ('+86 %', '−3.2 %', '×12', 'the same', '')
    """
    if old == new:
        return "the same"
    if not old:
        return ""
    if new >= 10 * old:
        return f"×{new / old:.0f}"
    share = abs(new - old) / old * 100
    digits = 0 if share >= 9.95 else 1 if share >= 0.095 else 2
    return f"{'+' if new > old else '−'}{share:.{digits}f} %"


def changes(found: Comparison) -> Iterator[Line]:
    """What was added, removed or changed, in order; whole modules as one.

    A pointwise operation whose map alone has changed is a consequence of another change.
    """
    for kind, group in groupby(found, key=_kind):
        pairs = list(group)
        if kind == "changed":
            told = [
                pair for pair in pairs if is_shown(pair.layer) or not _follows(set(pair.changes()))
            ]
            for alone, part in groupby(told, key=lambda pair: set(pair.changes()) == {"field"}):
                members = list(part)
                if alone:
                    yield _fields(members)
                else:
                    yield from (Line(kind, _place(pair.layer), _what(pair)) for pair in members)
        elif kind != "same":
            whole = found.after if kind == "added" else found.before
            yield from _modules(kind, [pair.layer for pair in pairs], whole.layers)


def _follows(changed: set[str]) -> bool:
    """Whether what changed of a pointwise operation follows from the map that it is given."""
    return changed <= {"shape", "field"} or ("shape" in changed and changed <= _FOLLOWING)


def _fields(pairs: Sequence[Pair]) -> Line:
    """Neighbours of which the field alone has changed, as one."""
    first, last = pairs[0], pairs[-1]
    if len(pairs) == 1:
        return Line("changed", _place(first.layer), _what(first))
    path = f"{first.layer.path} … {last.layer.path}"
    grown = {_growth(*pair.changes()["field"]) for pair in pairs}
    by_how_much = grown.pop() if len(grown) == 1 else None
    if by_how_much:
        says = f"field {abs(by_how_much)} px {'larger' if by_how_much > 0 else 'smaller'}"
    else:
        says = f"{_what(first)} … {_what(last)}"
    return Line("changed", f"{path} ({len(pairs)} layers)", says)


def _growth(old: tuple[Any, ...] | None, new: tuple[Any, ...] | None) -> int | None:
    """By how many pixels a field has grown, if that is one number."""
    if old is None or new is None or old[0] != new[0] or old[0] not in ("exact", "bound"):
        return None
    steps = {after - before for before, after in zip(old[1:], new[1:], strict=True)}
    return steps.pop() if len(steps) == 1 else None


def _place(layer: Layer) -> str:
    return layer.path or ("image" if layer.op == "input" else "·")


def _kind(pair: Pair) -> Kind:
    return pair.kind


def _modules(kind: Kind, layers: Sequence[Layer], whole: Sequence[Layer]) -> Iterator[Line]:
    """Neighbours that were added or removed together: the largest modules that are all there."""
    here, all_of = (
        Counter(path for layer in some for path in prefixes(layer.path)) for some in (layers, whole)
    )

    def module_of(layer: Layer) -> str:
        around = list(prefixes(layer.path))[:-1]
        return next((path for path in around if here[path] == all_of[path]), layer.path)

    for path, group in groupby(layers, key=module_of):
        members = list(group)
        if len(members) == 1:
            layer = members[0]
            if is_shown(layer) or layer.params:
                yield Line(kind, path, _one(layer))
            continue
        params = sum(layer.params for layer in members)
        macs = sum(layer.macs or 0 for layer in members)
        named = next((layer.module for layer in members if layer.path == path), "")
        costs = _costs(params, macs)
        yield Line(kind, path, " · ".join([*([named] if named else []), _out(members[-1]), *costs]))


def _one(layer: Layer) -> str:
    return " · ".join([operation(layer), _out(layer), *_costs(layer.params, layer.macs or 0)])


def _out(layer: Layer) -> str:
    return f"out {by(layer.shape[1:])}"


def _costs(params: int, macs: int) -> list[str]:
    return [f"{count(n)} {unit}" for n, unit in ((params, "params"), (macs, "MACs")) if n]


def _what(pair: Pair) -> str:
    """What changed of a layer: ``kernel 3×3 → 5×5 · MACs 116M → 321M``."""
    assert pair.before is not None
    was = f"was {pair.before.path}" if pair.before.path != pair.layer.path else ""
    found = pair.changes()
    said = [
        f"{'output' if name == 'shape' else 'MACs' if name == 'macs' else name} "
        f"{_value(name, old)} → {_value(name, new)}"
        for name, (old, new) in found.items()
    ]
    return " · ".join([*([was] if was else []), *said])


def _value(name: str, value: Any) -> str:
    if value is None:
        return "none"
    if name in ("params", "macs"):
        return count(value)
    if name == "shape":
        return by(value[1:]) or "scalar"
    if name == "field":
        status, *sizes = value
        if not sizes:
            return str(status)
        height, width = sizes
        sides = str(height) if height == width else by((height, width))
        return f"≤{sides}" if status == "bound" else sides
    return by(cast("tuple[int, ...]", value)) if isinstance(value, tuple) else str(value)


def folded(lines: Sequence[Line]) -> Iterator[Line]:
    """Neighbours that say the same, once, with the paths of the first and the last."""
    for run in runs([(line.kind, line.says) for line in lines]):
        for offset in range(run.period):
            alike = lines[run.start + offset : run.start + run.period * run.times : run.period]
            first = alike[0]
            path = _together([line.path for line in alike])
            times = f" ×{run.times}" if run.times > 1 else ""
            yield Line(first.kind, path + times, first.says)


def _together(paths: Sequence[str]) -> str:
    """Paths that differ in one component as one, else the first and the last."""
    split = [path.split(".") for path in paths]
    if len({len(parts) for parts in split}) == 1:
        columns = list(zip(*split, strict=True))
        if sum(len(set(column)) > 1 for column in columns) <= 1:
            return ".".join(span_of(column) for column in columns)
    return f"{paths[0]} … {paths[-1]}"
