"""Where branches meet: shortcuts, concatenations, what happens to the identity."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from real_bugs import cna, head, reported
from striate.records import Edit


class Basic(nn.Module):
    """A basic block with everything left to be set."""

    def __init__(self, given: int, out: int, strides: tuple[int, int], shortcut: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(given, out, 3, strides[0], 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out)
        self.conv2 = nn.Conv2d(out, out, 3, strides[1], 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out)
        self.shortcut = nn.Sequential()
        if shortcut != 1 or given != out:
            conv = nn.Conv2d(given, out, 1, shortcut, bias=False)
            self.shortcut = nn.Sequential(conv, nn.BatchNorm2d(out))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(out)) + self.shortcut(x))


@reported(
    "keon/3-min-pytorch/issues/29", (3, 32, 32), "RE401", "2", "stride",
)  # fmt: skip
def both_convolutions_strided() -> nn.Module:
    """The block's stride on both of its convolutions: a quarter of the size, not half."""
    block = Basic(16, 32, (2, 2), shortcut=2)
    return nn.Sequential(cna(3, 16), Basic(16, 16, (1, 1)), block, head(32))


@reported("HRNet/HRNet-MaskRCNN-Benchmark/issues/10", (3, 64, 64), "RE401", "1", "stride")
def stride_used_twice() -> nn.Module:
    """A basic block that hands its stride to conv1 and to conv2."""
    return nn.Sequential(cna(3, 64), Basic(64, 64, (2, 2), shortcut=2), head(64))


