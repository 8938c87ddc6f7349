"""Nothing of a trace is left behind, in the module or in the process, even after an error."""

from __future__ import annotations

import gc
import subprocess
import sys
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from striate.errors import TraceError
from striate.tracing import trace


class Net(nn.Module):
    def __init__(self, *, fails: bool) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)
        self.drop = nn.Dropout(0.5)
        self.head = nn.Linear(5 if fails else 4, 2)
        self.count, self.notes, self.table = 0, ["a"], {"b": 1}

    def forward(self, x: Tensor) -> Tensor:
        self.count += 1
        self.notes.append("seen")
        self.table["c"] = x
        self.new = x
        x = self.drop(self.norm(self.conv(x))) + torch.rand(1, device=x.device)
        return self.head(x.mean((2, 3)))


def snapshot(net: nn.Module) -> list[Any]:
    parts: list[Any] = []
    for part in net.modules():
        own = vars(part)
        parts.append({name: id(value) for name, value in own.items()})
        for value in own.values():
            if isinstance(value, dict):
                parts.append([(name, id(item)) for name, item in value.items()])
            if isinstance(value, list):
                parts.append(list(value))
    tensors = [*net.parameters(), *net.buffers()]
    parts.append([(id(t), t.data_ptr(), t.device, t.requires_grad, t._version) for t in tensors])
    parts.append([part.training for part in net.modules()])
    return parts


def process() -> list[Any]:
    return [
        torch.get_rng_state().tolist(),
        torch.is_grad_enabled(),
        torch.is_inference_mode_enabled(),
        torch.backends.mha.get_fastpath_enabled(),
        torch.get_default_dtype(),
        torch.get_default_device(),
        nn.Module.__init__,
        nn.Module.__call__,
        torch.no_grad.__enter__,
        torch.no_grad.__exit__,
        gc.isenabled(),
        torch._C._len_torch_dispatch_stack(),
        torch._C._len_torch_function_stack(),
    ]


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("train", [False, True])
@pytest.mark.parametrize("training", [False, True])
def test_the_module_is_as_it_was(fails: bool, train: bool, training: bool) -> None:
    net = Net(fails=fails).train(training)
    net.norm.eval()
    net(torch.zeros(2, 3, 8, 8)) if not fails else None
    values = [t.clone() for t in (*net.parameters(), *net.buffers())]
    before, outside = snapshot(net), process()
    found = trace(net, (3, 8, 8), train=train, batch=2)
    assert found.complete is not fails
    assert snapshot(net) == before
    assert process() == outside
    now = [*net.parameters(), *net.buffers()]
    assert all(torch.equal(a, b) for a, b in zip(values, now, strict=True))
    assert not hasattr(net, "new") or not fails


@pytest.mark.parametrize("fails", [False, True])
def test_inputs_are_left_alone(fails: bool) -> None:
    class Masked(Net):
        def forward(self, x: Tensor, mask: Tensor) -> Tensor:
            return super().forward(x * mask.sum()).add_(mask.mean())

    net = Masked(fails=fails)
    image, mask = torch.ones(2, 3, 8, 8), torch.ones(2)
    before, outside = snapshot(net), process()
    found = trace(net, inputs={"x": image, "mask": mask}, train=True, optimiser="adamw")
    assert found.complete is not fails
    assert snapshot(net) == before
    assert process() == outside
    assert bool((image == 1).all())
    assert image._version == mask._version == 0


def test_a_factory_leaves_the_process_as_it_was() -> None:
    def broken() -> nn.Module:
        raise RuntimeError("no")

    outside = process()
    trace(lambda: Net(fails=False), (3, 8, 8))
    with pytest.raises(RuntimeError, match="no"):
        trace(broken, (3, 8, 8))
    with pytest.raises(TraceError):
        trace(lambda: 3, (3, 8, 8))  # type: ignore[arg-type,return-value]  # the point
    assert process() == outside


def test_no_weight_is_allocated_for_a_factory() -> None:
    made: list[nn.Module] = []

    def huge() -> nn.Module:
        made.append(nn.Linear(1 << 20, 1 << 20))
        return made[0]

    found = trace(huge, (3, 8, 1 << 20))
    assert made[0].weight.is_meta
    assert found.totals.params == (1 << 40) + (1 << 20)


def test_hooks_of_the_user_run_and_stay() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
    shapes: list[tuple[int, ...]] = []
    net[0].register_forward_hook(lambda module, given, out: shapes.append(tuple(out.shape)))
    trace(net, (3, 8, 8))
    assert shapes == [(1, 4, 6, 6)]
    net(torch.zeros(2, 3, 8, 8))
    assert shapes[1:] == [(2, 4, 6, 6)]


def test_tensors_are_let_go() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 2))
    trace(net, (3, 8, 8))
    gc.collect()
    before = _tensors()
    trace(net, (3, 8, 8))
    gc.collect()
    assert _tensors() <= before


def _tensors() -> int:
    return sum(type(o) in (Tensor, nn.Parameter) for o in gc.get_objects())


def test_a_lazy_module_is_traced_and_left_lazy() -> None:
    net = nn.Sequential(nn.LazyConv2d(4, 3), nn.Conv2d(4, 4, 1), nn.Flatten(), nn.LazyLinear(2))
    weight, outside = net[1].weight, process()
    found = trace(net, (3, 8, 8))
    assert found.complete, found.failure
    assert found.totals.params == 4 * 3 * 9 + 4 + 4 * 4 + 4 + 2 * 144 + 2
    assert isinstance(net[0], nn.LazyConv2d)
    assert is_lazy(net[0].weight)
    assert isinstance(net[3], nn.LazyLinear)
    assert net[1].weight is weight
    assert not weight.is_meta
    assert process() == outside


def test_a_lazy_module_that_fails_says_where() -> None:
    def net() -> nn.Module:
        return nn.Sequential(nn.LazyConv2d(4, 3), nn.Conv2d(5, 4, 1), nn.LazyConv2d(4, 3))

    found = trace(net, (3, 8, 8))
    assert found.failure is not None
    assert found.failure.path == "1"
    assert found.failure.message == "takes 5 channels, and its input (1, 4, 6, 6) has 4"
    assert found.failure.source is not None
    assert found.failure.source.endswith(f"test_leaks.py:{net.__code__.co_firstlineno + 1}")


def test_a_lazy_module_that_cannot_be_copied() -> None:
    class Locked(nn.LazyConv2d):
        def __deepcopy__(self, memo: Any) -> Any:
            raise TypeError("no copies")

    with pytest.raises(
        TraceError, match=r"Locked is lazy and cannot be copied.*write its channels"
    ):
        trace(Locked(4, 3), (3, 8, 8))


_TWICE = """
from striate.arch import zoo
from striate.building import build
from striate.tracing import trace
net = build(zoo("resnet18"), device="meta")
print(*(trace(net, (3, 64, 64)).totals.infer_bytes for _ in range(2)))
"""


def test_the_first_trace_of_a_process_is_like_the_second() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _TWICE], check=True, capture_output=True, text=True
    )
    first, second = done.stdout.split()
    assert first == second
