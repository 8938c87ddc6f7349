"""Parameters: biases that do nothing, layers unused, shared, unseen, frozen."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from real_bugs import cna, head, reported
from striate.records import Edit


@reported(
    "milesial/Pytorch-UNet/pull/325", (3, 64, 64), "PA301", "0.0", "bias",
    Edit(path="0.0", argument="bias", value=False),
)  # fmt: skip
def double_convolution_with_biases() -> nn.Module:
    """Biases in front of every batch norm of a double convolution."""
    double = nn.Sequential(
        nn.Conv2d(3, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(),
        nn.Conv2d(32, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(),
    )  # fmt: skip
    return nn.Sequential(double, cna(32, 64, 3, 2), cna(64, 64), head(64))


@reported(
    "LAION-AI/phenaki/pull/3", (3, 32, 32), "PA301", "3", "bias",
    Edit(path="3", argument="bias", value=False),
)  # fmt: skip
def dense_layer_in_front_of_a_norm() -> nn.Module:
    """The same in front of a norm of a dense layer's units."""
    tail = [nn.Linear(64, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, 10)]
    body = nn.Sequential(cna(3, 32), cna(32, 64, 3, 2))
    return nn.Sequential(body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), *tail)


@reported("NVlabs/PWC-Net/issues/110", (3, 64, 64), "PA303", "deconv2", "take it away")
def deconvolution_never_called() -> nn.Module:
    """A deconvolution that is made and left over; data-parallel training stumbles on it."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.features = nn.Sequential(cna(3, 32, 3, 2), cna(32, 64, 3, 2))
            self.predict = nn.Conv2d(64, 2, 3, padding=1)
            self.deconv2 = nn.ConvTranspose2d(2, 2, 4, 2, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.predict(self.features(x))

    return Net()


@reported("NK-CS-ZZL/IAN/issues/9", (3, 64, 64), "PA303", "bottleneck2", "take it away")
def three_bottlenecks_and_one_used() -> nn.Module:
    """Three bottlenecks are made, and the first is called three times."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem = cna(3, 32, 3, 2)
            self.bottleneck1 = cna(32, 32)
            self.bottleneck2 = cna(32, 32)
            self.bottleneck3 = cna(32, 32)
            self.head = head(32)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(self.bottleneck1(self.stem(x)))

    return Net()