@reported("GengDavid/pytorch-cpn/issues/45", (3, 64, 64), "RE401", "2", "1×1")
def bottleneck_without_downsample() -> nn.Module:
    """Bottlenecks of another width, put in without the projection they need."""

    class Bottleneck(nn.Module):
        def __init__(self, given: int, inner: int) -> None:
            super().__init__()
            self.reduce, self.conv = cna(given, inner, 1), cna(inner, inner)
            self.expand = nn.Conv2d(inner, inner * 4, 1, bias=False)
            self.bn3 = nn.BatchNorm2d(inner * 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return F.relu(self.bn3(self.expand(self.conv(self.reduce(x)))) + x)

    return nn.Sequential(cna(3, 64, 3, 2), Bottleneck(64, 16), Bottleneck(64, 32), head(128))


@reported("milesial/Pytorch-UNet/issues/32", (1, 75, 75), "RE401", "", "76×76")
def unet_with_an_odd_image() -> nn.Module:
    """A U-Net whose skip is one pixel larger than what comes up."""

    class UNet(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inc, self.down1, self.down2 = cna(1, 16), cna(16, 32), cna(32, 64)
            self.up1 = nn.ConvTranspose2d(64, 32, 2, 2)
            self.mix1 = cna(64, 32)
            self.up2 = nn.ConvTranspose2d(32, 16, 2, 2)
            self.mix2 = cna(32, 16)
            self.out = nn.Conv2d(16, 2, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            a = self.inc(x)
            b = self.down1(F.max_pool2d(a, 2))
            c = self.down2(F.max_pool2d(b, 2))
            c = self.mix1(torch.cat([b, self.up1(c)], 1))
            return self.out(self.mix2(torch.cat([a, self.up2(c)], 1)))

    return UNet()


@reported("FrancescoSaverioZuppichini/glasses/issues/236", (3, 60, 60), "RE401", "3", "ceil")
def shortcut_that_pools_an_odd_map() -> nn.Module:
    """An average pool on the shortcut rounds down where the strided convolution rounds up."""

    class Block(nn.Module):
        def __init__(self, given: int, out: int) -> None:
            super().__init__()
            self.branch = nn.Sequential(
                cna(given, out, 3, 2), nn.Conv2d(out, out, 3, 1, 1, bias=False), nn.BatchNorm2d(out)
            )
            self.shortcut = nn.Sequential(
                nn.AvgPool2d(2, 2), nn.Conv2d(given, out, 1, bias=False), nn.BatchNorm2d(out)
            )

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return F.relu(self.branch(x) + self.shortcut(x))

    return nn.Sequential(cna(3, 16, 3, 2), Block(16, 32), cna(32, 32), Block(32, 64), head(64))


@reported("znxlwm/UGATIT-pytorch/issues/32", (3, 64, 64), "RE402", "0.0", "skip")
def residual_block_that_adds_nothing() -> nn.Module:
    """A generator's "residual" blocks return the branch; a deep chain without a skip."""

    class ResnetBlock(nn.Module):
        def __init__(self, width: int) -> None:
            super().__init__()
            self.body = nn.Sequential(cna(width, width), cna(width, width))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.body(x)

    blocks = [ResnetBlock(64) for _ in range(18)]
    return nn.Sequential(cna(3, 64, 3, 2), *blocks, head(64))


@reported(
    "kuangliu/pytorch-cifar/issues/4",
    (3, 32, 32),
    "RE404",
    "1.branch.1.2",
    "take it away",
    Edit(path="1.branch.1.2", argument=None),
)  # fmt: skip, "RE403", "1", "activation")
def relu_before_the_sum() -> nn.Module:
    """A ReLU at the end of the branch: the block can add, and never take away."""

    class Block(nn.Module):
        def __init__(self, width: int) -> None:
            super().__init__()
            self.branch = nn.Sequential(cna(width, width), cna(width, width))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return F.relu(self.branch(x) + x)

    return nn.Sequential(cna(3, 32), Block(32), Block(32), cna(32, 64, 3, 2), Block(64), head(64))


@reported(
    "rosinality/vq-vae-2-pytorch/issues/60",
    (3, 32, 32),
    "RE403",
    "1.conv.0",
    "inplace",
    Edit(path="1.conv.0", argument="inplace", value=False),
)  # fmt: skip, "RE403", "1", "inplace")
def activation_in_place_on_the_identity() -> nn.Module:
    """The branch begins with an in-place ReLU, and so changes the identity it is added to."""

    class ResBlock(nn.Module):
        def __init__(self, width: int) -> None:
            super().__init__()
            self.conv = nn.Sequential(
                nn.ReLU(inplace=True),
                nn.Conv2d(width, width, 3, padding=1),
                nn.ReLU(inplace=True),
                nn.Conv2d(width, width, 1),
            )

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            out = self.conv(x)
            out += x
            return out

    stem = nn.Conv2d(3, 64, 4, 2, 1)
    return nn.Sequential(stem, ResBlock(64), ResBlock(64), nn.ReLU(), head(64))


@reported(
    "tflearn/tflearn/issues/13",
    (3, 32, 32),
    "RE408",
    "1.shortcut.0",
    "input as it is",
    Edit(path="1.shortcut.0", argument=None),
)  # fmt: skip, "RE406", "1", "identity")
def projection_in_every_block() -> nn.Module:
    """A projection on every shortcut, also where the shapes agree."""

    class Block(nn.Module):
        def __init__(self, given: int, out: int, stride: int = 1) -> None:
            super().__init__()
            self.branch = nn.Sequential(
                cna(given, out, 3, stride),
                nn.Conv2d(out, out, 3, 1, 1, bias=False),
                nn.BatchNorm2d(out),
            )
            self.shortcut = nn.Sequential(
                nn.Conv2d(given, out, 1, stride, bias=False), nn.BatchNorm2d(out)
            )

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return F.relu(self.branch(x) + self.shortcut(x))

    widths = [(32, 32, 1), (32, 32, 1), (32, 64, 2), (64, 64, 1), (64, 64, 1)]
    return nn.Sequential(cna(3, 32), *[Block(*one) for one in widths], head(64))


@reported("talmolab/sleap-nn/pull/428", (3, 64, 64), "SH100", "refine", "96")
def decoder_that_guesses_its_skip() -> nn.Module:
    """The decoder computes its skip's width by a rule the encoder does not follow."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem, self.down = cna(3, 48), cna(48, 96, 3, 2)
            self.up = nn.Upsample(scale_factor=2, mode="bilinear")
            self.squeeze = nn.Conv2d(96, 48, 1)
            self.refine = nn.Conv2d(48 + 32, 48, 3, padding=1)
            self.out = nn.Conv2d(48, 4, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            skip = self.stem(x)
            up = self.squeeze(self.up(self.down(skip)))
            return self.out(F.relu(self.refine(torch.cat([up, skip], 1))))

    return Net()
