"""Bytes of a training step and of an optimiser's state, against a real step."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from alive import Alive
from striate.arch import zoo
from striate.building import build
from striate.errors import InputError, TraceError
from striate.records.optimiser import OPTIMISERS
from striate.tracing import trace

IMAGE, BATCH = (3, 32, 32), 4


def really_alive(net: nn.Module) -> int:
    """Most bytes alive in a real step, the module's own left out."""
    net.train()
    alive = Alive([*net.parameters(), *net.buffers()])
    pixels = torch.rand(BATCH, *IMAGE)
    alive.watch(pixels)
    with alive:
        out = net(pixels)
        out.sum().backward()
    return alive.peak


class Dense(nn.Module):
    """Every layer takes all before it: gradients meet at many forks, as parts of larger ones."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, padding=1)
        self.convs = nn.ModuleList(nn.Conv2d(16 + 8 * i, 8, 3, padding=1) for i in range(4))
        self.norms = nn.ModuleList(nn.BatchNorm2d(16 + 8 * i) for i in range(4))
        self.head = nn.Linear(48, 5)

    def forward(self, x: Tensor) -> Tensor:
        found = [self.stem(x)]
        for norm, conv in zip(self.norms, self.convs, strict=True):
            found.append(conv(F.relu(norm(torch.cat(found, 1)), inplace=True)))
        return self.head(torch.cat(found, 1).mean((2, 3)))


class Tokens(nn.Module):
    """Attention out of one projection, a gate, a norm; joins before and after."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.norm = nn.Conv2d(3, 32, 2, 2), nn.LayerNorm(32)
        self.qkv, self.out = nn.Linear(32, 96), nn.Linear(32, 32)
        self.up, self.down = nn.Linear(32, 128), nn.Linear(128, 32)
        self.head = nn.Linear(32, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x).flatten(2).transpose(1, 2)
        for _ in range(2):
            y = self.qkv(self.norm(x)).reshape(x.shape[0], -1, 3, 4, 8).permute(2, 0, 3, 1, 4)
            q, k, v = y.unbind(0)
            y = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(x.shape)
            x = x + self.out(y)
            x = x + self.down(F.gelu(self.up(self.norm(x))))
        return self.head(x.mean(1))


def heavy_head() -> nn.Module:
    """More parameters than activations: their gradients come while all else is still there."""
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.SiLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(512, 1024), nn.ReLU(), nn.Dropout(0.5), nn.Linear(1024, 10),
    )  # fmt: skip


NETS: dict[str, Callable[[], nn.Module]] = {
    "resnet20": lambda: build(zoo("resnet20")),
    "dense": Dense,
    "tokens": Tokens,
    "heavy head": heavy_head,
}


@pytest.mark.parametrize("name", NETS)
def test_a_step_holds_what_a_real_one_holds(name: str) -> None:
    net = NETS[name]()
    totals = trace(net, IMAGE, batch=BATCH, train=True).totals
    own = sum(t.nbytes for t in (*net.parameters(), *net.buffers()))
    assert totals.step_bytes is not None
    # Where gradients meet torch adds in place, but not under a mode such as the one that counts.
    assert totals.step_bytes - own == pytest.approx(really_alive(net), rel=0.02)
    assert totals.train_bytes == own + totals.gradient_bytes + totals.saved_bytes


def test_only_a_trace_in_training_mode_has_a_step() -> None:
    assert trace(nn.Conv2d(3, 4, 1), IMAGE).totals.step_bytes is None


REAL: dict[str, Callable[[list[nn.Parameter]], torch.optim.Optimizer]] = {
    "sgd": torch.optim.SGD,
    "momentum": lambda p: torch.optim.SGD(p, momentum=0.9),
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "amsgrad": lambda p: torch.optim.Adam(p, amsgrad=True),
    "nadam": torch.optim.NAdam,
    "radam": torch.optim.RAdam,
    "adamax": torch.optim.Adamax,
    "rmsprop": torch.optim.RMSprop,
    "adagrad": torch.optim.Adagrad,
    "adadelta": torch.optim.Adadelta,
}


def test_every_optimiser_is_compared() -> None:
    assert set(REAL) == set(OPTIMISERS)


@pytest.mark.parametrize("name", REAL)
def test_state_is_what_the_real_optimiser_keeps(name: str) -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 8, 3), nn.Flatten(), nn.Linear(6272, 2))
    net[0].requires_grad_(False)
    optimiser = REAL[name]([p for p in net.parameters() if p.requires_grad])
    net(torch.rand(1, *IMAGE)).sum().backward()
    optimiser.step()
    kept = [value for state in optimiser.state.values() for value in state.values()]
    found = trace(net, IMAGE, train=True, optimiser=name).totals
    assert found.optimiser_bytes == sum(t.nbytes for t in kept if isinstance(t, Tensor))
    plain = trace(net, IMAGE, train=True).totals
    assert found.step_bytes == (plain.step_bytes or 0) + found.optimiser_bytes


def test_an_optimiser_that_there_is_not() -> None:
    with pytest.raises(InputError, match=r"optimiser 'adamx': no such optimiser; .*adam"):
        trace(nn.Conv2d(3, 4, 1), IMAGE, train=True, optimiser="adamx")
    with pytest.raises(TraceError, match="optimiser 'adam': is for training; give train=True"):
        trace(nn.Conv2d(3, 4, 1), IMAGE, optimiser="adam")
