"""What is read of a map; the oracle is the gradient: an element nobody reads gets none."""

from __future__ import annotations

import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, conv2d, pad

from striate.checking.graph import Graph
from striate.checking.reading import Reading
from striate.checking.windows import window_of
from striate.tracing import trace


class Readers(nn.Module):
    """A map that a padded convolution and a slice read, each behind something pointwise."""

    def __init__(self, kernel: int, stride: int, amounts: list[int], step: int, first: int) -> None:
        super().__init__()
        self.kernel, self.stride, self.amounts = kernel, stride, amounts
        self.step, self.first = step, first

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        weight = torch.ones(1, 1, self.kernel, self.kernel, device=x.device)
        y = conv2d(pad(x * 1.0 if self.training else x, self.amounts), weight, stride=self.stride)
        z = x[:, :, self.first :: self.step, :: self.step]
        return y, avg_pool2d(z, 2, stride=2, padding=1)


@settings(deadline=None, max_examples=40)
@given(
    kernel=st.integers(1, 3),
    stride=st.integers(1, 4),
    amounts=st.lists(st.integers(0, 2), min_size=4, max_size=4),
    step=st.integers(2, 4),
    first=st.integers(0, 1),
    size=st.tuples(st.integers(4, 9), st.integers(4, 9)),
)
def test_elements_nobody_reads_get_no_gradient(
    kernel: int, stride: int, amounts: list[int], step: int, first: int, size: tuple[int, int]
) -> None:
    net = Readers(kernel, stride, amounts, step, first).eval()
    image = torch.ones(1, 1, *size, requires_grad=True)
    torch.stack([out.sum() for out in net(image)]).sum().backward()
    assert image.grad is not None
    found = trace(net, (1, *size))
    assert found.complete, found.failure
    seen = Reading(Graph(found), endless=False).of(found.layers[0])
    assert seen.tolist() == (image.grad[0, 0] != 0).tolist()


@settings(deadline=None, max_examples=40)
@given(
    length=st.integers(5, 12),
    before=st.integers(0, 2),
    after=st.integers(0, 2),
    own=st.integers(0, 1),
    stride=st.integers(1, 3),
)
def test_a_window_has_the_padding_of_operations_before_it(
    length: int, before: int, after: int, own: int, stride: int
) -> None:
    assume(before or after)
    net = nn.Sequential(
        nn.ZeroPad2d((before, after, after, before)),
        nn.ReLU(),
        nn.Conv2d(3, 4, 3, stride=stride, padding=own),
    )
    found = trace(net, (3, length, length))
    window = window_of(Graph(found), found.last("conv2d"))
    assert window is not None
    assert window.source.op == "input"
    assert window.before == (after + own, before + own)
    assert window.after == (before + own, after + own)
