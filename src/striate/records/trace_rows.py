"""The rows of a layer table: folded by the module tree, repeated blocks once.

Comes in: a trace's layers.  Goes out: ``Row`` records, which ``trace_columns`` puts into words.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from striate.records.layer import Field, Layer
from striate.records.portion import Portion, class_of
from striate.records.trace_tree import Node, Part, depth_of, runs, signed, span_of, tree

POINTWISE = frozenset(
    (
        "batch_norm", "layer_norm", "group_norm", "instance_norm", "rms_norm", "relu", "relu6",
        "gelu", "silu", "sigmoid", "tanh", "hardswish", "hardsigmoid", "hardtanh", "leaky_relu",
        "prelu", "elu", "mish", "softplus", "clamp", "softmax", "dropout", "feature_dropout",
        "mul", "div", "sub", "identity", "to", "contiguous", "clone", "view", "reshape",
        "flatten", "permute", "transpose", "getitem", "select", "slice", "squeeze", "unsqueeze",
        "expand", "unbind", "detach", "alias", "pad",
    )
)  # fmt: skip
"""What a table leaves out unless every operation is asked for: it costs no multiplication and
leaves the map as large as it was."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of a layer table.

    ``kind``: ``layer`` (one operation), ``module`` (one module as a whole), or ``group`` (the
    heading of the rows indented below it).  ``portion.times``: how often the portion follows upon
    itself, numbers being of one; ``inside``: how often the groups around it do, all together.
    ``label``: its path from the heading above it, ``portion.path`` the whole of it, each with
    every repetition (``blocks.1–35``).  ``last``: the field of its last repetition, where the
    portion's is the first's.
    """

    kind: Literal["layer", "module", "group"]
    label: str
    portion: Portion
    indent: int = 0
    inside: int = 1
    last: Field | None = None

    @property
    def layer(self) -> Layer:
        """The last layer of its portion: the only one of a ``layer`` row."""
        return self.portion.layers[-1]


@dataclass(frozen=True, kw_only=True)
class Folding:
    """How rows are made of layers.

    ``depth``: modules this deep in the tree are one row each; None for no limit.
    ``every``: pointwise operations and views too.  ``repeats``: fold what repeats itself.
    ``also``: attributes of a layer that must be equal too for blocks to be folded.
    ``modules``: the class of every module, by path, where it is known.
    """

    depth: int | None = None
    every: bool = False
    repeats: bool = True
    also: tuple[str, ...] = ()
    modules: Mapping[str, str] | None = None


def is_shown(layer: Layer) -> bool:
    """Whether a table that does not show every operation shows this one."""
    return layer.op not in POINTWISE or layer.macs is None


def rows(layers: Sequence[Layer], folding: Folding) -> list[Row]:
    """The rows of a table, in the order of execution."""
    return _Writer(folding).written(tree(layers))


def flat(made: Sequence[Row]) -> list[Row]:
    """Rows without their headings: each with its whole path and all its repetitions."""
    return [
        replace(
            row,
            label=row.portion.path,
            indent=0,
            portion=replace(row.portion, times=row.portion.times * row.inside),
        )
        for row in made
        if row.kind != "group"
    ]


def fitting_depth(layers: Sequence[Layer], folding: Folding, most: int) -> int | None:
    """The greatest depth at which the table has at most ``most`` rows; None where all fit.

    1 if even that has more.
    """
    if len(rows(layers, folding)) <= most:
        return None
    deepest = max((depth_of(layer.path) for layer in layers), default=1)
    for depth in range(deepest, 1, -1):
        if len(rows(layers, replace(folding, depth=depth))) <= most:
            return depth
    return 1


@dataclass(frozen=True, kw_only=True)
class _Place:
    """Where rows are being written: the heading above, the indentation, the repetitions."""

    heading: str = ""
    pattern: str = ""
    indent: int = 0
    inside: int = 1


class _Writer:
    def __init__(self, folding: Folding) -> None:
        self.folding = folding
        self.made: list[Row] = []
        self._signs: dict[int, Hashable] = {}
        self._shown: dict[int, int] = {}

    def written(self, root: Node) -> list[Row]:
        self._inside(root, root, _Place())
        return self.made

    def _inside(self, first: Node, last: Node, at: _Place) -> None:
        """The parts of a node.  ``last``: its last repetition, equal in everything but fields."""
        pairs = [
            (part, twin)
            for part, twin in zip(first.parts, last.parts, strict=True)
            if self._count(part)
        ]
        starts = [part for part, _ in pairs]
        signs = [self._sign(part) for part in starts] if self.folding.repeats else list(starts)
        for run in runs(signs):
            parts = starts[run.start : run.start + run.period]
            end = run.start + run.period * run.times
            twins = [twin for _, twin in pairs[end - run.period : end]]
            names = [
                span_of([_name(starts[i]) for i in range(run.start + n, end, run.period)])
                for n in range(run.period)
            ]
            if run.times > 1 and run.period > 1:
                every = span_of([_name(starts[i]) for i in range(run.start, end)])
                self._alternating(parts, twins, names, every, run.times, at)
            else:
                self._part(parts[0], twins[0], names[0], run.times, at)

    def _alternating(
        self,
        parts: list[Part],
        twins: list[Part],
        names: list[str],
        every: str,
        times: int,
        at: _Place,
    ) -> None:
        """A run of a pattern of several parts: one heading for all."""
        layers = tuple(layer for part in parts for layer in _layers(part))
        label = _below(_rest(at.pattern, at.heading), every)
        portion = Portion(path=_below(at.pattern, every), layers=layers, times=times)
        self._add("group", label, portion, at, twins[-1])
        within = replace(at, heading=at.pattern, indent=at.indent + 2, inside=at.inside * times)
        for part, twin, name in zip(parts, twins, names, strict=True):
            self._part(part, twin, name, 1, within)

    def _part(self, part: Part, twin: Part, name: str, times: int, at: _Place) -> None:
        if isinstance(part, Layer):
            label = _rest(at.pattern, at.heading)
            portion = Portion(path=at.pattern, layers=(part,), module=part.module, times=times)
            self._add("layer", label, portion, at, twin)
            return
        assert isinstance(twin, Node)
        pattern = _below(at.pattern, name)
        layers = tuple(part)
        portion = Portion(path=pattern, layers=layers, module=self._class(part), times=times)
        label = _rest(pattern, at.heading)
        at_limit = depth_of(part.path) == self.folding.depth
        if (at_limit or self._is_gate(part)) and self._count(part) > 1:
            self._add("module", label, portion, at, twin)
        elif self._count(part) == 1 and times > 1:
            self._only(part, twin, pattern, times, at)
        elif times > 1 or self._is_block(part):
            self._add("group", label, portion, at, twin)
            within = _Place(
                heading=pattern, pattern=pattern, indent=at.indent + 2, inside=at.inside * times
            )
            before = len(self.made)
            self._inside(part, twin, within)
            if not self.folding.every:
                self._drop_result(before, pattern)
        else:
            self._inside(part, twin, replace(at, pattern=pattern))

    def _only(self, part: Node, twin: Node, pattern: str, times: int, at: _Place) -> None:
        """A repeated node with one row in it is that row."""
        while True:
            inner, other = next(
                (a, b) for a, b in zip(part.parts, twin.parts, strict=True) if self._count(a)
            )
            if isinstance(inner, Layer):
                portion = Portion(path=pattern, layers=(inner,), module=inner.module, times=times)
                self._add("layer", _rest(pattern, at.heading), portion, at, other)
                return
            assert isinstance(other, Node)
            part, twin, pattern = inner, other, _below(pattern, inner.name)

    def _drop_result(self, before: int, pattern: str) -> None:
        """A sum that ends a block is the block's own output, which its heading shows."""
        end = self.made[-1]
        costs = end.portion.macs or end.portion.params or end.portion.times > 1
        if len(self.made) > before + 1 and end.portion.path == pattern and not costs:
            self.made.pop()

    def _add(
        self,
        kind: Literal["layer", "module", "group"],
        label: str,
        portion: Portion,
        at: _Place,
        twin: Part,
    ) -> None:
        last = list(_layers(twin))[-1].field
        self.made.append(
            Row(
                kind=kind, label=label, portion=portion, indent=at.indent, inside=at.inside,
                last=last,
            )
        )  # fmt: skip

    def _is_block(self, node: Node) -> bool:
        """Whether it is numbered, an element of a list of modules, and has several rows.

        Not if they all belong to the one module it holds, which is then the block.
        """
        inner = [part for part in node.parts if self._count(part)]
        alone = len(inner) == 1 and isinstance(inner[0], Node)
        return node.name[-1:].isdigit() and self._count(node) > 1 and not alone

    def _is_gate(self, node: Node) -> bool:
        """Whether it is a squeeze gate and nothing else, which is one row."""
        shown = [layer for layer in node if is_shown(layer)]
        return not self.folding.every and all(layer.gate for layer in shown)

    def _class(self, node: Node) -> str:
        known = (self.folding.modules or {}).get(node.path)
        return known or class_of(node.path, tuple(node))

    def _count(self, part: Part) -> int:
        """Rows that a part would be, unfolded."""
        if isinstance(part, Layer):
            return int(self.folding.every or is_shown(part))
        known = self._shown.get(id(part))
        if known is None:
            known = self._shown[id(part)] = sum(self._count(inner) for inner in part.parts)
        return known

    def _sign(self, part: Part) -> Hashable:
        known = self._signs.get(id(part))
        if known is None:
            known = self._signs[id(part)] = signed(part, _layer_sign(self.folding.also))
        return known


def _layer_sign(also: tuple[str, ...]) -> Callable[[Layer], Hashable]:
    def sign(layer: Layer) -> Hashable:
        extra = tuple(getattr(layer, name) for name in also)
        attrs = tuple((key, str(value)) for key, value in sorted(layer.attrs.items()))
        return (layer.op, layer.shape, layer.params, layer.macs, layer.gate, attrs, extra)

    return sign


def _layers(part: Part) -> Iterator[Layer]:
    if isinstance(part, Layer):
        yield part
    else:
        yield from part


def _name(part: Part) -> str:
    return part.name if isinstance(part, Node) else ""


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path and name else path or name


def _rest(path: str, heading: str) -> str:
    return path[len(heading) :].lstrip(".") if heading else path
