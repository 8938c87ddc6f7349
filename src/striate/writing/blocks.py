"""Convolutional blocks as text, one function a block."""

from __future__ import annotations

from striate.writing.style import Style
from striate.writing.uses import Uses
from striate.writing.written import write_class


def spatial(
    style: Style, u: Uses, cin: str, cout: str, *, strided: bool = True, groups: str
) -> str:
    """A kernel × kernel convolution of a block, with the block's own numbers."""
    return style.make_conv(
        cin,
        cout,
        u.text("kernel"),
        stride=u.text("stride") if strided else "1",
        padding=u.text("padding", "kernel // 2", "dilation", "dilation * (kernel - 1) // 2"),
        dilation=u.text("dilation"),
        groups=groups,
    )


def write_conv(name: str, u: Uses, style: Style, traits: frozenset[str]) -> str:
    """Convolution, norm, activation, and a gate behind it where there is one."""
    cin, cout = u.text("channels_in"), u.text("width")
    init = [f"self.conv = {spatial(style, u, cin, cout, groups=u.text('groups'))}"]
    x = "self.conv(x)"
    if "pooled" in traits:
        kind = "nn.AvgPool2d" if "averaged" in traits else "nn.MaxPool2d"
        window, step, edge = (u.text(name) for name in ("window", "step", "edge"))
        given = [window, *([f"stride={step}"] if step != window else [])]
        given += [f"padding={edge}"] if edge != "0" else []
        init.append(f"self.pool = {kind}({', '.join(given)})")
        x = f"self.pool({x})"
    init += _norm(style, "norm", cout)
    last = style.activate(style.normalise("norm", x))
    forward = [f"return {last}"]
    if "gated" in traits:
        init.append(_gate(u, cout))
        forward = [f"return self.gate({last})"]
    parts = ["Convolution", *(["pool"] if "pooled" in traits else [])]
    parts += ["norm", "activation"] if style.normed else ["activation"]
    says = f"{', '.join(parts)}." if len(parts) > 2 else "Convolution and activation."
    return write_class(name, says, u, init, forward)


def write_basic(name: str, u: Uses, style: Style, traits: frozenset[str], shortcut: str) -> str:
    """Two spatial convolutions and a skip around them."""
    cin, width = u.text("channels_in"), u.text("width")
    inner, init = _inner(u, "width", "width // 2", "2 * width")
    groups = u.text("groups")
    init += [f"self.conv1 = {spatial(style, u, cin, inner, groups=groups)}"]
    init += _norm(style, "norm1", inner)
    init.append(f"self.conv2 = {spatial(style, u, inner, width, strided=False, groups=groups)}")
    init += _norm(style, "norm2", width)
    forward = [
        f"out = {style.activate(style.normalise('norm1', 'self.conv1(x)'))}",
        f"out = {style.normalise('norm2', 'self.conv2(out)')}",
    ]
    return _with_skip(name, u, style, traits, shortcut, init, forward,
                      "Two convolutions")  # fmt: skip


def write_bottleneck(
    name: str, u: Uses, style: Style, traits: frozenset[str], shortcut: str
) -> str:
    """A spatial convolution between two of 1 × 1, and a skip around them."""
    cin, width = u.text("channels_in"), u.text("width")
    inner, init = _inner(u, "width // 4", "width // 2", "width")
    groups = u.text("groups")
    init += [f"self.conv1 = {style.make_conv(cin, inner)}", *_norm(style, "norm1", inner)]
    init.append(f"self.conv2 = {spatial(style, u, inner, inner, groups=groups)}")
    init += _norm(style, "norm2", inner)
    init += [f"self.conv3 = {style.make_conv(inner, width)}", *_norm(style, "norm3", width)]
    forward = [
        f"out = {style.activate(style.normalise('norm1', 'self.conv1(x)'))}",
        f"out = {style.activate(style.normalise('norm2', 'self.conv2(out)'))}",
        f"out = {style.normalise('norm3', 'self.conv3(out)')}",
    ]
    return _with_skip(name, u, style, traits, shortcut, init, forward,
                      "A convolution between two of 1 × 1")  # fmt: skip


