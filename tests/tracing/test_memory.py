"""Bytes saved for backward and bytes alive, against a real forward with real tensors."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from alive import Alive
from striate.arch import zoo
from striate.building import build
from striate.tracing import trace


class Mixed(nn.Module):
    """Views, in-place operations, dropout, a join, attention and a norm of each kind."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.norm = nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16)
        self.deep, self.group = nn.Conv2d(16, 16, 3, padding=1, groups=16), nn.GroupNorm(4, 16)
        self.drop, self.layer = nn.Dropout(0.1), nn.LayerNorm(16)
        self.qkv, self.out = nn.Linear(16, 48), nn.Linear(16, 16, bias=False)
        self.head = nn.Linear(32, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.norm(self.stem(x)), inplace=True)
        y = F.gelu(self.group(self.deep(x)))
        x = F.max_pool2d(x + self.drop(y), 2)
        tokens = self.layer(x.flatten(2).transpose(1, 2))
        q, k, v = self.qkv(tokens).unflatten(2, (3, 2, 8)).permute(2, 0, 3, 1, 4)
        a = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        tokens = tokens + self.out(a) * torch.sigmoid(tokens)
        return self.head(torch.cat([tokens.mean(1), tokens.amax(1)], 1))


class Unfused(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem, self.qkv = nn.Conv2d(3, 8, 4, 4), nn.Linear(8, 24)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(self.stem(x).flatten(2).transpose(1, 2)).chunk(3, -1)
        return (q @ k.transpose(1, 2) / 8**0.5).softmax(-1) @ v


def up_and_down() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, 2, 1), nn.SiLU(inplace=True), nn.ConvTranspose2d(8, 4, 2, 2),
        nn.Hardswish(), nn.Upsample(scale_factor=2, mode="bilinear"), nn.AvgPool2d(2),
        nn.Conv2d(4, 4, 1), nn.PReLU(), nn.PixelShuffle(2), nn.InstanceNorm2d(1, affine=True),
        nn.AdaptiveAvgPool2d(3), nn.Flatten(), nn.Linear(9, 9), nn.Sigmoid(), nn.Softmax(1),
    )  # fmt: skip


NETS: dict[str, Callable[[], nn.Module]] = {
    "mixed": Mixed,
    "unfused attention": Unfused,
    "up and down": up_and_down,
    "resnet20": lambda: build(zoo("resnet20")),
    "plain20": lambda: build(zoo("plain20")),
}
IMAGE, BATCH = (3, 32, 32), 2


@pytest.mark.parametrize("train", [False, True])
@pytest.mark.parametrize("name", NETS)
def test_saved_for_backward(name: str, train: bool) -> None:
    net = NETS[name]()
    found = trace(net, IMAGE, batch=BATCH, train=train)
    assert found.complete, found.failure
    assert sum(layer.saved_bytes for layer in found) == really_saved(net)
    weights = sum(p.numel() * 4 for p in net.parameters())
    buffers = sum(b.numel() * b.element_size() for b in net.buffers())
    assert found.totals.train_bytes == 2 * weights + buffers + really_saved(net)


def really_saved(net: nn.Module) -> int:
    """Bytes of the storages that autograd packs away, the module's own left out."""
    net.train()
    own = {t.untyped_storage().data_ptr() for t in (*net.parameters(), *net.buffers())}
    kept: dict[int, Tensor] = {}

    def pack(tensor: Tensor) -> Tensor:
        place = tensor.untyped_storage().data_ptr()
        if place not in own:
            kept[place] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        net(torch.rand(BATCH, *IMAGE))
    return sum(tensor.untyped_storage().nbytes() for tensor in kept.values())


@pytest.mark.parametrize("name", NETS)
def test_peak_of_inference(name: str) -> None:
    net = NETS[name]().eval()
    found = trace(net, IMAGE, batch=BATCH)
    own = [*net.parameters(), *net.buffers()]
    alive = Alive(own)
    pixels = torch.rand(BATCH, *IMAGE)
    alive.watch(pixels)
    with torch.no_grad(), alive:
        net(pixels)
    fixed = sum(t.numel() * t.element_size() for t in own)
    assert found.totals.infer_bytes - fixed == pytest.approx(alive.peak, rel=0.01)


def test_views_write_nothing_and_their_storage_is_counted_once() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Flatten(2), nn.Unflatten(2, (8, 8)), nn.ReLU())
    found = trace(net, (3, 8, 8))
    assert [layer.out_bytes for layer in found] == [768, 1024, 0, 0, 1024]
    inplace = trace(nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(inplace=True)), (3, 8, 8))
    assert inplace.layers[2].out_bytes == 0
