"""Sizes: stems, pools, flattens, borders, kernels."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn

from real_bugs import cna, head, reported
from striate.records import Edit


class Residual(nn.Module):
    """A basic block without a change of width."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            cna(width, width), nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(x + self.body(x))


@reported("twosixlabs/armory/issues/1689", (3, 32, 32), "SH106", "conv1", "stride=1")
def imagenet_resnet_on_cifar() -> nn.Module:
    """A library's ResNet-18, stem and all, evaluated on 32-pixel images: 25 % error for 5 %."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(3, 64, kernel_size=7, stride=2, padding=3, bias=False)
            self.bn1 = nn.BatchNorm2d(64)
            self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
            self.layer1 = nn.Sequential(Residual(64), Residual(64))
            self.layer2 = nn.Sequential(cna(64, 128, stride=2), Residual(128))
            self.head = head(128)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.maxpool(F.relu(self.bn1(self.conv1(x))))
            return self.head(self.layer2(self.layer1(x)))

    return Net()


@reported("weiaicunzai/pytorch-cifar100/issues/29", (3, 32, 32), "SH106", "0", "stride=1")
def seven_by_seven_and_pool_on_cifar100() -> nn.Module:
    """Why 70 % with one ResNet-18 and 55 % with another: the stem and the pool behind it."""
    stem = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU()]
    return nn.Sequential(*stem, nn.MaxPool2d(3, 2, 1), Residual(64), cna(64, 128, 3, 2), head(128))


@reported("weiliu89/caffe/issues/410", (3, 96, 96), "SH101", "locate", "1×1")
def three_by_three_on_one_position() -> nn.Module:
    """A detector's last head: a padded 3×3 kernel on a map of 1×1."""

    class Detector(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = cna(3, 16)
            self.base = nn.Sequential(*[cna(a, a + 16, 3, 2) for a in (16, 32, 48, 64)])
            self.extra = cna(80, 64, 3, 2)
            self.last = nn.Sequential(nn.Conv2d(64, 64, 3), nn.ReLU())
            self.locate = nn.Conv2d(64, 24, 3, padding=1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.last(self.extra(self.base(self.first(x))))
            return self.locate(x).flatten(1)

    return Detector()


@reported(
    "forresti/SqueezeNet/issues/14", (3, 64, 64), "SH109", "classifier.0", "padding",
    Edit(path="classifier.0", argument="padding", value=0),
)  # fmt: skip
def squeezenet_conv10() -> nn.Module:
    """Why has conv10, which is 1×1, a padding of 1?"""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.features = nn.Sequential(cna(3, 64, 3, 2), cna(64, 128, 3, 2), cna(128, 128))
            self.classifier = nn.Sequential(nn.Conv2d(128, 10, 1, padding=1))
            self.pool = nn.AdaptiveAvgPool2d(1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.pool(self.classifier(self.features(x))).flatten(1)

    return Net()


def vgg(*more: nn.Module, classifier: nn.Module) -> nn.Module:
    """Five stages of VGG's shape, narrow."""
    widths = [(3, 32), (32, 64), (64, 128), (128, 128), (128, 128)]
    stages = [module for given, out in widths for module in (cna(given, out), nn.MaxPool2d(2, 2))]
    features = nn.Sequential(*stages, *more)
    return nn.Sequential(features, nn.Flatten(), classifier)


@reported("huyvnphan/PyTorch_CIFAR10/issues/9", (3, 32, 32), "SH111", "0.10", "1")
def vgg_pool_to_seven_on_cifar() -> nn.Module:
    """ImageNet's 7×7 adaptive pool behind a 1×1 map: 49 copies, and a dense layer for each."""
    dense = nn.Sequential(nn.Linear(128 * 49, 256), nn.ReLU(), nn.Linear(256, 10))
    return vgg(nn.AdaptiveAvgPool2d((7, 7)), classifier=dense)


@reported(
    "kuangliu/pytorch-cifar/issues/110", (3, 32, 32), "SH110", "0.10", "away",
    Edit(path="0.10", argument=None),
)  # fmt: skip
def vgg_average_pool_of_one() -> nn.Module:
    """What does an average pool of kernel 1 and stride 1 do at the end of VGG?"""
    return vgg(nn.AvgPool2d(kernel_size=1, stride=1), classifier=nn.Linear(128, 10))


@reported(
    "torch/demos/pull/46",
    (3, 32, 32),
    "SH103",
    "2",
    "ceil_mode",
    Edit(path="2", argument="ceil_mode", value=True),
)
def pools_that_lose_rows() -> nn.Module:
    """5×5 unpadded, pooled by threes: 28 is no multiple of 3, so the last rows are lost."""
    return nn.Sequential(
        nn.Conv2d(3, 32, 5), nn.Tanh(), nn.MaxPool2d(3, 3),
        nn.Conv2d(32, 64, 5), nn.Tanh(), nn.MaxPool2d(2, 2),
        nn.Flatten(), nn.Linear(64 * 4, 128), nn.Tanh(), nn.Linear(128, 10),
    )  # fmt: skip


@reported("facebookresearch/CrypTen/issues/487", (1, 28, 28), "SH100", "fc1", "flatten(1)")
def view_forgotten_before_dense() -> nn.Module:
    """A convolutional network whose map reaches the dense layer unflattened."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(1, 32, 3)
            self.conv2 = nn.Conv2d(32, 64, 3)
            self.fc1 = nn.Linear(9216, 128)
            self.fc2 = nn.Linear(128, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = F.relu(self.conv2(F.relu(self.conv1(x))))
            x = F.max_pool2d(x, 2)
            return self.fc2(F.relu(self.fc1(x)))

    return Net()


@reported("mrdbourke/pytorch-deep-learning/issues/763", (1, 28, 28), "SH100", "2.1", "490")
def dense_for_channels_alone() -> nn.Module:
    """The classifier takes the hidden units, and forgets the 7×7 positions of each."""
    block1 = nn.Sequential(nn.Conv2d(1, 10, 3, 1, 1), nn.ReLU(), nn.MaxPool2d(2))
    block2 = nn.Sequential(nn.Conv2d(10, 10, 3, 1, 1), nn.ReLU(), nn.MaxPool2d(2))
    return nn.Sequential(block1, block2, nn.Sequential(nn.Flatten(), nn.Linear(10, 10)))


@reported("securefederatedai/openfederatedlearning/issues/226", (1, 28, 28), "SH100", "fc1", "128")
def dense_for_thirty_two_pixels() -> nn.Module:
    """A network sized for 32-pixel images is given 28: the dense layer expects 2×2, gets 1×1."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            widths = [(1, 32), (32, 64), (64, 128), (128, 128)]
            self.blocks = nn.Sequential(
                *[nn.Sequential(cna(a, b), nn.MaxPool2d(2, 2)) for a, b in widths]
            )
            self.fc1 = nn.Linear(128 * 2 * 2, 256)
            self.fc2 = nn.Linear(256, 10)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.fc2(F.relu(self.fc1(self.blocks(x).flatten(1))))

    return Net()


@reported("NVIDIA/pix2pixHD/issues/149", (3, 64, 64), "SH108", "up.0", "kernel")
def generator_three_by_two() -> nn.Module:
    """A generator's transposed convolutions: kernel 3, stride 2, covered unevenly."""

    class Generator(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.down = nn.Sequential(cna(3, 32), cna(32, 64, 3, 2), cna(64, 128, 3, 2))
            self.up = nn.Sequential(
                nn.ConvTranspose2d(128, 64, 3, stride=2, padding=1, output_padding=1, bias=False),
                nn.BatchNorm2d(64),
                nn.ReLU(),
                nn.ConvTranspose2d(64, 32, 3, stride=2, padding=1, output_padding=1, bias=False),
                nn.BatchNorm2d(32),
                nn.ReLU(),
            )
            self.out = nn.Conv2d(32, 3, 7, padding=3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.out(self.up(self.down(x)))

    return Generator()


@reported("XPixelGroup/BasicSR/issues/249", (3, 49, 74), "SH104", "4.0", "at least")
def discriminator_on_small_patches() -> nn.Module:
    """4×4 kernels by twos, once too often for patches of 49×74."""
    widths = [3, 32, 64, 64, 64, 64]
    layers = [nn.Sequential(nn.Conv2d(a, b, 4, 2), nn.LeakyReLU(0.2)) for a, b in pairwise(widths)]
    return nn.Sequential(*layers, head(64, 2))


@reported("deepmedic/deepmedic/issues/113", (1, 27, 27), "SH104", "5.0", "at least")
def pathway_that_runs_out_of_image() -> nn.Module:
    """A pathway by threes, then unpadded 3×3: nothing is left after the fifth."""
    first = nn.Sequential(nn.Conv2d(1, 16, 3, stride=3), nn.ReLU())
    rest = [nn.Sequential(nn.Conv2d(16, 16, 3), nn.ReLU()) for _ in range(6)]
    return nn.Sequential(first, *rest, head(16))


@reported("keras-team/keras-applications/issues/81", (3, 64, 64), "FL203", "stage.a.0", "3")
def bottleneck_strided_on_its_first() -> nn.Module:
    """Stride 2 on the block's 1×1, and on the shortcut's: three of four positions unread."""

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = nn.Sequential(nn.Conv2d(64, 32, 1, 2, bias=False), nn.BatchNorm2d(32))
            self.b = cna(32, 32)
            self.c = nn.Sequential(nn.Conv2d(32, 128, 1, bias=False), nn.BatchNorm2d(128))
            self.shortcut = nn.Sequential(nn.Conv2d(64, 128, 1, 2, bias=False), nn.BatchNorm2d(128))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return F.relu(self.c(self.b(F.relu(self.a(x)))) + self.shortcut(x))

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem = nn.Sequential(cna(3, 64), cna(64, 64))
            self.stage = Block()
            self.head = nn.Sequential(cna(128, 128, 3, 2), head(128))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(self.stage(self.stem(x)))

    return Net()


@reported("microsoft/CNTK/issues/3515", (3, 32, 32), "FL205", "1", "odd")
def even_kernels_padded_to_the_same_size() -> nn.Module:
    """4×4 kernels that keep the size: they must be padded by one more on one side."""
    even = nn.Conv2d(32, 32, 4, padding="same", bias=False)
    return nn.Sequential(
        cna(3, 32), even, nn.BatchNorm2d(32), nn.ReLU(), cna(32, 64, 3, 2), cna(64, 64), head(64)
    )


@reported("MEDAL-IITB/Lung-Segmentation/issues/1", (1, 64, 64), "FL204", "2.0", "dilation")
def dilations_of_two_in_a_row() -> nn.Module:
    """Segmentations with a grid in them: all dilations alike."""

    def dilated(width: int) -> nn.Module:
        conv = nn.Conv2d(width, width, 3, padding=2, dilation=2, bias=False)
        return nn.Sequential(conv, nn.BatchNorm2d(width), nn.ReLU())

    stem = [cna(1, 32), cna(32, 32, 3, 2)]
    return nn.Sequential(*stem, *[dilated(32) for _ in range(4)], nn.Conv2d(32, 2, 1))


@reported("Coderx7/SimpNet/issues/2", (3, 256, 256), "CO602", "2.0", "downsample before it")
def network_for_cifar_on_larger_images() -> nn.Module:
    """Stride 1 for nine layers suits 32 pixels; at 256 it runs out of memory."""
    early = [cna(a, b) for a, b in ((3, 64), (64, 128), (128, 128), (128, 128))]
    late = [nn.MaxPool2d(2, 2), cna(128, 128), cna(128, 128), nn.MaxPool2d(2, 2), cna(128, 128)]
    return nn.Sequential(*early, *late, head(128))
