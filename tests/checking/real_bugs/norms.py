"""Norms and activations inside a network."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from real_bugs import cna, head, reported
from striate.records import Edit


class ImagePooling(nn.Module):
    """Global average pool, 1×1 convolution, a norm, upsampling."""

    def __init__(self, norm: nn.Module) -> None:
        super().__init__()
        self.pool, self.conv, self.norm = nn.AdaptiveAvgPool2d(1), nn.Conv2d(64, 32, 1), norm
        self.conv.bias = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        pooled = F.relu(self.norm(self.conv(self.pool(x))))
        return F.interpolate(pooled, size=x.shape[-2:], mode="nearest")


def pyramid(norm: nn.Module) -> nn.Module:
    """A segmentation network with image-level features."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = nn.Sequential(cna(3, 32, 3, 2), cna(32, 64, 3, 2))
            self.near, self.image = cna(64, 32, 1), ImagePooling(norm)
            self.project = nn.Sequential(cna(64, 32, 1), nn.Conv2d(32, 5, 1))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.encoder(x)
            return self.project(torch.cat([self.near(x), self.image(x)], 1))

    return Net()


@reported(
    "VainF/DeepLabV3Plus-Pytorch/issues/27", (3, 64, 64), "NA502", "image.norm", "no norm", batch=1
)
def batch_norm_behind_global_pooling() -> nn.Module:
    """Trained one image at a time, the norm behind the global pool has one value per channel."""
    return pyramid(nn.BatchNorm2d(32))


