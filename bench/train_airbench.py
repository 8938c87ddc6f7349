"""airbench94_muon on a CPU: one row of ``bench/train.py``.

    python bench/train_airbench.py ../shared/data/cifar10 --seed 0

Written afresh after Jordan's description (arXiv:2404.00498, and airbench94_muon of March 2025): the
network, its initialisation, optimisers, schedule, augmentation, batch and the two ways of testing
are the same.  Ported: half precision is bfloat16, memory is channels-last, the compiled parts run
eagerly.  Weights are kept in float32 and cast for each step (``torch.autocast``): the listing keeps
them in float16, whose 11 bits bfloat16 has not, and with weights of 8 bits it ended 1.5 points
lower.  Nothing of striate runs here but the reading of the images, which is not timed.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from train_rows import Row, images_of, options, six_views

WIDTHS = (64, 256, 256)
EPOCHS, BATCH = 8, 2000
BIAS_RATE, HEAD_RATE, FILTER_RATE = 0.053, 0.67, 0.24
DECAY = 2e-6 * BATCH
MEAN, DEVIATION = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)


class Norm(nn.BatchNorm2d):
    """Statistics that forget faster, and no scale."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=1e-12, momentum=0.4)
        self.weight.requires_grad = False


def filters(given: int, wanted: int) -> nn.Conv2d:
    """A convolution that begins as the identity."""
    conv = nn.Conv2d(given, wanted, 3, padding=1, bias=False)
    nn.init.dirac_(conv.weight.data[:given])
    return conv


class Group(nn.Module):
    """Two convolutions, the pool behind the first."""

    def __init__(self, given: int, wanted: int) -> None:
        super().__init__()
        self.conv1, self.norm1 = filters(given, wanted), Norm(wanted)
        self.conv2, self.norm2 = filters(wanted, wanted), Norm(wanted)

    def forward(self, x: Tensor) -> Tensor:
        x = F.gelu(self.norm1(F.max_pool2d(self.conv1(x), 2)))
        return F.gelu(self.norm2(self.conv2(x)))


class Airbench(nn.Module):
    """(N, 3, 32, 32) → (N, 10)."""

    def __init__(self, images: Tensor) -> None:
        super().__init__()
        self.whiten = nn.Conv2d(3, 24, 2)
        self.whiten.weight.data = whitening(images)
        self.whiten.weight.requires_grad = False
        widths = (24, *WIDTHS)
        self.groups = nn.Sequential(*map(Group, widths, widths[1:]))
        self.head = nn.Linear(widths[-1], 10, bias=False)
        self.head.weight.data /= self.head.weight.data.std()

    @torch.autocast("cpu", torch.bfloat16)
    def forward(self, x: Tensor, *, bias_learns: bool = True) -> Tensor:
        bias = self.whiten.bias
        assert bias is not None
        x = F.conv2d(x, self.whiten.weight, bias if bias_learns else bias.detach())
        x = F.max_pool2d(self.groups(F.gelu(x)), 3).flatten(1)
        return self.head(x) / x.size(1)


def whitening(images: Tensor) -> Tensor:
    """(24, 3, 2, 2): eigenvectors of the patches' covariance over their deviations, both signs."""
    patches = images.unfold(2, 2, 1).unfold(3, 2, 1).transpose(1, 3).reshape(-1, 12)
    values, vectors = torch.linalg.eigh(patches.T @ patches / len(patches))
    rows = vectors.T.reshape(12, 3, 2, 2) / torch.sqrt(values.view(-1, 1, 1, 1) + 5e-4)
    return torch.cat((rows, -rows))


def orthogonal(gradient: Tensor) -> Tensor:
    """Three steps of the listing's quintic iteration."""
    x = gradient.bfloat16()
    x = x / (x.norm() + 1e-7)
    tall = x.size(0) > x.size(1)
    x = x.T if tall else x
    for _ in range(3):
        square = x @ x.T
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    return x.T if tall else x