def write_preact(
    name: str, u: Uses, style: Style, traits: frozenset[str], shortcut: str, *, bottleneck: bool
) -> str:
    """Norms and activations before the convolutions; a skip around all."""
    cin, width = u.text("channels_in"), u.text("width")
    candidates = ("width // 4", "width // 2", "width") if bottleneck else ("width",)
    inner, init = _inner(u, *candidates)
    groups = u.text("groups")
    init += _norm(style, "norm1", cin)
    if bottleneck:
        init += [f"self.conv1 = {style.make_conv(cin, inner)}", *_norm(style, "norm2", inner)]
        init.append(f"self.conv2 = {spatial(style, u, inner, inner, groups=groups)}")
        init += [*_norm(style, "norm3", inner), f"self.conv3 = {style.make_conv(inner, width)}"]
    else:
        init.append(f"self.conv1 = {spatial(style, u, cin, inner, groups=groups)}")
        init += _norm(style, "norm2", inner)
        init.append(f"self.conv2 = {spatial(style, u, inner, width, strided=False, groups=groups)}")
    forward = [
        f"begun = {style.activate(style.normalise('norm1', 'x'))}",
        "out = self.conv1(begun)",
        f"out = self.conv2({style.activate(style.normalise('norm2', 'out'))})",
    ]
    if bottleneck:
        forward.append(f"out = self.conv3({style.activate(style.normalise('norm3', 'out'))})")
    if "gated" in traits:
        init.append(_gate(u, width))
        forward.append("out = self.gate(out)")
    what = "A convolution between two of 1 × 1" if bottleneck else "Two convolutions"
    if "plain" in traits:
        forward.append("return out")
        return write_class(name, f"{what}, norms first.", u, init, forward)
    says = f"{what}, norms first, and a skip around them."
    changes = [bool(use["changes"]) for use in u.uses]
    if not any(changes):
        forward.append("return out + x")
    elif all(changes):
        init.append(f"self.shortcut = {shortcut}")
        forward.append("return out + self.shortcut(begun)")
    else:
        init += [
            "self.shortcut: nn.Module | None = None",
            f"if {_changes(u, changes)}:",
            f"    self.shortcut = {shortcut}",
        ]
        forward += [
            "skip = x if self.shortcut is None else self.shortcut(begun)",
            "return out + skip",
        ]
    return write_class(name, says, u, init, forward)


def write_inverted(name: str, u: Uses, style: Style, traits: frozenset[str]) -> str:
    """Expand, one filter per channel, project; without the first where nothing is expanded."""
    cin, width = u.text("channels_in"), u.text("width")
    narrow = "narrow" in traits
    multiples = tuple(f"{k} * channels_in" for k in (2, 3, 4, 6))
    inner, init = (cin, list[str]()) if narrow else _inner(u, *multiples)
    forward: list[str] = []
    x = "x"
    if not narrow:
        init += [f"self.conv1 = {style.make_conv(cin, inner)}", *_norm(style, "norm1", inner)]
        forward.append(f"out = {style.activate(style.normalise('norm1', 'self.conv1(x)'))}")
        x = "out"
    init.append(f"self.conv2 = {spatial(style, u, inner, inner, groups=inner)}")
    init += _norm(style, "norm2", inner)
    forward.append(f"out = {style.activate(style.normalise('norm2', f'self.conv2({x})'))}")
    if "gated" in traits:
        init.append(_gate(u, inner))
        forward.append("out = self.gate(out)")
    init += [f"self.conv3 = {style.make_conv(inner, width)}", *_norm(style, "norm3", width)]
    forward.append(f"out = {style.normalise('norm3', 'self.conv3(out)')}")
    says = "One filter per channel, then 1 × 1." if narrow else (
        "1 × 1 to more channels, one filter for each, 1 × 1 back to few."
    )  # fmt: skip
    return _with_sum(name, u, init, forward, says)


def write_fused(name: str, u: Uses, style: Style, traits: frozenset[str]) -> str:
    """Expand by a spatial convolution, project; the first alone where nothing is expanded."""
    cin, width = u.text("channels_in"), u.text("width")
    narrow = "narrow" in traits
    multiples = tuple(f"{k} * channels_in" for k in (2, 3, 4, 6))
    inner, init = (width, list[str]()) if narrow else _inner(u, *multiples)
    init += [f"self.conv1 = {spatial(style, u, cin, inner, groups='1')}"]
    init += _norm(style, "norm1", inner)
    forward = [f"out = {style.activate(style.normalise('norm1', 'self.conv1(x)'))}"]
    if "gated" in traits:
        init.append(_gate(u, inner))
        forward.append("out = self.gate(out)")
    if not narrow:
        init += [f"self.conv2 = {style.make_conv(inner, width)}", *_norm(style, "norm2", width)]
        forward.append(f"out = {style.normalise('norm2', 'self.conv2(out)')}")
    says = "A convolution." if narrow else "A convolution to more channels, 1 × 1 back to few."
    return _with_sum(name, u, init, forward, says)