@reported(
    "jfzhang95/pytorch-deeplab-xception/issues/11", (3, 64, 64), "NA502", "1.1", "no norm", batch=1
)
def batch_of_one_on_a_pooled_map() -> nn.Module:
    """The same in another network: pool, convolution, batch norm, with a batch of one."""
    pooled = nn.Sequential(nn.Conv2d(64, 32, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU())
    encoder = nn.Sequential(cna(3, 64, 3, 2), cna(64, 64, 3, 2), nn.AdaptiveAvgPool2d(1))
    return nn.Sequential(encoder, pooled, nn.Flatten(), nn.Linear(32, 5))


@reported("liufeng2915/CFSM/issues/4", (3, 32, 32), "SH100", "norm", "norm")
def instance_norm_at_the_bottom() -> nn.Module:
    """Images of another size bring an instance norm down to a 1×1 map."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.down = nn.Sequential(*[cna(3 if n == 0 else 16, 16, 3, 2) for n in range(5)])
            self.norm = nn.InstanceNorm2d(16)
            self.out = nn.Conv2d(16, 4, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.out(F.relu(self.norm(self.down(x)))).flatten(1)

    return Net()


@reported("pytorch/pytorch/issues/19250", (3, 32, 32), "SH100", "norm", "norm")
def group_norm_of_single_values() -> nn.Module:
    """As many groups as channels on a 1×1 map: every output is the norm's shift."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.features = nn.Sequential(cna(3, 32, 3, 2), cna(32, 64, 3, 2))
            self.norm, self.fc = nn.GroupNorm(64, 64), nn.Linear(64, 10)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            pooled = self.features(x).mean((2, 3))
            return self.fc(self.norm(pooled))

    return Net()


@reported("getcrest/All-Conv-Keras/issues/6", (3, 32, 32), "NA504", "4", "activation")
def strided_convolution_for_a_pool() -> nn.Module:
    """A max pool was replaced by a strided convolution, and its nonlinearity by nothing."""
    return nn.Sequential(
        nn.Conv2d(3, 96, 3, padding=1), nn.ReLU(),
        nn.Conv2d(96, 96, 3, padding=1), nn.Conv2d(96, 96, 3, 2, 1),
        nn.Conv2d(96, 192, 3, padding=1), nn.ReLU(), head(192),
    )  # fmt: skip


@reported("open-mmlab/mmaction/issues/164", (3, 64, 64), "NA504", "conv2", "activation")
def activation_computed_and_left() -> nn.Module:
    """The activation is computed, and the next convolution reads what came before it."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem = cna(3, 32, 3, 2)
            self.conv1, self.bn1 = nn.Conv2d(32, 32, 1, bias=False), nn.BatchNorm2d(32)
            self.relu = nn.ReLU()
            self.conv2, self.bn2 = nn.Conv2d(32, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64)
            self.head = head(64)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            reduced = self.bn1(self.conv1(self.stem(x)))
            self.relu(reduced)
            return self.head(self.relu(self.bn2(self.conv2(reduced))))

    return Net()


@reported("nutonomy/nuscenes-devkit/issues/728", (3, 64, 64), "NA504", "fc2", "activation")
def two_dense_layers_in_a_row() -> nn.Module:
    """A head of two dense layers that one could replace."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.backbone = nn.Sequential(cna(3, 32, 3, 2), cna(32, 64, 3, 2))
            self.fc1, self.fc2 = nn.Linear(64, 128), nn.Linear(128, 50)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.fc2(self.fc1(self.backbone(x).mean((2, 3))))

    return Net()


@reported("Rocketknight1/minimal_lczero/issues/1", (8, 8, 8), "NA504", "fc_out", "activation")
def value_head_with_a_pointless_layer() -> nn.Module:
    """A value head: convolution, ReLU, two dense layers with nothing between."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.conv = cna(8, 32), cna(32, 8, 1)
            self.fc1, self.fc_out = nn.Linear(512, 64), nn.Linear(64, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.conv(self.body(x)).flatten(1)
            return self.fc_out(self.fc1(x))

    return Net()


@reported("rasbt/deeplearning-models/issues/38", (1, 32, 32), "NA504", "classifier.1", "activation")
def lenet_without_nonlinearity() -> nn.Module:
    """LeNet-5 whose activations went missing: three dense layers are one."""

    class LeNet5(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.features = nn.Sequential(
                nn.Conv2d(1, 6, 5), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.MaxPool2d(2)
            )
            self.classifier = nn.Sequential(
                nn.Linear(400, 120), nn.Linear(120, 84), nn.Linear(84, 10)
            )

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.classifier(self.features(x).flatten(1))

    return LeNet5()


@reported("kcct-fujimotolab/3DCNN/issues/6", (3, 32, 32), "NA517", "2.softmax", "ReLU")
def softmax_for_a_hidden_activation() -> nn.Module:
    """A softmax where a hidden convolution's ReLU belongs."""

    class Block(nn.Module):
        def __init__(self, given: int, out: int) -> None:
            super().__init__()
            self.conv, self.softmax = nn.Conv2d(given, out, 3, 2, 1), nn.Softmax(dim=1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.softmax(self.conv(x))

    return nn.Sequential(cna(3, 32), cna(32, 32), Block(32, 64), head(64))


@reported(
    "keras-team/keras/issues/12626",
    (3, 32, 32),
    "NA513",
    "3",
    "take this one away",
    Edit(path="3", argument=None),
)
def relu_behind_a_sigmoid() -> nn.Module:
    """Two activations in a row, of which the second does nothing."""
    tail = [nn.Linear(64, 32), nn.Sigmoid(), nn.ReLU(), nn.Linear(32, 10)]
    body = nn.Sequential(cna(3, 32), cna(32, 64, 3, 2), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return nn.Sequential(body, *tail)


@reported("luigibonati/mlcolvar/pull/205", (3, 32, 32), "NA508", "1.1", "behind")
def dropout_in_front_of_a_norm() -> nn.Module:
    """Dropout alters the statistics that the batch norm behind it collects."""
    block = nn.Sequential(
        nn.Conv2d(32, 64, 3, 2, 1, bias=False), nn.Dropout(0.3), nn.BatchNorm2d(64), nn.ReLU()
    )
    return nn.Sequential(cna(3, 32), block, cna(64, 64), head(64))


@reported("sktime/sktime/issues/9049", (3, 64, 64), "NA507", "1", "ReLU")
def sigmoid_in_hidden_layers() -> nn.Module:
    """A sigmoid behind every hidden convolution."""
    widths = [(3, 16), (16, 32), (32, 32), (32, 32), (32, 32), (32, 32)]
    layers: list[nn.Module] = []
    for number, (given, out) in enumerate(widths):
        layers += [nn.Conv2d(given, out, 3, 2 if number < 3 else 1, 1), nn.Sigmoid()]
    return nn.Sequential(*layers, head(32))


@reported("shanglianlm0525/BlazeFace/issues/3", (3, 128, 128), "CO603", "blocks.3.conv2", "groups")
def depthwise_without_its_groups() -> nn.Module:
    """The second depthwise convolution of a double block has the wrong number of groups."""

    class Block(nn.Module):
        def __init__(self, width: int, groups: int) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(width, width, 5, 1, 2, groups=width, bias=False)
            self.mix1 = nn.Sequential(nn.Conv2d(width, width, 1, bias=False), nn.BatchNorm2d(width))
            self.conv2 = nn.Conv2d(width, width, 5, 1, 2, groups=groups, bias=False)
            self.mix2 = nn.Sequential(nn.Conv2d(width, width, 1, bias=False), nn.BatchNorm2d(width))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            out = self.mix2(self.conv2(F.relu(self.mix1(self.conv1(x)))))
            return F.relu(out + x)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem = nn.Sequential(cna(3, 24, 5, 2), cna(24, 48, 3, 2))
            self.blocks = nn.Sequential(*[Block(48, 48) for _ in range(3)], Block(48, 1))
            self.head = nn.Sequential(cna(48, 96, 3, 2), cna(96, 96, 3, 2), head(96))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(self.blocks(self.stem(x)))

    return Net()
