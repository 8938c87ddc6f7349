"""The whole module: its imports, the classes that are used, the network that uses them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby, pairwise

from striate.arch import Arch, channels, map_sizes
from striate.writing import blocks, ends, parts
from striate.writing.plan import Piece, Row, plan
from striate.writing.run_part import Trained, constants, functions
from striate.writing.style import Style
from striate.writing.uses import Uses, Values
from striate.writing.written import call, docstring, wrapped_def, write_class

Group = tuple[str, frozenset[str]]
"""A kind of block and what changes its code: one class."""

_NAMES = {
    "conv": "ConvBlock", "basic": "BasicBlock", "bottleneck": "Bottleneck", "dense": "DenseBlock",
    "inverted": "InvertedBlock", "fused": "FusedBlock", "convnext": "ConvNeXtBlock",
    "densenet": "DenseNetBlock", "transformer": "TransformerBlock",
}  # fmt: skip
_ADJECTIVES = {
    "plain": "Plain", "gated": "Gated", "scaled": "Scaled", "padded": "Padded", "drops": "Dropped",
    "projected": "", "pooled": "Pooled", "averaged": "",
}  # fmt: skip


def write_code(arch: Arch, *, trained: Trained | None = None) -> str:
    """Python source of ``arch``, which imports torch alone.

    Its class has the state-dict names of the built network.  ``trained``: adds a run's classes,
    preprocessing, and functions that read its weights.
    """
    return _Writer(arch).module(trained)


def class_name(arch: Arch) -> str:
    """The network's name as a class is named.

    >>> from striate.arch import zoo
    >>> class_name(zoo("vit_base_patch16")), class_name(zoo("resnet20"))
    ('VitBasePatch16', 'Resnet20')
    """
    words = re.findall(r"[A-Za-z0-9]+", arch.name)
    name = "".join(word[0].upper() + word[1:] for word in words)
    if not name or not name[0].isalpha():
        name = f"Network{name}"
    taken = {*_NAMES.values(), *_OTHERS}
    return f"{name}Network" if name in taken or name.startswith(tuple(_NAMES.values())) else name


_OTHERS = ("Stem", "Stage", "Head", "Tokens", "Projection", "ZeroPad", "SqueezeExcite", "Tensor",
           "LayerScale", "Downsample", "Compression", "ChannelNorm", "Path")  # fmt: skip


class _Writer:
    """Collects the uses of every class first, and writes each class once."""

    def __init__(self, arch: Arch) -> None:
        self.arch, self.style, self.rows = arch, Style.of(arch), plan(arch)
        self.widths, self.sizes = channels(arch), map_sizes(arch)
        self.tokens = any(stage.kind.on == "tokens" for stage in arch.stages)
        self.features = ends.features_of(arch.head, self.widths[-1], self.sizes[-1])
        self.hidden = ends.hidden_pieces(arch.head, self.features)
        self.pieces = [piece for row in self.rows for piece in row.blocks]
        stem = arch.stem
        self.stem = None if stem is None else ends.stem_piece(stem, arch.image[0])
        self.own_stem = stem is not None and not ends.plain_stem(stem, self.style)
        if self.stem is not None and not self.own_stem:
            self.pieces.insert(0, self.stem)
        self.widen = None
        if arch.head.width is not None:
            values = dict.fromkeys(("kernel", "stride", "dilation", "groups"), 1)
            values |= {"channels_in": self.widths[-1], "width": arch.head.width, "padding": 0}
            self.widen = Piece(kind="conv", values=values)
            self.pieces.append(self.widen)
        self.pieces += self.hidden
        self.groups: dict[Group, Uses] = {}
        for key in dict.fromkeys((piece.kind, piece.traits) for piece in self.pieces):
            uses = [p.values for p in self.pieces if (p.kind, p.traits) == key]
            self.groups[key] = Uses(uses)
        self.named = _class_names(list(self.groups))
        for key, uses in self.groups.items():
            if self.stem is not None and uses.uses == [self.stem.values] and not self.own_stem:
                self.named[key] = "Stem"  # the one place where it is used
        self.shared: dict[str, Uses] = {}

    def module(self, trained: Trained | None) -> str:
        """The whole text."""
        classes = [*self.style.helpers(), *self._parts(), *self._blocks(), *self._around()]
        classes += [self._head(), self._network()]
        name = class_name(self.arch)
        texts = [self._heading(name, trained)]
        if trained is not None:
            texts[0] += "\n" + constants(trained) + "\n"
            classes.append(functions(name))
        return "\n\n".join([*texts, *classes])

    def _heading(self, name: str, trained: Trained | None) -> str:
        arch = self.arch
        image = " × ".join(map(str, arch.image))
        says = f"{arch.name}: images of {image}, {arch.classes} classes.  Needs PyTorch alone.\n\n"
        if trained is None:
            says += (
                "The names of the weights are those that striate writes:\n\n"
                f"    network = {name}()\n"
                "    network.load_state_dict(...)  # else its weights are torch's fresh ones\n"
            )
        else:
            says += f"    network = load()\n    network(prepare(pixels))  # {arch.classes} logits\n"
        lines = [*docstring(says, 0), "", "from __future__ import annotations", ""]
        lines += ["import json", "from pathlib import Path", ""] if trained is not None else []
        lines += [
            "import torch",
            "from torch import Tensor, nn",
            "from torch.nn import functional as F",
        ]
        return "\n".join(lines) + "\n"

    def _parts(self) -> list[str]:
        """What the blocks are made of."""
        texts: list[str] = []
        traits = [trait for piece in self.pieces for trait in piece.traits]
        if "gated" in traits:
            texts.append(parts.write_squeeze(self.style))
        if "scaled" in traits:
            texts.append(parts.write_layer_scale(tokens=self.tokens))
        changing = [piece for piece in self.pieces if piece.values.get("changes")]
        projected = [piece.values for piece in changing if "projected" in piece.traits]
        padded = [_with_extra(piece.values) for piece in changing if "padded" in piece.traits]
        if projected:
            self.shared["projected"] = Uses(projected)
            texts.append(parts.write_projection(self.shared["projected"], self.style))
        if padded:
            self.shared["padded"] = Uses(padded)
            texts.append(parts.write_zero_pad(self.shared["padded"]))
        return texts

    def _blocks(self) -> list[str]:
        return [self._block(key, uses) for key, uses in self.groups.items()]

    def _block(self, key: Group, uses: Uses) -> str:
        kind, traits = key
        name, style = self.named[key], self.style
        match kind:
            case "conv":
                return blocks.write_conv(name, uses, style, traits)
            case "basic" | "bottleneck" if "preact" in traits:
                shortcut = self._shortcut(traits, uses)
                return blocks.write_preact(
                    name, uses, style, traits, shortcut, bottleneck=kind == "bottleneck"
                )
            case "basic":
                return blocks.write_basic(
                    name, uses, style, traits, self._shortcut(traits, uses)
                )  # fmt: skip
            case "bottleneck":
                return blocks.write_bottleneck(
                    name, uses, style, traits, self._shortcut(traits, uses)
                )
            case "inverted":
                return blocks.write_inverted(name, uses, style, traits)
            case "fused":
                return blocks.write_fused(name, uses, style, traits)
            case "convnext":
                return blocks.write_convnext(name, uses, style, traits)
            case "densenet":
                return blocks.write_densenet(name, uses, style)
            case "transformer":
                return parts.write_transformer(name, uses, style, traits)
            case _:
                return parts.write_dense(name, uses, style, drops="drops" in traits)

    def _shortcut(self, traits: frozenset[str], uses: Uses) -> str:
        """The constructor of what a block's skip passes through, in that block's own names."""
        if not any(use.get("changes") for use in uses.uses):
            return ""
        kind = "projected" if "projected" in traits else "padded"
        shared = self.shared[kind]
        names: dict[str, str] = {}
        for parameter in shared.parameters:
            if parameter == "extra":
                width, channels_in = uses.text("width"), uses.text("channels_in")
                names[parameter] = f"{width} - {channels_in}"
            else:
                names[parameter] = uses.text(parameter)
        made = "Projection" if kind == "projected" else "ZeroPad"
        return f"{made}({shared.passed(names)})"

    def _around(self) -> list[str]:
        """Stem, what stands around the blocks of a stage, and the stage."""
        texts: list[str] = []
        if self.own_stem:
            assert self.arch.stem is not None
            texts.append(ends.write_stem(self.arch.stem, self.arch.image[0], self.style))
        for kind in ("tokens", "downsample", "compress"):
            found = [p for row in self.rows for p in (row.enter, row.compress)
                     if p is not None and p.kind == kind]  # fmt: skip
            if not found:
                continue
            uses = self.shared[kind] = Uses([piece.values for piece in found])
            if kind == "tokens":
                texts.append(parts.write_tokens(uses, classed="classed" in found[0].traits))
            elif kind == "downsample":
                texts.append(parts.write_downsample(uses, self.style))
            else:
                texts.append(parts.write_compression(uses, self.style))
        texts.append(_stage(self.rows))
        return texts

    def _head(self) -> str:
        return ends.write_head(
            self.arch.head,
            self.widths[-1],
            self.features,
            self.style,
            tokens=self.tokens,
            widen=None if self.widen is None else self._made(self.widen),
            hidden=[self._made(piece) for piece in self.hidden],
        )

    def _made(self, piece: Piece) -> str:
        key = (piece.kind, piece.traits)
        return f"{self.named[key]}({', '.join(self.groups[key].arguments(piece.values))})"

    def _network(self) -> str:
        arch = self.arch
        lines = [f"class {class_name(arch)}(nn.Module):"]
        lines += docstring(f"(N, {', '.join(map(str, arch.image))}) → (N, {arch.classes}).", 4)
        lines += ["", f"    def __init__(self, classes: int = {arch.classes}) -> None:"]
        lines.append("        super().__init__()")
        if self.stem is not None:
            made = "Stem()" if self.own_stem else self._made(self.stem)
            lines.append(f"        self.stem = {made}")
        stages = [self._stage_call(row) for row in self.rows]
        lines.append("        self.stages = nn.Sequential(")
        lines += [f"{stage}" for stage in stages]
        lines.append("        )")
        lines.append("        self.head = Head(classes)")
        lines += ["", "    def forward(self, x: Tensor) -> Tensor:"]
        if self.stem is not None:
            lines.append("        x = self.stem(x)")
        lines += ["        x = self.stages(x)", "        return self.head(x)"]
        return "\n".join(lines) + "\n"

    def _stage_call(self, row: Row) -> str:
        made = [
            (self.named[piece.kind, piece.traits],
             self.groups[piece.kind, piece.traits].arguments(piece.values))
            for piece in row.blocks
        ]  # fmt: skip
        arguments = _shortened(made)
        if row.enter is not None:
            name = "Tokens" if row.enter.kind == "tokens" else "Downsample"
            given = self.shared[row.enter.kind].arguments(row.enter.values)
            arguments.append(f"enter={name}({', '.join(given)})")
        if row.compress is not None:
            given = self.shared["compress"].arguments(row.compress.values)
            arguments.append(f"compress=Compression({', '.join(given)})")
        if row.pool is not None:
            arguments.append(f"pool={row.pool}")
        return call("Stage", arguments, 12)


def _with_extra(values: Values) -> Values:
    return {**values, "extra": int(values["width"] - values["channels_in"])}


def _class_names(groups: Sequence[Group]) -> dict[Group, str]:
    """Each group's class: the block's name, with adjectives where two groups would share it."""
    found: dict[Group, str] = {}
    base: dict[Group, str] = {}
    for kind, traits in groups:
        name = _NAMES[kind]
        if "preact" in traits:
            name = "PreactBottleneck" if kind == "bottleneck" else "PreactBlock"
        if "narrow" in traits:
            name = "SeparableBlock" if kind == "inverted" else "SingleConvBlock"
        base[kind, traits] = name
    for key, name in base.items():
        alike = [group[1] for group, other in base.items() if other == name]
        common = frozenset[str].intersection(*alike)
        adjectives = [_ADJECTIVES.get(trait, "") for trait in sorted(key[1] - common)]
        found[key] = "".join(adjectives) + name
    return found


def _shortened(made: Sequence[tuple[str, list[str]]]) -> list[str]:
    """Calls as arguments; three or more alike, or that grow by one step, become one."""
    calls = [f"{name}({', '.join(arguments)})" for name, arguments in made]
    found: list[str] = []
    for text, run in groupby(calls):
        count = len(list(run))
        found += [f"*({text} for _ in range({count}))"] if count > 2 else [text] * count
    if len(found) < 4 or any(text.startswith("*") for text in found):
        return found
    name, first = made[0]
    firsts = [int(arguments[0]) if arguments and arguments[0].isdigit() else -1
              for _, arguments in made]  # fmt: skip
    step = firsts[1] - firsts[0]
    same = all(one == name and rest[1:] == first[1:] for one, rest in made)
    steady = all(after - before == step for before, after in pairwise(firsts))
    if not (same and steady and step > 0 and firsts[0] > 0):
        return found
    each = ", ".join(["channels", *first[1:]])
    spans = f"range({firsts[0]}, {firsts[-1] + step}, {step})"
    return [f"*({name}({each}) for channels in {spans})"]


def _stage(rows: Sequence[Row]) -> str:
    """The class that holds a stage's blocks, with what some stage has around them."""
    told = {
        "enter": [row.enter is not None for row in rows],
        "compress": [row.compress is not None for row in rows],
        "pool": [row.pool is not None for row in rows],
    }
    used = {name: all(has) for name, has in told.items() if any(has)}
    parameters = [f"{name}: nn.Module" if every else f"{name}: nn.Module | None = None"
                  for name, every in used.items()]  # fmt: skip
    init = ["self.blocks = nn.Sequential(*blocks)"]
    x = "self.blocks(x)"
    for name, every in used.items():
        value = name if every else f"nn.Identity() if {name} is None else {name}"
        init.append(f"self.{name} = {value}")
    if "enter" in used:
        x = "self.blocks(self.enter(x))"
    for name in ("compress", "pool"):
        x = f"self.{name}({x})" if name in used else x
    says = "Some blocks, one behind the other."
    if used:
        says = f"Some blocks, one behind the other, and what stands around them: {', '.join(used)}."
    text = write_class("Stage", says, Uses([{}]), init, [f"return {x}"])
    signature = ", ".join(["self", "*blocks: nn.Module", *parameters])
    old, new = "    def __init__(self) -> None:", f"    def __init__({signature}) -> None:"
    return text.replace(old, "\n".join(wrapped_def(new)), 1)
