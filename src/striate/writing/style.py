"""How a network's norm, activation and convolutions are written."""

from __future__ import annotations

from dataclasses import dataclass

from striate.arch import Arch
from striate.writing.uses import number

EPS = 1e-5  # torch's own


@dataclass(frozen=True, kw_only=True)
class Style:
    """What all blocks of a network share."""

    norm: str
    activation: str
    bias: bool
    eps: float
    preact: bool

    @classmethod
    def of(cls, arch: Arch) -> Style:
        return cls(
            norm=arch.norm,
            activation=arch.activation,
            bias=arch.conv_bias,
            eps=arch.eps,
            preact=arch.preact,
        )

    @property
    def normed(self) -> bool:
        """Whether there is a norm at all."""
        return self.norm != "none"

    @property
    def _eps(self) -> str:
        return "" if self.eps == EPS else f", eps={number(self.eps)}"

    def make_norm(self, channels: str) -> str:
        """The constructor of the norm of a map."""
        return {
            "batch": f"nn.BatchNorm2d({channels}{self._eps})",
            "group": f"group_norm({channels})",
            "layer": f"nn.GroupNorm(1, {channels}{self._eps})",
            "channel": f"ChannelNorm({channels}{self._eps})",
        }[self.norm]

    def make_token_norm(self, channels: str) -> str:
        """The constructor of the norm of tokens."""
        return f"nn.LayerNorm({channels}{self._eps})"

    def activate(self, x: str) -> str:
        """The activation of ``x``."""
        return f"torch.tanh({x})" if self.activation == "tanh" else f"F.{self.activation}({x})"

    def normalise(self, norm: str, x: str) -> str:
        """``self.norm(x)``, or x where there is no norm."""
        return f"self.{norm}({x})" if self.normed else x

    def make_conv(
        self,
        channels_in: str,
        channels_out: str,
        kernel: str = "1",
        *,
        stride: str = "1",
        padding: str = "0",
        dilation: str = "1",
        groups: str = "1",
    ) -> str:
        """The constructor of a convolution; what is torch's default is left out."""
        extra = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
        usual = {"stride": "1", "padding": "0", "dilation": "1", "groups": "1"}
        named = [f", {key}={value}" for key, value in extra.items() if value != usual[key]]
        bias = "" if self.bias else ", bias=False"
        return f"nn.Conv2d({channels_in}, {channels_out}, {kernel}{''.join(named)}{bias})"

    def helpers(self) -> list[str]:
        """What must be defined before the classes, for a norm that torch has not."""
        if self.norm == "group":
            return [_GROUP_NORM.replace("EPS", self._eps)]
        return [_CHANNEL_NORM] if self.norm == "channel" else []


_GROUP_NORM = '''\
def group_norm(channels: int) -> nn.GroupNorm:
    """Group norm; the most groups that divide the channels, at most 32, of at least two each."""
    most = max(1, min(32, channels // 2))
    groups = next(count for count in range(most, 0, -1) if channels % count == 0)
    return nn.GroupNorm(groups, channelsEPS)
'''

_CHANNEL_NORM = '''\
class ChannelNorm(nn.LayerNorm):
    """Layer norm over the channels of each position of a map (N, C, H, W)."""

    def forward(self, x: Tensor) -> Tensor:
        x = x.permute(0, 2, 3, 1)
        x = F.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)
        return x.permute(0, 3, 1, 2)
'''
