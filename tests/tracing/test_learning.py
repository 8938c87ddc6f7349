"""What of a network would learn, and from which numbers it begins."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from striate.tracing import trace


class Corners(nn.Module):
    """A detached branch, a branch without gradients, a module under two names, and idle weights."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.norm = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8)
        nn.init.zeros_(self.norm.weight)
        self.scale = nn.Parameter(1e-6 * torch.ones(8, 1, 1))
        self.idle, self.auxiliary = nn.Linear(3, 4), nn.Linear(8, 2)
        self.cut, self.quiet = nn.Conv2d(8, 8, 1), nn.Conv2d(8, 8, 1)
        self.again = self.quiet

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        x = self.stem(x)
        y = self.cut(x).detach()
        with torch.no_grad():
            z = self.again(x)
        x = (self.norm(x) * self.scale + y + z).mean((2, 3))
        return (x, self.auxiliary(x)) if self.training else x


def test_parameters_that_no_gradient_reaches_are_named() -> None:
    """Against autograd: the same parameters have no gradient after a backward."""
    net = Corners()
    found = trace(net, (3, 8, 8))
    net.train()(torch.rand(2, 3, 8, 8))[0].sum().backward()
    without = {name for name, p in net.named_parameters() if p.grad is None}
    assert set(found.unlearned) == without - set(found.unused)
    assert set(found.unlearned) == {"cut.weight", "cut.bias", "quiet.weight", "quiet.bias"}


def test_no_gradient_is_nobodys_fault_where_no_output_carries_one() -> None:
    class Decides(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(12, 4)

        def forward(self, x: Tensor) -> Tensor:
            return self.linear(x.flatten(1)).argmax(1)

    assert trace(Decides(), (3, 2, 2)).unlearned == ()


def test_nothing_learns_where_the_output_itself_is_cut_off() -> None:
    class Cut(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(12, 4)

        def forward(self, x: Tensor) -> Tensor:
            return self.linear(x.flatten(1)).detach()

    assert trace(Cut(), (3, 2, 2)).unlearned == ("linear.weight", "linear.bias")


def test_what_training_alone_uses_is_not_idle() -> None:
    found = trace(Corners, (3, 8, 8))
    assert set(found.unused) == {"idle.weight", "idle.bias", "auxiliary.weight", "auxiliary.bias"}
    assert found.idle == ("idle.weight", "idle.bias")
    assert found.parameters["idle.weight"] == 12


def test_parameters_that_begin_as_one_number() -> None:
    """Without numbers, from what the constructors write; the same as with numbers."""
    wanted = {"norm.weight": 0.0, "norm.bias": 0.0, "scale": 1e-6}
    for made in (Corners, Corners()):
        found = trace(made, (3, 8, 8)).constants
        assert {name: round(value, 9) for name, value in found.items()} == wanted


def test_a_part_written_is_not_the_whole() -> None:
    def make() -> nn.Module:
        conv = nn.Conv2d(2, 2, 1)
        assert conv.bias is not None
        nn.init.zeros_(conv.bias)
        nn.init.ones_(conv.weight)
        with torch.no_grad():
            conv.weight[0].fill_(3)
        return conv

    assert trace(make, (2, 4, 4)).constants == {"bias": 0.0}


def test_further_names_of_a_module() -> None:
    assert trace(Corners, (3, 8, 8)).aliases == {"quiet": ("again",)}


def test_parameters_that_no_module_holds() -> None:
    class Listed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Conv2d(3, 4, 1)
            self.rest = [nn.Conv2d(4, 4, 3), nn.Conv2d(4, 4, 1, bias=False)]
            self.register_buffer("fixed", torch.ones(4, 1, 1, 1))

        def forward(self, x: Tensor) -> Tensor:
            x = self.rest[1](self.rest[0](self.first(x)))
            return nn.functional.conv2d(x, self.get_buffer("fixed"), groups=4)

    for made in (Listed, Listed()):
        found = trace(made, (3, 8, 8))
        assert [layer.strays for layer in found] == [0, 0, 4 * 4 * 9 + 4, 16, 0]
        assert found.totals.params == 3 * 4 + 4


def test_which_layers_are_returned() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.c = (nn.Conv2d(3, 2, 1) for _ in range(3))

        def forward(self, x: Tensor) -> dict[str, Tensor]:
            self.b(x)
            return {"a": self.a(x), "c": self.c(x)}

    found = trace(Two(), (3, 4, 4))
    assert [found.layers[index].path for index in found.returned] == ["a", "c"]
