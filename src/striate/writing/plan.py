"""Which blocks a network is made of, with every number that they need: pure arithmetic on an Arch.

It says again what ``striate.building.stage`` builds; that the two agree is held by a test for
every network of the zoo, to the last bit of the logits.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from striate.arch import Arch, Pool, Stage, channels, map_sizes
from striate.writing.uses import Values


@dataclass(frozen=True, kw_only=True)
class Piece:
    """One use of a class.

    ``kind``: what it is (``basic``, ``inverted``, …).  ``traits``: what changes its code beyond
    numbers (``gated``, ``plain``, ``project`` …).
    """

    kind: str
    values: Values
    traits: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Row:
    """A stage: what stands before its blocks, its blocks, what stands behind them.

    ``pool``: its constructor, if there is one.
    """

    blocks: tuple[Piece, ...]
    enter: Piece | None
    compress: Piece | None
    pool: str | None


def plan(arch: Arch) -> list[Row]:
    """The stages of ``arch``."""
    rows: list[Row] = []
    sizes, widths = map_sizes(arch), channels(arch)
    tokens = False
    for stage, size, width in zip(arch.stages, sizes, widths, strict=False):
        enter, features = None, width
        if stage.kind.on == "tokens" and not tokens:
            tokens, classed = True, arch.head.pool == "token"
            enter = Piece(
                kind="tokens",
                values={"channels": width, "count": size[0] * size[1] + classed},
                traits=frozenset({"classed"} if classed else ()),
            )
        if stage.block == "dense":
            features = width * size[0] * size[1]
        if stage.block == "convnext" and (stage.stride > 1 or width != stage.width):
            values = {"channels_in": width, "width": stage.width, "stride": stage.stride}
            enter, features = Piece(kind="downsample", values=values), stage.width
        blocks: list[Piece] = []
        for index in range(stage.depth):
            stride = stage.stride if index == 0 else 1
            piece = _block(features, stage, stride, preact=arch.preact)
            if stage.pool_first and index == 0:
                piece = _with_pool(piece, stage.pool)
            blocks.append(piece)
            grows = stage.block == "densenet"
            features = features + stage.width if grows else stage.width
        compress = None
        if stage.transition:
            leaving = stage.leaving(width)
            compress = Piece(
                kind="compress", values={"channels_in": features, "width": leaving}
            )  # fmt: skip
        pool = None if stage.pool_first else stage.pool
        rows.append(
            Row(
                blocks=tuple(blocks),
                enter=enter,
                compress=compress,
                pool=None
                if pool is None
                else _pool(pool.kind, pool.kernel, pool.stride, pool.padding),
            )
        )
    return rows


def _with_pool(piece: Piece, pool: Pool | None) -> Piece:
    """``piece`` with ``pool`` behind its convolution."""
    if pool is None:
        return piece
    window = {"window": pool.kernel, "step": pool.stride, "edge": pool.padding}
    traits = {"pooled"} if pool.kind == "max" else {"pooled", "averaged"}
    return replace(piece, values={**piece.values, **window}, traits=piece.traits | traits)


def _pool(kind: str, kernel: int, stride: int, padding: int) -> str:
    name = "nn.MaxPool2d" if kind == "max" else "nn.AvgPool2d"
    parts = [str(kernel)]
    parts += [f"stride={stride}"] if stride != kernel else []
    parts += [f"padding={padding}"] if padding else []
    return f"{name}({', '.join(parts)})"


def _block(channels_in: int, stage: Stage, stride: int, *, preact: bool) -> Piece:
    values: dict[str, int | float] = {
        "channels_in": channels_in,
        "width": stage.width,
        "kernel": stage.kernel,
        "stride": stride,
        "padding": stage.pad,
        "dilation": stage.dilation,
        "groups": stage.groups,
    }
    traits: set[str] = set()
    block = stage.block
    if block == "dense":
        return Piece(kind="dense", values={"channels_in": channels_in, "width": stage.width})
    if block in ("inverted", "fused", "densenet"):
        values["inner"] = stage.inside(channels_in)
    elif block != "conv":
        values["inner"] = stage.inner
    if stage.squeeze:
        of_input = stage.kind.of == "input"
        base = channels_in if of_input else stage.width
        values["squeeze"] = max(1, round(stage.squeeze * base))
        traits.add("gated")
    if block in ("inverted", "fused") and values["inner"] == channels_in:
        traits.add("narrow")
    if block in ("convnext", "transformer"):
        values["heads"] = stage.heads
        if stage.layer_scale:
            values["scale"] = stage.layer_scale
            traits.add("scaled")
    if block in ("basic", "bottleneck"):
        traits |= {"preact"} if preact else set()
        if stage.residual:
            changes = stride != 1 or channels_in != stage.width
            values["changes"] = int(changes)
            traits.add("padded" if stage.shortcut == "pad" else "projected")
    if block in ("inverted", "fused"):
        values["adds"] = int(stage.residual and stride == 1 and channels_in == stage.width)
    if not stage.residual and block in ("basic", "bottleneck", "convnext", "transformer"):
        traits.add("plain")
    if not stage.residual and block in ("inverted", "fused"):
        traits.add("plain")
    return Piece(kind=block, values=values, traits=frozenset(traits))
