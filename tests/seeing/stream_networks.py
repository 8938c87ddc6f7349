"""Small networks of many makes, in which nothing is zero or one that training would change."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from peers import import_peer
from striate.arch import Arch, Head, Stage, Stem
from striate.building import build

Make = Callable[[], nn.Module]


def shaken(module: nn.Module, seed: int = 0) -> nn.Module:
    """Weights, norms, biases, layer scales, running statistics drawn anew: none is 0 or 1."""
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if parameter.squeeze().dim() <= 1:
                base = 0.0 if name.endswith("bias") else 1.0
                parameter.copy_(base + 0.4 * torch.randn(parameter.shape, generator=draw))
            else:
                width = parameter[0].numel() ** 0.5
                parameter.copy_(1.4 * torch.randn(parameter.shape, generator=draw) / width)
        for name, buffer in module.named_buffers():
            if name.endswith("running_mean"):
                buffer.copy_(0.3 * torch.randn(buffer.shape, generator=draw))
            elif name.endswith("running_var"):
                buffer.copy_(0.5 + torch.rand(buffer.shape, generator=draw))
    return module.eval()


def picture(channels: int, side: int, count: int = 1) -> Tensor:
    draw = torch.Generator().manual_seed(7)
    return torch.randn(count, channels, side, side, generator=draw, dtype=torch.float64)


def _ours(block: str, *, own: dict[str, Any] | None = None, **parts: Any) -> Make:
    own = own or {}
    given: dict[str, Any] = {
        "name": block,
        "image": (1, 8, 8),
        "classes": 3,
        "stem": Stem(width=8, kernel=3),
    }
    if "stages" not in parts:
        first, second = {"width": 8}, {"width": 12, "stride": 2}
        given["stages"] = tuple(
            Stage(block=block, depth=2, **own, **row) for row in (first, second)
        )
    return functools.partial(build, Arch(**{**given, **parts}))


class Reused(nn.Module):
    """One block for all depths, sums and activations in place, its skip a function."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 6, 3, padding=1)
        self.norm = nn.BatchNorm2d(6)
        self.conv = nn.Conv2d(6, 6, 3, padding=1)
        self.act = nn.ReLU(inplace=True)
        self.head = nn.Linear(6, 3)
        self.register_buffer("calls", torch.zeros(()))
        self.calls: Tensor

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for _ in range(3):
            out = self.conv(F.relu_(self.norm(x)))
            out += x
            x = out
            self.calls += 1
        x[:, :2] *= 0.5  # into a view
        return self.head(self.act(x).mean((2, 3)))


class Written(nn.Module):
    """Gates and attention written out by hand, a norm over features, tokens first."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Conv2d(1, 8, 2, stride=2)
        self.first = nn.Parameter(torch.randn(1, 1, 8))
        self.q, self.k, self.v = (nn.Linear(8, 8) for _ in range(3))
        self.norm = nn.LayerNorm(8)
        self.up, self.gate, self.down = nn.Linear(8, 12), nn.Linear(8, 12), nn.Linear(12, 8)
        self.head = nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.embed(x).flatten(2).permute(2, 0, 1)  # (tokens, N, 8)
        x = torch.cat([self.first.expand(-1, x.shape[1], -1), x])
        n = self.norm(x).transpose(0, 1)
        weights = (self.q(n) @ self.k(n).transpose(1, 2) / 8**0.5).softmax(-1)
        x = x + (weights @ self.v(n)).transpose(0, 1)
        x = x + self.down(self.up(x) * F.silu(self.gate(x)))
        x = x / x.pow(2).mean(-1, keepdim=True).add(1e-6).sqrt()
        return self.head(x[0])


class Bare(nn.Module):
    """No convolution, no pooling, no skip; a thousand classes."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Flatten(), nn.Linear(64, 20), nn.Sigmoid(), nn.Linear(20, 20), nn.PReLU(),
            nn.Linear(20, 1000), nn.Softmax(dim=1),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