class Muon:
    """The listing's, over 4-D weights."""

    def __init__(self, weights: list[Tensor]) -> None:
        self.weights = weights
        self.buffers = [torch.zeros_like(weight) for weight in weights]

    @torch.no_grad()
    def step(self, rate: float) -> None:
        for weight, buffer in zip(self.weights, self.buffers, strict=True):
            gradient = weight.grad
            assert gradient is not None
            buffer.mul_(0.6).add_(gradient)
            gradient = gradient.add(buffer, alpha=0.6)
            weight.mul_(len(weight) ** 0.5 / weight.norm())
            update = orthogonal(gradient.reshape(len(gradient), -1)).view(gradient.shape)
            weight.add_(update, alpha=-rate)


def shifted(padded: Tensor, side: int) -> Tensor:
    """A window of each padded image, moved by up to two pixels along each axis."""
    reach = (padded.size(-1) - side) // 2
    moves = torch.randint(-reach, reach + 1, (len(padded), 2))
    out = torch.empty(len(padded), 3, side, side, dtype=padded.dtype)
    for down in range(-reach, reach + 1):
        for right in range(-reach, reach + 1):
            chosen = (moves[:, 0] == down) & (moves[:, 1] == right)
            top, left = reach + down, reach + right
            out[chosen] = padded[chosen, :, top : top + side, left : left + side]
    return out


def main() -> None:
    asked = options(__doc__)
    torch.manual_seed(asked.seed)
    train, labels, test, truth = images_of(asked.data)
    row = Row("airbench94_muon, ported", truth)
    mean, deviation = (torch.tensor(values).view(1, 3, 1, 1) for values in (MEAN, DEVIATION))

    with row.clock():
        images = (train.float() / 255 - mean) / deviation
        network = Airbench(images[:5000])
        network.to(memory_format=torch.channels_last)
        images = images.bfloat16()
        images = torch.where(
            (torch.rand(len(images)) < 0.5).view(-1, 1, 1, 1), images.flip(-1), images
        )
        padded = F.pad(images, (2, 2, 2, 2), "reflect")
    tested = ((test.float() / 255 - mean) / deviation).bfloat16()

    per_epoch = len(images) // BATCH
    steps, bias_steps = EPOCHS * per_epoch, 3 * per_epoch
    bias = network.whiten.bias
    assert bias is not None
    norms = [p for n, p in network.named_parameters() if "norm" in n and p.requires_grad]
    groups = [
        {"params": [bias], "lr": BIAS_RATE, "weight_decay": DECAY / BIAS_RATE},
        {"params": norms, "lr": BIAS_RATE, "weight_decay": DECAY / BIAS_RATE},
        {"params": [network.head.weight], "lr": HEAD_RATE, "weight_decay": DECAY / HEAD_RATE},
    ]
    sgd = torch.optim.SGD(groups, momentum=0.85, nesterov=True, fused=True)
    muon = Muon([p for p in network.parameters() if p.dim() == 4 and p.requires_grad])
    first = [group["lr"] for group in sgd.param_groups]

    step = 0
    for epoch in range(EPOCHS):
        with row.clock():
            network.train()
            seen = shifted(padded, 32)
            seen = seen.flip(-1) if epoch % 2 else seen
            order = torch.randperm(len(seen))
            for number in range(per_epoch):
                chosen = order[number * BATCH : (number + 1) * BATCH]
                batch = seen[chosen].contiguous(memory_format=torch.channels_last)
                logits = network(batch, bias_learns=step < bias_steps)
                loss = F.cross_entropy(logits, labels[chosen], label_smoothing=0.2, reduction="sum")
                loss.backward()
                sgd.param_groups[0]["lr"] = first[0] * max(0.0, 1 - step / bias_steps)
                for group, rate in zip(sgd.param_groups[1:], first[1:], strict=True):
                    group["lr"] = rate * (1 - step / steps)
                sgd.step()
                muon.step(FILTER_RATE * (1 - step / steps))
                network.zero_grad(set_to_none=True)
                step += 1
            loss.item()
        network.eval()
        last = epoch + 1 == EPOCHS
        row.tested(epoch + 1, network, tested, final=last, views=six_views if last else None)
    if not math.isfinite(loss.item()):
        raise SystemExit("the port diverged")


if __name__ == "__main__":
    main()
