"""The ledger of a logit: its parts sum to it, and each part is what it is said to be."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from stream_networks import EVERY, OURS, Reused, network, picture, shaken
from torch import Tensor, nn
from torch.nn import functional as F

from striate.errors import InputError
from striate.seeing import logit_ledger, logit_lens, path_spectrum

SKIPPING = [name for name in EVERY if name not in ("ours plain", "ours bare")]


@pytest.mark.parametrize("name", EVERY)
def test_parts_sum_to_the_logit(name: str) -> None:
    module, image = network(name)
    classes = range(2)
    found = logit_ledger(module, image, classes=classes)
    with torch.no_grad():
        own = copy.deepcopy(module)(image[None])[0]
    own = own.log() if name == "ours bare" else own  # its logits up to a constant
    expected = own[:2].numpy()
    if name == "ours bare":
        sums = found.written.sum(axis=0)
        assert sums[1] - sums[0] == pytest.approx(expected[1] - expected[0], rel=1e-9)
    else:
        assert np.abs(found.written.sum(axis=0) - expected).max() <= 1e-9 * np.abs(expected).max()
    names = [part.name for part in found.parts]
    assert len(set(names)) == len(names)
    assert sum(found.by_kind().values())[0] == pytest.approx(found.logits[0], rel=1e-9)
    assert sum(found.by_module().values())[0] == pytest.approx(found.logits[0], rel=1e-9)
    blocks = np.abs(
        [row[0] for p, row in zip(found.parts, found.written, strict=True) if p.kind == "block"]
    )
    assert (blocks > 1e-3 * np.abs(found.logits[0])).sum() >= (2 if name in SKIPPING else 0)
    assert not any(part.kind == "frozen" for part in found.parts)


class _Two(nn.Module):
    """relu(stem x + branch relu(stem x)), pooled, with biases at both places and a projection."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(2, 3, 1)
        self.branch = nn.Conv2d(3, 4, 3, padding=1)
        self.short = nn.Conv2d(3, 4, 1)
        self.head = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        x = F.relu(self.branch(F.relu(x)) + self.short(x))
        return self.head(F.adaptive_avg_pool2d(x, 1).flatten(1))


def test_each_part_is_the_sum_over_its_own_way() -> None:
    torch.manual_seed(0)
    net, image = _Two().double(), picture(2, 5)[0]
    found = logit_ledger(net, image, classes=[1])
    with torch.no_grad():
        stem = net.stem(image[None])
        added = net.branch(stem.relu())
        gate = (added + net.short(stem) > 0).double()
        slope = net.head.weight[1].view(1, 4, 1, 1) * gate / 25

        def carried(through: Tensor) -> float:
            return float((slope * through).sum())

        short = net.short.weight
        expected = {
            "image": carried(F.conv2d(F.conv2d(image[None], net.stem.weight), short)),
            "stem.bias": carried(
                F.conv2d(net.stem.bias.view(1, 3, 1, 1).expand(1, 3, 5, 5), short)
            ),
            "branch": carried(added),
            "short.bias": carried(net.short.bias.view(1, 4, 1, 1).expand(1, 4, 5, 5)),
            "head.bias": float(net.head.bias[1]),
        }
    got = {part.name: float(row[0]) for part, row in zip(found.parts, found.written, strict=True)}
    assert got == pytest.approx(expected, rel=1e-12)
    assert {part.kind for part in found.parts} == {"image", "block", "bias"}


def test_in_a_piecewise_linear_plain_network_the_image_is_its_gradient_times_itself() -> None:
    module, image = network("ours plain")
    found = logit_ledger(module, image, classes=[0])
    given = image[None].clone().requires_grad_()
    (slope,) = torch.autograd.grad(module(given)[0, 0], given)
    names = [part.name for part in found.parts]
    assert found.written[names.index("image"), 0] == pytest.approx(float((slope[0] * image).sum()))
    assert "no skip" in found.notes[0]
    assert not any(part.kind == "block" for part in found.parts)


def test_in_a_transformer_a_part_is_read_by_the_last_norm_with_its_denominator_held() -> None:
    module, image = network("ours transformer")
    found = logit_ledger(module, image, classes=[2])
    added: dict[str, Tensor] = {}
    blocks = module.stages[0].blocks
    handles = [
        getattr(block, f"scale{half}").register_forward_hook(
            lambda _m, _i, out, key=f"stages.0.blocks.{k} {half}": added.update({key: out})
        )
        for k, block in enumerate(blocks)
        for half in (1, 2)
    ]
    handles.append(blocks[-1].register_forward_hook(lambda _m, _i, out: added.update(end=out)))
    with torch.no_grad():
        module(image[None])
    for handle in handles:
        handle.remove()
    norm = next(m for m in module.head.modules() if isinstance(m, nn.LayerNorm))
    end = added.pop("end")[0, 0]
    scale = norm.weight / (end.var(correction=0) + norm.eps).sqrt()
    for name, out in added.items():
        part = (out[0, 0] - out[0, 0].mean()) * scale @ module.head.linear.weight[2]
        row = [p.name for p in found.parts].index(name)
        assert found.written[row, 0] == pytest.approx(float(part.detach()), rel=1e-9)