_GROWING = {
    "stages": tuple(Stage(block="densenet", depth=2, width=4, transition=0.5) for _ in "ab")
}
_TOKENS = {
    "stem": Stem(width=12, kernel=2, stride=2, norm=False, activation=False),
    "stages": (Stage(block="transformer", depth=2, width=12, heads=2, layer_scale=0.5),),
    "head": Head(pool="token", norm="map"),
    "norm": "layer",
    "activation": "gelu",
}

OURS: dict[str, Make] = {
    "basic": _ours("basic"),
    "bottleneck": _ours("bottleneck", activation="relu6"),
    "preact": _ours("basic", preact=True),
    "padded": _ours("basic", own={"shortcut": "pad"}),
    "squeezed": _ours("basic", own={"squeeze": 0.25}),
    "convnext": _ours("convnext", own={"layer_scale": 0.5}, activation="gelu"),
    "inverted": _ours("inverted", own={"expansion": 2, "squeeze": 0.25}, activation="silu"),
    "fused": _ours("fused", own={"expansion": 2}, activation="tanh"),
    "densenet": _ours("densenet", **_GROWING),
    "transformer": _ours("transformer", **_TOKENS),
    "plain": _ours("basic", own={"skip": False}),
    "reused": Reused,
    "written": Written,
    "bare": Bare,
}


def _timm(name: str, **own: Any) -> nn.Module:
    """One of timm's, made small; a skip where timm is not installed."""
    try:
        timm = import_peer("timm")
    except ImportError:
        pytest.skip("needs timm")
    return timm.create_model(name, num_classes=3, in_chans=1, **own)


def _timm_efficientnet() -> nn.Module:
    try:
        timm = import_peer("timm")
    except ImportError:
        pytest.skip("needs timm")
    return timm.models.efficientnet._gen_efficientnet(
        "efficientnet_b0",
        channel_multiplier=0.25,
        depth_multiplier=0.5,
        num_classes=3,
        in_chans=1,
    )


_SMALL: dict[str, Any] = {"layers": (1, 2, 1, 1), "channels": (8, 8, 12, 12)}
TIMM: dict[str, Make] = {
    "resnet18": functools.partial(_timm, "resnet18", **_SMALL),
    "resnet50": functools.partial(_timm, "resnet50", **_SMALL),
    "resnetv2": functools.partial(
        _timm, "resnetv2_50", layers=(1, 2, 1, 1), channels=(16, 16, 24, 24), stem_chs=8
    ),
    "seresnet": functools.partial(_timm, "seresnet50", **_SMALL),
    "convnext": functools.partial(
        _timm, "convnext_atto", depths=(1, 1, 2, 1), dims=(8, 8, 12, 12), ls_init_value=0.5
    ),
    "vit": functools.partial(
        _timm, "vit_tiny_patch16_224", img_size=32, patch_size=8, depth=2, embed_dim=24, num_heads=2
    ),
    "efficientnet": _timm_efficientnet,
    "swin": functools.partial(
        _timm,
        "swin_tiny_patch4_window7_224",
        img_size=16,
        patch_size=2,
        window_size=4,
        embed_dim=8,
        depths=(2, 2),
        num_heads=(1, 2),
    ),
    "densenet": functools.partial(_timm, "densenet121", growth_rate=4, block_config=(2, 2)),
}
SIDES = {"vit": 32, "convnext": 32}
"""Images of timm's small networks are 16 pixels wide but for these."""

EVERY: dict[str, tuple[Make, int]] = {
    **{f"ours {name}": (make, 8) for name, make in OURS.items()},
    **{f"timm {name}": (make, SIDES.get(name, 16)) for name, make in TIMM.items()},
}


@functools.cache
def network(name: str) -> tuple[nn.Module, Tensor]:
    """One of ``EVERY`` by name, shaken, and an image for it (C, H, W), both in float64."""
    make, side = EVERY[name]
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return shaken(make()).double(), picture(1, side)[0]
