"""The two ends of a network as text: what looks at the image first, and what says the logits."""

from __future__ import annotations

from dataclasses import replace

from striate.arch import Head, Stem
from striate.writing.plan import Piece
from striate.writing.style import Style
from striate.writing.uses import Uses, number
from striate.writing.written import call, write_class


def stem_piece(stem: Stem, channels_in: int) -> Piece:
    """The stem's convolution as a use of ``ConvBlock``."""
    return Piece(
        kind="conv",
        values={
            "channels_in": channels_in,
            "width": stem.width,
            "kernel": stem.kernel,
            "stride": stem.stride,
            "padding": stem.pad,
            "dilation": 1,
            "groups": 1,
        },
    )


def plain_stem(stem: Stem, style: Style) -> bool:
    """Whether the stem is a ``ConvBlock`` and nothing more."""
    plain = stem.pool is None and stem.activation and (stem.norm or not style.normed)
    return plain and stem.bias in (None, style.bias)


def write_stem(stem: Stem, channels_in: int, style: Style) -> str:
    """A stem with a pool, or without norm or activation."""
    u = Uses([stem_piece(stem, channels_in).values])
    width = number(stem.width)
    own = style if stem.bias is None else replace(style, bias=stem.bias)
    conv = own.make_conv(
        u.text("channels_in"), width, u.text("kernel"), stride=u.text("stride"),
        padding=u.text("padding"),
    )  # fmt: skip
    init, x = [f"self.conv = {conv}"], "self.conv(x)"
    if stem.norm and style.normed:
        init.append(f"self.norm = {style.make_norm(width)}")
        x = f"self.norm({x})"
    x = style.activate(x) if stem.activation else x
    if stem.pool is None:
        return write_class("Stem", "The first convolution.", u, init, [f"return {x}"])
    forward = [f"x = {x}", f"return {_pooled(stem)}"]
    return write_class("Stem", "The first convolution and its pool.", u, init, forward)


def _pooled(stem: Stem) -> str:
    pool = stem.pool
    assert pool is not None
    name = "F.max_pool2d" if pool.kind == "max" else "F.avg_pool2d"
    padding = f", padding={pool.padding}" if pool.padding else ""
    return f"{name}(x, {pool.kernel}, stride={pool.stride}{padding})"


def hidden_pieces(head: Head, features: int) -> list[Piece]:
    """The head's hidden layers, as uses of ``DenseBlock``."""
    found: list[Piece] = []
    for width in head.hidden:
        values = {"channels_in": features, "width": width, "dropout": head.dropout}
        drops = frozenset({"drops"} if head.dropout else ())
        found.append(Piece(kind="dense", values=values, traits=drops))
        features = width
    return found


def features_of(head: Head, channels: int, map_size: tuple[int, int]) -> int:
    """Numbers that reach the first fully connected layer."""
    channels = channels if head.width is None else head.width
    height, width = map_size if head.pool == "none" else (head.size, head.size)
    return channels * height * width


def write_head(
    head: Head,
    channels: int,
    features: int,
    style: Style,
    *,
    tokens: bool,
    widen: str | None,
    hidden: list[str],
) -> str:
    """From the last map to the logits.  ``widen`` and ``hidden``: constructors of those parts."""
    init: list[str] = []
    forward: list[str] = []
    if widen is not None:
        assert head.width is not None
        init.append(f"self.widen = {widen}")
        forward.append("x = self.widen(x)")
        channels = head.width
    norm = style.make_token_norm if tokens else style.make_norm
    normed = style.normed or tokens
    if head.norm == "map":
        init += [f"self.norm_map = {norm(number(channels))}"] if normed else []
        forward += _after("norm_map", head, style, normed=normed)
    if tokens:
        forward.append("x = x[:, 0]" if head.pool == "token" else "x = x.mean(dim=1)")
    elif head.pool in ("avg", "max"):
        forward.append(f"x = F.adaptive_{head.pool}_pool2d(x, {head.size})")
    if head.norm == "pooled":
        init += [f"self.norm = {norm(number(channels))}"] if normed else []
        forward += _after("norm", head, style, normed=normed)
    last = "x" if tokens else "x.flatten(1)"
    if hidden:
        init += call("self.hidden = nn.Sequential", hidden, 0, after="").split("\n")
        last = f"self.hidden({last})"
        features = head.hidden[-1]
    elif head.dropout:
        init.append(f"self.dropout = nn.Dropout({number(head.dropout)})")
        last = f"self.dropout({last})"
    u = Uses([{"channels_in": features}])
    init.append(f"self.linear = nn.Linear({features}, classes)")
    forward.append(f"return self.linear({last})")
    text = write_class("Head", "From the last map to the logits.", u, init, forward)
    return text.replace("def __init__(self)", "def __init__(self, classes: int)", 1)


def _after(name: str, head: Head, style: Style, *, normed: bool) -> list[str]:
    body = f"self.{name}(x)" if normed else "x"
    body = style.activate(body) if head.activation else body
    return [] if body == "x" else [f"x = {body}"]