@reported(
    "deep-learning-with-pytorch/dlwpt-code/issues/89",
    (3, 32, 32),
    "PA306",
    "resblocks.0",
    "for _ in range",
)
def list_of_blocks_multiplied() -> nn.Module:
    """A list times a number: ten references to one residual block."""

    class ResBlock(nn.Module):
        def __init__(self, width: int) -> None:
            super().__init__()
            self.conv = nn.Conv2d(width, width, 3, padding=1, bias=False)
            self.batch_norm = nn.BatchNorm2d(width)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return F.relu(self.batch_norm(self.conv(x))) + x

    class NetResDeep(nn.Module):
        def __init__(self, width: int = 32, blocks: int = 10) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(3, width, 3, padding=1)
            self.resblocks = nn.Sequential(*(blocks * [ResBlock(width)]))
            self.fc1 = nn.Linear(8 * 8 * width, 32)
            self.fc2 = nn.Linear(32, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = F.max_pool2d(F.relu(self.conv1(x)), 2)
            x = F.max_pool2d(self.resblocks(x), 2)
            return self.fc2(F.relu(self.fc1(x.flatten(1))))

    return NetResDeep()


@reported("linkedin/Liger-Kernel/pull/269", (3, 32, 32), "PA306", "heads.0", "for _ in range")
def heads_made_by_multiplying() -> nn.Module:
    """Several heads, each made of the same residual layers."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.features = nn.Sequential(cna(3, 32, 3, 2), cna(32, 64, 3, 2))
            shared = [nn.Linear(64, 64), nn.SiLU()]
            self.heads = nn.ModuleList([nn.Sequential(*(shared * 2), nn.Linear(64, 10))] * 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.features(x).mean((2, 3))
            return torch.stack([one(x) for one in self.heads])

    return Net()


@reported(
    "kanezaki/pytorch-unsupervised-segmentation/issues/1", (3, 32, 32), "PA305", "bn0", "of its own"
)
def norm_used_twice() -> nn.Module:
    """One batch norm behind every convolution of a loop."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv0 = nn.Conv2d(3, 32, 3, padding=1, bias=False)
            self.conv1 = nn.Conv2d(32, 32, 3, padding=1, bias=False)
            self.bn0 = nn.BatchNorm2d(32)
            self.conv2 = nn.Conv2d(32, 8, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = F.relu(self.bn0(self.conv0(x)))
            x = F.relu(self.bn0(self.conv1(x)))
            return self.conv2(x)

    return Net()


@reported("pytorch/pytorch/issues/59925", (3, 32, 32), "PA309", "", "ModuleList")
def layers_in_a_plain_list() -> nn.Module:
    """Layers in a Python list: ``parameters()`` does not know them."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem = cna(3, 16, 3, 2)
            self.layers = [cna(16, 16) for _ in range(2)]
            self.head = head(16)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.stem(x)
            for layer in self.layers:
                x = layer(x)
            return self.head(x)

    return Net()


@reported("LianpoWang/SLIIF/issues/13", (3, 32, 32), "PA309", "", "ModuleList")
def submodules_in_a_comprehension() -> nn.Module:
    """Ten small networks in a list comprehension: none of them is trained or saved."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.features = nn.Sequential(cna(3, 32, 3, 2), nn.AdaptiveAvgPool2d(1), nn.Flatten())
            self.mlps = [nn.Sequential(nn.Linear(32, 16), nn.ReLU()) for _ in range(10)]
            self.mix = nn.Linear(160, 10)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.features(x)
            return self.mix(torch.cat([mlp(x) for mlp in self.mlps], 1))

    return Net()


@reported("wannabeOG/MAS-PyTorch/issues/1", (3, 32, 32), "PA307", "classify", "requires_grad")
def switch_the_wrong_way_round() -> nn.Module:
    """Freezing turned round: what was to learn is frozen, what was to stay is trained."""
    net = nn.Sequential()
    net.add_module("features", nn.Sequential(cna(3, 32), cna(32, 64, 3, 2)))
    net.add_module("pool", nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()))
    net.add_module("classify", nn.Linear(64, 10))
    for parameter in net.get_submodule("classify").parameters():
        parameter.requires_grad = False
    return net


@reported("queenie88/A-GCN/issues/4", (3, 32, 32), "PA308", "theta", "detach")
def weights_behind_a_detach() -> nn.Module:
    """Two weight matrices make an attention map that is detached: neither is ever updated."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.features = nn.Sequential(cna(3, 32, 3, 2), cna(32, 32, 3, 2))
            self.phi, self.theta = nn.Conv2d(32, 8, 1), nn.Conv2d(32, 8, 1)
            self.head = head(32)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.features(x)
            phi, theta = self.phi(x).flatten(2), self.theta(x).flatten(2)
            mixed = torch.softmax(phi.transpose(1, 2) @ theta, -1).detach()
            return self.head((x.flatten(2) @ mixed).unflatten(2, x.shape[2:]))

    return Net()


@reported("lucidrains/CoCa-pytorch/issues/6", (3, 32, 32), "PA308", "encoder.1.1", "detach")
def extractor_that_detaches() -> nn.Module:
    """An extractor hands on detached features, so that the encoder behind it never learns."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = nn.Sequential(cna(3, 32, 3, 2), cna(32, 64, 3, 2))
            self.head = head(64)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(self.encoder(x).clone().detach())

    return Net()


@reported("iperov/DeepFaceLab/issues/192", (3, 64, 64), "SH102", "4", "pool")
def dense_layer_with_most_parameters() -> nn.Module:
    """Two dense layers at the end of an encoder hold far more than half of the parameters."""
    convs = [cna(3, 32, 5, 2), cna(32, 64, 5, 2), cna(64, 64, 5, 2)]
    return nn.Sequential(
        *convs, nn.Flatten(), nn.Linear(64 * 64, 1024), nn.ReLU(), nn.Linear(1024, 10)
    )
