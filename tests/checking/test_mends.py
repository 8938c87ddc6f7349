"""A mend that is offered works: the network as it was fails as said, and traces once it is done."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn.functional import interpolate

from striate.checking import check
from striate.records import Finding
from striate.tracing import trace

Forward = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


class Around(nn.Module):
    """A branch, a skip, and how they meet."""

    def __init__(self, branch: list[nn.Module], skip: nn.Module, meet: Forward) -> None:
        super().__init__()
        self.branch, self.skip, self.meet = nn.Sequential(*branch), skip, meet

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.meet(self.skip(x), self.branch(x))


def add(skip: torch.Tensor, branch: torch.Tensor) -> torch.Tensor:
    return skip + branch


def add_in_place(skip: torch.Tensor, branch: torch.Tensor) -> torch.Tensor:
    branch += skip
    return branch


def subtract(skip: torch.Tensor, branch: torch.Tensor) -> torch.Tensor:
    return torch.sub(branch, skip)


def cat(skip: torch.Tensor, branch: torch.Tensor) -> torch.Tensor:
    return torch.cat([skip, branch], 1)


def cat_resized(skip: torch.Tensor, branch: torch.Tensor) -> torch.Tensor:
    return torch.cat([skip, interpolate(branch, size=skip.shape[2:])], 1)


def net(branch: list[nn.Module], skip: nn.Module | None = None, meet: Forward = add) -> nn.Module:
    stem = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.ReLU())
    return nn.Sequential(stem, Around(branch, skip or nn.Identity(), meet))


def conv(given: int, out: int, kernel: int = 3, stride: int = 1, padding: int = 1) -> nn.Module:
    return nn.Conv2d(given, out, kernel, stride, padding)


def two(*last: int, stride: int = 1, padding: int = 1) -> list[nn.Module]:
    return [conv(16, 16, 3, stride, padding), nn.ReLU(), conv(16, *last)]


KEEP_SIZE = (
    "give `1.branch.0` padding=1 and `1.branch.4` padding=2, so that the branch keeps its size."
)
STRIDE_BOTH = (
    "the skip was strided and the branch was not: give a convolution of the branch stride 2, "
    "or take the skip's stride away."
)

CASES: dict[str, tuple[Callable[[], nn.Module], int, str, Callable[[], nn.Module]]] = {
    "channels": (
        lambda: net(two(32)),
        32,
        "put a 1×1 convolution from 16 to 32 channels on the skip.",
        lambda: net(two(32), conv(16, 32, 1, 1, 0)),
    ),
    "channels and stride, summed in place": (
        lambda: net(two(32, stride=2), meet=add_in_place),
        32,
        "put a 1×1 convolution from 16 to 32 channels with stride 2 on the skip.",
        lambda: net(two(32, stride=2), conv(16, 32, 1, 2, 0), add_in_place),
    ),
    "two strides on an odd size, subtracted": (
        lambda: net(two(16, 3, 2, stride=2), meet=subtract),
        29,
        "put a 1×1 convolution from 16 to 16 channels with stride 4 on the skip.",
        lambda: net(two(16, 3, 2, stride=2), conv(16, 16, 1, 4, 0), subtract),
    ),
    "a projection to too few channels": (
        lambda: net(two(32, 3, 2), conv(16, 16, 1, 2, 0)),
        32,
        "give the projection `1.skip` out_channels=32.",
        lambda: net(two(32, 3, 2), conv(16, 32, 1, 2, 0)),
    ),
    "a projection that does not stride": (
        lambda: net(two(32, 3, 2), conv(16, 32, 1, 1, 0)),
        32,
        "give the projection `1.skip` stride=2.",
        lambda: net(two(32, 3, 2), conv(16, 32, 1, 2, 0)),
    ),
    "the stride on both convolutions": (
        lambda: net(two(16, 3, 2, stride=2), conv(16, 16, 1, 2, 0)),
        32,
        "give `1.branch.2` stride=1, since the branch strides twice.",
        lambda: net(two(16, 3, 1, stride=2), conv(16, 16, 1, 2, 0)),
    ),
    "padding forgotten twice": (
        lambda: net([*two(16, padding=0), nn.ReLU(), conv(16, 16, 5, 1, 0)]),
        32,
        KEEP_SIZE,
        lambda: net([*two(16, padding=1), nn.ReLU(), conv(16, 16, 5, 1, 2)]),
    ),
    "the skip strides alone": (
        lambda: net(two(16), conv(16, 16, 1, 2, 0)),
        32,
        STRIDE_BOTH,
        lambda: net(two(16, stride=2), conv(16, 16, 1, 2, 0)),
    ),
    "a U-Net on an odd size": (
        lambda: net([nn.MaxPool2d(2), conv(16, 16), nn.Upsample(scale_factor=2)], meet=cat),
        33,
        (
            "use images whose sides 2 divides (34×34 instead of 33×33), or resize or pad the "
            "smaller map before they meet."
        ),
        lambda: net([nn.MaxPool2d(2), conv(16, 16), nn.Upsample(scale_factor=2)], meet=cat_resized),
    ),
    "concatenated with a strided branch": (
        lambda: net(two(16, stride=2), meet=cat),
        32,
        "pool the skip with stride 2, or take the branch before its stride.",
        lambda: net(two(16, stride=2), nn.MaxPool2d(2), cat),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_mend_of_a_mismatch_works(
    case: tuple[Callable[[], nn.Module], int, str, Callable[[], nn.Module]],
) -> None:
    broken, side, mend, mended = case
    (finding,) = check(trace(broken, (3, side, side)))
    assert (finding.code, finding.path, finding.fix) == ("RE401", "1", mend)
    assert finding.source is not None
    with pytest.raises(RuntimeError):
        broken()(torch.zeros(1, 3, side, side))
    after = trace(mended, (3, side, side))
    assert after.complete
    assert "RE401" not in {found.code for found in check(after)}


def _findings(code: str, module: nn.Module, image: tuple[int, int, int]) -> list[Finding]:
    return check(trace(module, image), select=[code])


def test_the_image_fl201_names_is_the_border() -> None:
    module = nn.Sequential(
        *[part for _ in range(6) for part in (conv(3, 3), nn.ReLU())],
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 10),
    )  # fmt: skip
    (finding,) = _findings("FL201", module, (3, 4, 4))
    enough = finding.measured["productive_above_px"]
    assert len(_findings("FL201", module, (3, enough, enough))) == 1
    assert _findings("FL201", module, (3, enough + 1, enough + 1)) == []


def test_what_sh101_calls_dead_gets_no_gradient() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU(), nn.Conv2d(8, 8, 3, 2, 1), nn.ReLU(),
        nn.Conv2d(8, 8, 3, 1, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
    )  # fmt: skip
    (finding,) = _findings("SH101", module, (3, 4, 4))
    for parameter in module.parameters():
        nn.init.uniform_(parameter, 0.1, 1.0)
    module(torch.rand(16, 3, 4, 4)).sum().backward()
    dead = sum(
        int((part.weight.grad == 0).sum())
        for part in module
        if isinstance(part, nn.Conv2d) and part.weight.grad is not None
    )
    assert finding.price.params == finding.measured["dead_weights"] == dead
    assert finding.measured["layers"] == ["2", "4"]


def test_what_pa301_calls_idle_gets_no_gradient() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(3, 8, 3, bias=True), nn.InstanceNorm2d(8, affine=True), nn.ReLU(),
        nn.Conv2d(8, 8, 3, bias=True), nn.BatchNorm2d(8), nn.ReLU(),
        nn.Conv2d(8, 8, 3, bias=True), nn.GroupNorm(8, 8), nn.ReLU(),
        nn.Conv2d(8, 8, 3, bias=True), nn.GroupNorm(2, 8), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 10),
    ).double()  # fmt: skip
    said = {finding.path for finding in _findings("PA301", module, (3, 16, 16))}
    module(torch.rand(4, 3, 16, 16, dtype=torch.float64)).square().sum().backward()
    idle = {
        name.removesuffix(".bias")
        for name, parameter in module.named_parameters()
        if name.endswith(".bias")
        and parameter.grad is not None
        and bool((parameter.grad.abs() < 1e-9).all())
    }
    assert said == idle == {"0", "3", "6"}


def test_what_fl203_calls_unread_gets_no_gradient() -> None:
    class Strided(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = (
                nn.Conv2d(3, 4, 1, 3, bias=False),
                nn.Conv2d(3, 4, (3, 1), 3, bias=False),
            )

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.cat([self.a(x), self.b(x)], 1).relu()

    module = Strided()
    (finding,) = _findings("FL203", module, (3, 12, 12))
    for parameter in module.parameters():
        nn.init.ones_(parameter)
    image = torch.ones(1, 3, 12, 12, requires_grad=True)
    module(image).sum().backward()
    assert image.grad is not None
    unread = float((image.grad[0, 0] == 0).float().mean())
    assert finding.measured["unread"] == pytest.approx(unread, abs=1e-6)
    assert unread == pytest.approx(2 / 3, abs=1e-6)


def test_what_na504_calls_one_layer_is_one_layer() -> None:
    """The two 3×3 kernels compose into the 5×5 whose size its price is reckoned with."""
    torch.manual_seed(0)
    first, second = nn.Conv2d(2, 3, 3, bias=False), nn.Conv2d(3, 4, 3, bias=False)
    pair = nn.Sequential(first, second).double()
    (finding,) = _findings("NA504", pair, (2, 16, 16))
    assert finding.measured["channels"] == [2, 3, 4]
    impulse = torch.zeros(2, 2, 9, 9, dtype=torch.float64)
    impulse[0, 0, 4, 4] = impulse[1, 1, 4, 4] = 1
    kernel = pair(impulse).transpose(0, 1).flip(2, 3)
    assert kernel.shape == (4, 2, 5, 5)
    image = torch.rand(1, 2, 16, 16, dtype=torch.float64)
    assert torch.allclose(pair(image), nn.functional.conv2d(image, kernel))
    assert finding.price.params == max(0, 2 * 3 * 9 + 3 * 4 * 9 - kernel.numel())
