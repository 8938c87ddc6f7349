"""What stands on the class scores."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from real_bugs import cna, head, reported
from striate.records import Edit


def classifier(end: nn.Module) -> nn.Module:
    """A small classifier with something behind its last layer."""
    body = nn.Sequential(cna(3, 32), cna(32, 64, 3, 2), cna(64, 64))
    return nn.Sequential(body, head(64), end)


@reported("jindongwang/Deep-learning-activity-recognition/issues/10", (3, 32, 32), "NA505", "2", "")
def softmax_in_front_of_its_loss() -> nn.Module:
    """The loss applies a softmax; the network did so before."""
    return classifier(nn.Softmax(dim=1))


@reported("speedinghzl/Pytorch-Deeplab/issues/2", (3, 64, 64), "NA514", "", "log")
def log_softmax_applied_twice() -> nn.Module:
    """Log-softmax in the training code and again inside the loss."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(cna(3, 32, 3, 2), cna(32, 64), nn.Conv2d(64, 21, 1))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return F.log_softmax(self.body(x), dim=1)

    return Net()


@reported(
    "DeepReinforcementLearning/DeepReinforcementLearningInAction/issues/32",
    (3, 32, 32), "NA516", "2", "dim=1", Edit(path="2", argument="dim", value=1),
)  # fmt: skip
def softmax_along_the_batch() -> nn.Module:
    """``dim=0`` is right for one state and wrong for a batch of them."""
    return classifier(nn.Softmax(dim=0))


@reported("Turoad/lanedet/issues/32", (3, 64, 64), "NA505", "2", "sigmoid")
def sigmoid_in_front_of_its_loss() -> nn.Module:
    """A head says which lanes exist, and ends in a sigmoid; its loss applies another."""
    return classifier(nn.Sigmoid())


@reported("pytorch/examples/pull/117", (1, 28, 28), "NA506", "", "take the relu away")
def rectifier_before_the_softmax() -> nn.Module:
    """The scores are rectified before they are compared."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv1, self.conv2 = nn.Conv2d(1, 10, 5), nn.Conv2d(10, 20, 5)
            self.fc1, self.fc2 = nn.Linear(320, 50), nn.Linear(50, 10)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = F.relu(F.max_pool2d(self.conv1(x), 2))
            x = F.relu(F.max_pool2d(self.conv2(x), 2)).flatten(1)
            x = F.relu(self.fc1(x))
            x = F.dropout(x, training=self.training)
            x = F.relu(self.fc2(x))
            return F.log_softmax(x, dim=1)

    return Net()


@reported(
    "mrdbourke/pytorch-deep-learning/issues/720",
    (1, 28, 28),
    "NA506",
    "4",
    "take the relu away",
    Edit(path="4", argument=None),
)
def relu_on_the_output() -> nn.Module:
    """A course's model ends in a ReLU."""
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 10), nn.ReLU(), nn.Linear(10, 10), nn.ReLU())


@reported("yaoing/DAN/issues/14", (3, 32, 32), "NA510", "2", "norm")
def batch_norm_on_the_output() -> nn.Module:
    """A batch norm behind the last dense layer."""
    return classifier(nn.BatchNorm1d(10))