class _Gates(nn.Module):
    """No skip: every kind of product and activation stands on the way itself."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3, padding=1)
        self.squeeze = nn.Linear(4, 4)
        self.norm = nn.GroupNorm(2, 4)
        self.wide = nn.Conv2d(4, 8, 1)
        self.qkv = nn.Linear(4, 12)
        self.head = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = F.hardswish(self.norm(self.conv(x)))
        x = x * torch.sigmoid(self.squeeze(x.mean((2, 3))))[:, :, None, None]
        x = F.max_pool2d(x, 2)
        x = F.glu(self.wide(F.leaky_relu(x, inplace=True)), dim=1)
        x = x * x + F.softplus(x).float().to(x.dtype)
        q, k, v = self.qkv(x.flatten(2).transpose(1, 2))[:, None].chunk(3, -1)
        x = F.scaled_dot_product_attention(q, k, v)[:, 0]
        return self.head(F.normalize(x, dim=-1).amax(1))


def test_gates_attention_and_products_on_the_way_itself() -> None:
    module, image = shaken(_Gates()).double(), picture(1, 8)[0]
    found = logit_ledger(module, image, classes=[0, 1, 2])
    assert found.error < 1e-12
    assert abs(found.by_kind()["image"][0]) > 1e-3
    assert abs(found.by_kind()["frozen"][0]) == 0
    assert any("Two values alike are multiplied" in note for note in found.notes)


class _Squeezed(nn.Module):
    """A gate of its own making, broadcast, and an activation written out as a product."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.squeeze = nn.Conv2d(1, 4, 3), nn.Linear(4, 4)
        self.head = nn.Linear(4, 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        x = torch.sigmoid(x) * x
        x = x * (1 + torch.tanh(self.squeeze(x.mean((2, 3)))))[:, :, None, None]
        return self.head(x.mean((2, 3)))


def test_a_gate_is_what_it_was_for_this_image() -> None:
    net, image = shaken(_Squeezed()).double(), picture(1, 6)[0]
    found = logit_ledger(net, image, classes=[1])
    with torch.no_grad():
        out = net.conv(image[None])
        swish = out.sigmoid()
        gate = 1 + torch.tanh(net.squeeze((out * swish).mean((2, 3))))
        slope = swish * gate[:, :, None, None] * net.head.weight[1].view(1, 4, 1, 1) / 16
        bias = float((slope * net.conv.bias.view(1, 4, 1, 1)).sum())
        whole = float(net(image[None])[0, 1])
    got = {part.name: float(row[0]) for part, row in zip(found.parts, found.written, strict=True)}
    assert got == pytest.approx({"image": whole - bias, "conv.bias": bias}, rel=1e-9)


class _Odd(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3)
        self.head = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.conv(x).flatten(2).logsumexp(-1))


def test_what_is_not_known_is_said_and_counts_as_put_in_there() -> None:
    found = logit_ledger(_Odd(), picture(1, 8)[0])
    assert found.error < 1e-12
    assert abs(found.by_kind()["frozen"][0]) > 0
    assert found.by_kind()["image"] == 0
    assert any("Nothing is carried through" in note for note in found.notes)


class _Failing(Reused):
    def forward(self, x: Tensor) -> Tensor:
        super().forward(x)
        raise RuntimeError("no more\nthan this")


@pytest.mark.parametrize("look", ["ledger", "spectrum", "lens"])
@pytest.mark.parametrize("kind", [Reused, _Failing])
def test_the_module_is_left_as_it_was(look: str, kind: type[Reused]) -> None:
    module = kind()
    module.norm.eval()
    (module.head.weight.sum() * 2).backward()
    hooks: dict[str, Any] = {
        f"{path}.{slot}": list(getattr(part, slot))
        for path, part in module.named_modules()
        for slot in ("_forward_hooks", "_forward_pre_hooks")
    }
    modes = [part.training for part in module.modules()]
    state = copy.deepcopy(module.state_dict())
    grads = [None if p.grad is None else p.grad.clone() for p in module.parameters()]
    image = picture(1, 8).float()
    images, labels = torch.cat([image, -image]), np.array([0, 1])
    asked = {
        "ledger": lambda: logit_ledger(module, image[0]),
        "spectrum": lambda: path_spectrum(module, image[0]),
        "lens": lambda: logit_lens(module, images, labels),
    }
    if kind is _Failing:
        with pytest.raises(InputError, match=r"_Failing: cannot take .* no more$"):
            asked[look]()
    else:
        asked[look]()
    assert modes == [part.training for part in module.modules()]
    for key, before in hooks.items():
        path, _, slot = key.rpartition(".")
        assert list(getattr(module.get_submodule(path), slot)) == before
    for name, tensor in module.state_dict().items():
        assert torch.equal(tensor, state[name]), name
    for parameter, grad in zip(module.parameters(), grads, strict=True):
        assert (parameter.grad is None) == (grad is None)
        assert grad is None or torch.equal(parameter.grad, grad)
    assert all(p.requires_grad for p in module.parameters())
    assert torch.is_grad_enabled()


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"classes": [3]}, "class 3: the network has 3; give numbers from 0 to 2"),
        ({"classes": []}, "no class: the network has 3; give numbers from 0 to 2"),
    ],
)
def test_a_class_that_is_none_is_refused(asked: dict[str, Any], message: str) -> None:
    module, image = network("ours basic")
    with pytest.raises(InputError) as caught:
        logit_ledger(module, image, **asked)
    assert str(caught.value) == message


def test_other_shapes_are_refused() -> None:
    module, image = network("ours basic")
    with pytest.raises(InputError, match=r"the image has shape \(1, 1, 8, 8\); give one of"):
        logit_ledger(module, image[None])
    with pytest.raises(InputError, match=r"Conv2d returns \(1, 2, 6, 6\) for 1 images; to be"):
        logit_ledger(nn.Conv2d(1, 2, 3), image)
    with pytest.raises(InputError, match=r"in stem\.conv: cannot take images of shape 1×3×8×8"):
        logit_ledger(OURS["basic"](), picture(3, 8)[0])
