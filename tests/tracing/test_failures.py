"""What a forward that fails leaves: the layers before, the shapes that met, the mend."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from striate.errors import TraceError
from striate.records import Failure
from striate.tracing import trace

Conv = nn.Conv2d
IMAGE = (3, 16, 16)


class Net(nn.Module):
    def __init__(self, forward: Callable[..., Any], *parts: nn.Module) -> None:
        super().__init__()
        self.function, self.parts = forward, nn.ModuleList(parts)

    def forward(self, x: Tensor) -> Any:
        return self.function(x, *self.parts)


def join(x: Tensor, stem: nn.Module, branch: nn.Module) -> Tensor:
    x = stem(x)
    return x + branch(x)


def failure_of(net: nn.Module) -> tuple[Failure, int]:
    found = trace(net, IMAGE)
    assert not found.complete
    assert found.failure is not None
    assert "\n" not in found.failure.message
    return found.failure, len(found)


CASES: dict[str, tuple[nn.Module, str, str, str, str | None]] = {
    "a skip without padding": (
        Net(join, Conv(3, 8, 3, padding=1), Conv(8, 8, 3)), "", "add",
        "(1, 8, 16, 16) and (1, 8, 14, 14) do not match",
        "padding=1 in parts.1 would make these match",
    ),
    "a skip past a stride": (
        Net(join, Conv(3, 8, 3, padding=1), Conv(8, 16, 3, 2, 1)), "", "add",
        "(1, 8, 16, 16) and (1, 16, 8, 8) do not match",
        "a 1x1 convolution from 8 to 16 channels with stride=2 on the path with the larger map",
    ),
    "a skip past more channels": (
        Net(join, Conv(3, 8, 3, padding=1), Conv(8, 16, 3, 1, 1)), "", "add",
        "(1, 8, 16, 16) and (1, 16, 16, 16) do not match",
        "a 1x1 convolution from 8 to 16 channels on one path would match them",
    ),
    "channels": (
        nn.Sequential(Conv(3, 8, 3), Conv(16, 8, 3)), "1", "conv2d",
        "takes 16 channels, and its input (1, 8, 14, 14) has 8",
        "in_channels=8 would fit this input (it is 16)",
    ),
    "channels of a transposed one": (
        nn.Sequential(Conv(3, 8, 3), nn.ConvTranspose2d(16, 8, 3)), "1", "conv_transpose2d",
        "takes 16 channels, and its input (1, 8, 14, 14) has 8",
        "in_channels=8 would fit this input (it is 16)",
    ),
    "features": (
        nn.Sequential(Conv(3, 8, 3), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(8, 10)),
        "3", "linear", "takes 8 features, and its input (1, 32) has 32",
        "in_features=32 would fit this input (it is 8)",
    ),
    "a flatten forgotten": (
        nn.Sequential(Conv(3, 8, 3), nn.AdaptiveAvgPool2d(2), nn.Linear(32, 10)), "2", "linear",
        "takes 32 features, and its input (1, 8, 2, 2) has 2",
        "flatten(1) before it would give the 32 features it takes",
    ),
    "features of a norm": (
        nn.Sequential(Conv(3, 8, 3), nn.BatchNorm2d(16)), "1", "batch_norm",
        "running_mean should contain 8 elements not 16",
        "num_features=8 would fit this input (it is 16)",
    ),
    "a kernel that does not fit": (
        nn.Sequential(Conv(3, 8, 3), nn.MaxPool2d(7), Conv(8, 8, 5)), "2", "conv2d",
        "Calculated padded input size per channel: (2 x 2)",
        "the map here is only 2x2; padding=2 would let the kernel in, and so would a larger image",
    ),
    "a pool that leaves nothing": (
        nn.Sequential(Conv(3, 8, 3), nn.MaxPool2d(16)), "1", "max_pool2d",
        "Output size is too small",
        "the map here is only 14x14; leave this pool out, or give a larger image",
    ),
    "a view of the wrong size": (
        Net(lambda x, c: c(x).view(len(x), 400), Conv(3, 8, 3)), "", "view",
        "is invalid for input of size 1568",
        "there are 1568 features for each image here, not 400",
    ),
    "maps that cannot be concatenated": (
        Net(lambda x, a, b: torch.cat([a(x), b(x)], 1), Conv(3, 8, 3, padding=1), Conv(3, 8, 3)),
        "", "cat", "Sizes of tensors must match", "padding=1 in parts.1 would make these match",
    ),
    "a condition on a number": (
        Net(lambda x, c: c(x) if c(x).sum() > 0 else x, Conv(3, 8, 3)), "", "local_scalar_dense",
        "needs the numbers in a tensor, and a trace has only shapes",
        "decide by shapes, or keep the value as a Python number",
    ),
    "a boolean index": (
        Net(lambda x, c: x[c(x) > 0], Conv(3, 3, 1)), "", "index",
        "nonzero() or a boolean index needs the numbers in a tensor",
        "decide by shapes, or keep the value as a Python number",
    ),
    "numpy": (
        Net(lambda x, c: c(x).numpy(), Conv(3, 3, 1)), "", "",
        "numpy() or tolist() needs the numbers in a tensor", "decide by shapes",
    ),
    "a mistake in Python": (
        Net(lambda x, c: {}["key"](c(x)), Conv(3, 3, 1)), "", "", "KeyError: 'key'", None,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_failure_says_where_why_and_what_would_fit(name: str) -> None:
    net, path, op, message, hint = CASES[name]
    failure, layers = failure_of(net)
    assert failure.path == path
    assert failure.op == op
    assert message in failure.message
    if hint is None:
        assert failure.hint is None
    else:
        assert failure.hint is not None
        assert hint in failure.hint
    assert layers >= 1
    assert (failure.source is None) is isinstance(net, nn.Sequential)


@pytest.mark.parametrize(
    ("net", "mended"),
    [
        (Net(join, Conv(3, 8, 3, padding=1), Conv(8, 8, 3)),
         Net(join, Conv(3, 8, 3, padding=1), Conv(8, 8, 3, padding=1))),
        (Net(join, Conv(3, 8, 3, padding=1), Conv(8, 8, 5, dilation=2)),
         Net(join, Conv(3, 8, 3, padding=1), Conv(8, 8, 5, dilation=2, padding=4))),
    ],
)  # fmt: skip
def test_the_padding_it_names_is_the_one(net: nn.Module, mended: nn.Module) -> None:
    failure, _ = failure_of(net)
    padding = mended.parts[1].padding[0]  # type: ignore[union-attr,index]  # a Conv2d
    assert failure.hint == f"padding={padding} in parts.1 would make these match"
    assert trace(mended, IMAGE).complete


def test_the_shapes_that_met_and_the_layers_before() -> None:
    found = trace(Net(join, Conv(3, 8, 3, padding=1), Conv(8, 8, 3)), IMAGE)
    assert found.failure is not None
    assert found.failure.shapes == ((1, 8, 16, 16), (1, 8, 14, 14))
    assert found.failure.inputs == (1, 2)
    assert [layer.op for layer in found] == ["input", "conv2d", "conv2d"]
    assert found.failure.source is not None
    assert "test_failures.py" in found.failure.source
    assert found.totals.params == 3 * 8 * 9 + 8 + 8 * 8 * 9 + 8
    assert found.unused == ()


class Two(nn.Module):
    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return a + b


class Sized(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        assert x.shape[-1] == 32, "made for 32 pixels"
        return x


REFUSED: list[tuple[Any, Any, str]] = [
    (Two(), IMAGE, r"Two.forward takes 2 inputs \(a, b\); striate gives it one image"),
    (nn.Sequential(Conv(1, 8, 3)), IMAGE,
     "Sequential: 0 takes 1 channels, and the image 3x16x16 has 3; give 1x16x16"),
    (nn.Sequential(nn.Linear(7, 3)), IMAGE,
     "takes 7 features, and its input .* has 16; in_features=16 would fit"),
    (nn.Sequential(nn.Conv1d(3, 8, 3)), IMAGE, "must have 3 dimensions, and has 4"),
    (nn.Sequential(nn.Embedding(10, 3)), IMAGE, "cannot take the image 3x16x16: Expected tensor"),
    (nn.Sequential(Conv(3, 8, 32)), IMAGE, "the map here is only 16x16; padding=8 would let"),
    (Conv(3, 8, 3), (3, 0, 10), "image 3x0x10 is not a size"),
    (Conv(3, 8, 3), (3, 10), "image 3x10 is not a size"),
    (Conv(3, 8, 3), (3, 2.5, 4), "image 3x2.5x4 is not a size"),
    (lambda: 3, IMAGE, "<lambda> returned int; it must return a torch.nn.Module"),
    (5, IMAGE, "cannot trace int; give a torch.nn.Module or a function that makes one"),
]  # fmt: skip


@pytest.mark.parametrize(("net", "image", "message"), REFUSED)
def test_inputs_that_cannot_be_are_refused_in_one_line(net: Any, image: Any, message: str) -> None:
    with pytest.raises(TraceError, match=message) as caught:
        trace(net, image)
    assert "\n" not in str(caught.value)


def test_a_batch_of_none_is_refused() -> None:
    with pytest.raises(TraceError, match="batch 0 is not a number of images; give at least 1"):
        trace(Conv(3, 8, 3), IMAGE, batch=0)


def test_an_assertion_of_the_users_is_theirs() -> None:
    found = trace(Sized(), IMAGE)
    assert found.failure is not None
    assert found.failure.message == "AssertionError: made for 32 pixels"


def test_a_kernel_without_shapes_is_named() -> None:
    with torch.library._scoped_library("striate_test", "DEF") as lib:
        lib.define("bare(Tensor x) -> Tensor")
        found = trace(Net(lambda x, c: torch.ops.striate_test.bare(c(x)), Conv(3, 3, 1)), IMAGE)
    assert found.failure is not None
    assert found.failure.message == (
        "striate_test::bare cannot be run on shapes alone: PyTorch has no meta kernel for it"
    )


def test_the_least_map_for_a_window_that_does_not_fit() -> None:
    """The forward runs on a map of that size, and on none smaller."""
    for window in (
        nn.Conv2d(3, 4, (7, 3), padding=(1, 0), dilation=(2, 1)),
        nn.MaxPool2d(5, padding=1),
        nn.AvgPool2d(4),
    ):
        failure = trace(nn.Sequential(nn.Identity(), nn.ReLU(), window), (3, 1, 1)).failure
        assert failure is not None
        assert failure.needs is not None
        height, width = failure.needs
        assert trace(nn.Sequential(nn.ReLU(), window), (3, height, width)).complete
        for less in ((height - 1, width), (height, width - 1)):
            if min(less):
                assert not trace(nn.Sequential(nn.ReLU(), window), (3, *less)).complete
