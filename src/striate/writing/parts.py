"""The small classes that blocks, stages and heads are made of, as text."""

from __future__ import annotations

from striate.writing.style import Style
from striate.writing.uses import Uses, number
from striate.writing.written import write_class


def write_projection(u: Uses, style: Style) -> str:
    """The 1 × 1 convolution of a skip whose shape changes (He et al. 2015, option B)."""
    cin, width = u.text("channels_in"), u.text("width")
    init = [f"self.conv = {style.make_conv(cin, width, stride=u.text('stride'))}"]
    normed = style.normed and not style.preact
    if normed:
        init.append(f"self.norm = {style.make_norm(width)}")
    body = "self.norm(self.conv(x))" if normed else "self.conv(x)"
    says = "A skip whose shape changes."
    return write_class("Projection", says, u, init, [f"return {body}"])


def write_zero_pad(u: Uses) -> str:
    """Striding and channels of zeros (He et al. 2015, option A)."""
    stride, extra = u.text("stride"), u.text("extra")
    init = [f"self.{name} = {name}" for name in ("extra", "stride") if name in u.parameters]
    stride = "self.stride" if "stride" in u.parameters else stride
    extra = "self.extra" if "extra" in u.parameters else extra
    forward = [] if stride == "1" else [f"x = x[:, :, ::{stride}, ::{stride}]"]
    forward.append(f"return F.pad(x, (0, 0, 0, 0, 0, {extra}))")
    says = "A skip whose shape changes, without weights: fewer pixels, new channels of zeros."
    return write_class("ZeroPad", says, u, init, forward)


def write_squeeze(style: Style) -> str:
    """A gate of each channel that sees the whole map."""
    return f'''\
class SqueezeExcite(nn.Module):
    """Each channel times a gate, between 0 and 1, that sees the mean of every channel."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels, hidden, 1)
        self.expand = nn.Conv2d(hidden, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        gate = F.adaptive_avg_pool2d(x, 1)
        gate = {style.activate("self.reduce(gate)")}
        return x * torch.sigmoid(self.expand(gate))
'''


def write_layer_scale(*, tokens: bool) -> str:
    """A learnt factor per channel."""
    factor = "self.scale" if tokens else "self.scale[:, None, None]"
    return f'''\
class LayerScale(nn.Module):
    """Each channel times a learnt factor."""

    def __init__(self, channels: int, start: float) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.full((channels,), start))

    def forward(self, x: Tensor) -> Tensor:
        return x * {factor}
'''


def write_downsample(u: Uses, style: Style) -> str:
    """A norm and a convolution that cuts patches."""
    cin, width, stride = u.text("channels_in"), u.text("width"), u.text("stride")
    init = [f"self.norm = {style.make_norm(cin)}"] if style.normed else []
    init.append(f"self.conv = {style.make_conv(cin, width, stride, stride=stride)}")
    forward = [f"return self.conv({style.normalise('norm', 'x')})"]
    says = "A norm, and a convolution of patches." if style.normed else "A convolution of patches."
    return write_class("Downsample", says, u, init, forward)


def write_compression(u: Uses, style: Style) -> str:
    """DenseNet's transition without its pool."""
    cin, width = u.text("channels_in"), u.text("width", "channels_in // 2")
    init = [f"self.norm = {style.make_norm(cin)}"] if style.normed else []
    init.append(f"self.conv = {style.make_conv(cin, width)}")
    forward = [f"return self.conv({style.activate(style.normalise('norm', 'x'))})"]
    return write_class("Compression", "A 1 × 1 convolution to fewer channels.", u, init, forward)


def write_tokens(u: Uses, *, classed: bool) -> str:
    """From a map to tokens that know their places."""
    channels, count = u.uses[0]["channels"], u.uses[0]["count"]
    init = [f"self.class_token = nn.Parameter(torch.zeros(1, 1, {channels}))"] if classed else []
    init.append(f"self.positions = nn.Parameter(torch.zeros(1, {count}, {channels}))")
    forward = ["x = x.flatten(2).transpose(1, 2)  # (N, C, H, W) → (N, H·W, C)"]
    if classed:
        forward.append("x = torch.cat((self.class_token.expand(len(x), -1, -1), x), dim=1)")
    forward.append("return x + self.positions")
    says = "A map as tokens, row by row, each with a learnt vector for its place."
    says += "\nA class token comes first." if classed else ""
    return write_class("Tokens", says, u, init, forward)


def write_transformer(name: str, u: Uses, style: Style, traits: frozenset[str]) -> str:
    """Attention among all tokens, then a small network at each."""
    width, inner = u.text("width"), u.text("inner", "4 * width")
    heads = u.text("heads", "width // 64")
    three = number(3 * u.uses[0]["width"]) if u.same("width") else f"3 * {width}"
    each = number(u.uses[0]["width"] // u.uses[0]["heads"]) if (
        u.same("width") and u.same("heads")
    ) else "width // self.heads"  # fmt: skip
    init = [] if u.same("heads") else [f"self.heads = {heads}"]
    told = heads if u.same("heads") else "self.heads"
    init += [
        f"self.norm1 = {style.make_token_norm(width)}",
        f"self.qkv = nn.Linear({width}, {three})",
        f"self.proj = nn.Linear({width}, {width})",
        f"self.norm2 = {style.make_token_norm(width)}",
        f"self.fc1 = nn.Linear({width}, {inner})",
        f"self.fc2 = nn.Linear({inner}, {width})",
    ]
    scaled, plain = "scaled" in traits, "plain" in traits
    if scaled:
        start = u.text("scale")
        init += [f"self.scale{i} = LayerScale({width}, {start})" for i in (1, 2)]

    def branch(inside: str, index: int) -> str:
        out = f"self.scale{index}({inside})" if scaled else inside
        return out if plain else f"x + {out}"

    small = f"self.fc2({style.activate('self.fc1(self.norm2(x))')})"
    forward = [f"x = {branch('self.attend(self.norm1(x))', 1)}", f"return {branch(small, 2)}"]
    attend = f'''\
    def attend(self, x: Tensor) -> Tensor:
        """Every token's mean of all values, weighted by softmax(q · k / √channels)."""
        images, tokens, width = x.shape
        split = self.qkv(x).reshape(images, tokens, 3, {told}, {each})
        q, k, v = split.permute(2, 0, 3, 1, 4).unbind(0)  # each (N, heads, tokens, channels)
        x = F.scaled_dot_product_attention(q, k, v)
        return self.proj(x.transpose(1, 2).reshape(images, tokens, width))
'''
    skip = "." if plain else "; a skip around each."
    says = f"Attention among all tokens, then two layers at every token{skip}"
    return write_class(name, says, u, init, forward, attend)


def write_dense(name: str, u: Uses, style: Style, *, drops: bool) -> str:
    """A fully connected layer, its activation, its dropout."""
    cin, width = u.text("channels_in"), u.text("width")
    init = [f"self.linear = nn.Linear({cin}, {width})"]
    forward = f"{style.activate('self.linear(x.flatten(1))')}"
    if drops:
        init.append(f"self.dropout = nn.Dropout({u.text('dropout')})")
        forward = f"self.dropout({forward})"
    return write_class(
        name, "A fully connected layer and its activation.", u, init, [f"return {forward}"]
    )  # fmt: skip