def write_convnext(name: str, u: Uses, style: Style, traits: frozenset[str]) -> str:
    """One large filter per channel, then two 1 × 1 convolutions, and a skip around."""
    width = u.text("width")
    inner, init = _inner(u, "4 * width", "2 * width", "3 * width")
    depthwise = style.make_conv(
        width,
        width,
        u.text("kernel"),
        padding=u.text("padding", "kernel // 2", "dilation", "dilation * (kernel - 1) // 2"),
        dilation=u.text("dilation"),
        groups=width,
    )
    init += [f"self.conv1 = {depthwise}", *_norm(style, "norm", width)]
    init += [f"self.conv2 = {style.make_conv(width, inner)}"]
    init += [f"self.conv3 = {style.make_conv(inner, width)}"]
    forward = [
        f"out = {style.normalise('norm', 'self.conv1(x)')}",
        f"out = self.conv3({style.activate('self.conv2(out)')})",
    ]
    if "scaled" in traits:
        init.append(f"self.scale = LayerScale({width}, {u.text('scale')})")
        forward.append("out = self.scale(out)")
    plain = "plain" in traits
    forward.append("return out" if plain else "return x + out")
    skip = "." if plain else "; a skip around all."
    says = f"One large filter per channel, then two 1 × 1 convolutions{skip}"
    return write_class(name, says, u, init, forward)


def write_densenet(name: str, u: Uses, style: Style) -> str:
    """Few new channels, put behind all that came before."""
    cin, width = u.text("channels_in"), u.text("width")
    inner, init = _inner(u, "4 * width")
    second = style.make_conv(
        inner,
        width,
        u.text("kernel"),
        padding=u.text("padding", "kernel // 2", "dilation", "dilation * (kernel - 1) // 2"),
        dilation=u.text("dilation"),
    )
    init += [*_norm(style, "norm1", cin), f"self.conv1 = {style.make_conv(cin, inner)}"]
    init += [*_norm(style, "norm2", inner), f"self.conv2 = {second}"]
    forward = [
        f"new = self.conv1({style.activate(style.normalise('norm1', 'x'))})",
        f"new = self.conv2({style.activate(style.normalise('norm2', 'new'))})",
        "return torch.cat((x, new), dim=1)",
    ]
    return write_class(
        name, "New channels, put behind all that came before.", u, init, forward
    )  # fmt: skip


def _inner(u: Uses, *formulas: str) -> tuple[str, list[str]]:
    """The channels inside a block; a formula is given a name first."""
    text = u.text("inner", *formulas)
    return ("inner", [f"inner = {text}"]) if " " in text else (text, [])


def _norm(style: Style, name: str, channels: str) -> list[str]:
    return [f"self.{name} = {style.make_norm(channels)}"] if style.normed else []


def _gate(u: Uses, channels: str) -> str:
    shares = [f"{of} // {k}" for of in ("width", "channels_in") for k in (32, 16, 8, 4, 2)]
    return f"self.gate = SqueezeExcite({channels}, {u.text('squeeze', *shares)})"


def _changes(u: Uses, changes: list[bool]) -> str:
    return u.condition(changes, "stride != 1", "channels_in != width")


def _with_skip(
    name: str,
    u: Uses,
    style: Style,
    traits: frozenset[str],
    shortcut: str,
    init: list[str],
    forward: list[str],
    what: str,
) -> str:
    """The end of a basic or bottleneck block: gate, sum, activation."""
    if "gated" in traits:
        init.append(_gate(u, u.text("width")))
        forward.append("out = self.gate(out)")
    if "plain" in traits:
        forward.append(f"return {style.activate('out')}")
        return write_class(name, f"{what}.", u, init, forward)
    changes = [bool(use["changes"]) for use in u.uses]
    added = "self.shortcut(x)" if any(changes) else "x"
    if all(changes):
        init.append(f"self.shortcut = {shortcut}")
    elif any(changes):
        init += [
            "self.shortcut = nn.Identity()",
            f"if {_changes(u, changes)}:",
            f"    self.shortcut = {shortcut}",
        ]
    forward.append(f"return {style.activate(f'out + {added}')}")
    return write_class(name, f"{what} and a skip around them.", u, init, forward)


def _with_sum(name: str, u: Uses, init: list[str], forward: list[str], says: str) -> str:
    """The end of an inverted or fused block: x is added where the shapes agree."""
    adds = [bool(use["adds"]) for use in u.uses]
    if all(adds):
        forward.append("return x + out")
        return write_class(name, says[:-1] + "; x is added.", u, init, forward)
    if not any(adds):
        forward[-1] = forward[-1].replace("out = ", "return ", 1)
        return write_class(name, says, u, init, forward)
    keeps = [not add for add in adds]
    init.append(f"self.skip = not ({u.condition(keeps, 'stride != 1', 'channels_in != width')})")
    init[-1] = _positive(init[-1])
    forward.append("return x + out if self.skip else out")
    says = says[:-1] + "; x is added where it fits."
    return write_class(name, says, u, init, forward)


def _positive(line: str) -> str:
    """``not (a != b or c != d)`` as a person writes it."""
    start, _, inside = line.partition("not (")
    return start + inside[:-1].replace(" != ", " == ").replace(" or ", " and ")
