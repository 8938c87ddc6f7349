"""Outputs that are known beforehand are those that PyTorch's own kernels give."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from striate.tracing.ops import QUICK

X, M, V = torch.rand(2, 6, 5, 4), torch.rand(3, 4), torch.rand(6)
K = torch.rand(4, 6, 3, 2)
CASES: list[tuple[str, tuple[Any, ...]]] = [
    ("conv2d.default", (X, K)),
    ("conv2d.default", (X, K, V[:4].contiguous(), [2, 1], [1, 0], [2, 3])),
    ("conv2d.default", (X, K[:, :3].contiguous(), None, [2], [1], [1], 2)),
    ("conv2d.default", (X, torch.rand(6, 1, 5, 4), V, [1, 1], [0, 0], [1, 1], 6)),
    ("conv2d.default", (X[:, :1].contiguous(), torch.rand(3, 1, 1, 1))),
    ("conv2d.default", (torch.rand(1, 6, 1, 1), torch.rand(8, 6, 1, 1), None)),
    ("batch_norm.default", (X, V, V, V, V, False, 0.1, 1e-5, True)),
    ("batch_norm.default", (X[:, :, 0], None, None, V, V, False, 0.1, 1e-5, True)),
    ("batch_norm.default", (X, V, V, V.clone(), V.clone(), True, 0.1, 1e-5, True)),
    ("batch_norm.default", (X, None, None, None, None, True, 0.0, 1e-5, True)),
    ("layer_norm.default", (X.transpose(1, 2), [4], None, None, 1e-5)),
    ("layer_norm.default", (X.permute(0, 2, 3, 1), [6], V, V, 1e-5)),
    ("layer_norm.default", (X, [4], V[:4], V[:4], 1e-5)),
    ("layer_norm.default", (X, [5, 4], None, None, 1e-5)),
    ("linear.default", (X, M, V[:3])),
    ("linear.default", (X[0, 0], M)),
    ("gelu.default", (X,)),
    ("silu.default", (X,)),
    ("sigmoid.default", (X,)),
    ("hardswish.default", (X,)),
    *(
        (f"{name}.default", (X,))
        for name in ("hardsigmoid", "relu", "tanh", "hardtanh", "leaky_relu")
    ),
    *(
        (f"{name}.default", (X.clone(),))
        for name in (
            "silu_",
            "sigmoid_",
            "hardswish_",
            "hardsigmoid_",
            "relu_",
            "tanh_",
            "hardtanh_",
            "leaky_relu_",
        )
    ),
    ("add_.Tensor", (X.clone(), X[:, :1].contiguous())),
    ("mul_.Tensor", (X.clone(), 2)),
    ("mul.Tensor", (X, X[:, :, :1, :1].contiguous())),
    ("cat.default", ([X, X[:, :2].contiguous()], 1)),
    ("cat.default", ([X, X], -1)),
    ("cat.default", ([X],)),
    ("mean.dim", (X, [2, 3], True)),
    ("mean.dim", (X, [-1, 1], False)),
    ("mean.dim", (X, [1])),
    ("adaptive_avg_pool2d.default", (X, [1, 1])),
    ("adaptive_avg_pool2d.default", (X, [3, 7])),
    ("adaptive_avg_pool2d.default", (X[:, :, :1, :1].contiguous(), [1, 1])),
    ("add.Tensor", (X, X)),
    ("sub.Tensor", (X, 2)),
    ("mul.Tensor", (X, 2.5)),
    ("div.Tensor", (X, X)),
    ("scaled_dot_product_attention.default", (X, X, X)),
    ("scaled_dot_product_attention.default", (X, X[:, :, :3], X[:, :, :3])),
    ("scaled_dot_product_attention.default", (X.transpose(1, 2),) * 3),
    (
        "scaled_dot_product_attention.default",
        torch.rand(2, 5, 3, 6, 4).permute(2, 0, 3, 1, 4).unbind(0),
    ),
]


def on_meta(values: tuple[Any, ...]) -> tuple[Any, ...]:
    def moved(value: Any) -> Any:
        if isinstance(value, list):
            return [moved(v) for v in value]
        return value.to("meta") if isinstance(value, Tensor) else value

    return tuple(moved(v) for v in values)


@pytest.mark.parametrize(("name", "args"), CASES)
def test_shape_strides_and_type_are_those_of_the_kernel(name: str, args: tuple[Any, ...]) -> None:
    packet, overload = name.split(".")
    real = getattr(getattr(torch.ops.aten, packet), overload)(*args)
    found = QUICK[f"aten::{packet}" + ("" if overload == "default" else f".{overload}")](
        on_meta(args), {}
    )
    assert found is not None
    assert found.is_meta
    assert found.shape == real.shape
    assert found.stride() == real.stride()
    assert found.dtype == real.dtype


LEFT: list[tuple[str, tuple[Any, ...]]] = [
    ("conv2d", (X, K[:, :3].contiguous())),
    ("conv2d", (X, K, V)),
    ("conv2d", (X, K.double())),
    ("conv2d", (X, K, None, [1], [0], [3])),
    ("conv2d", (X, K, None, [0], [0], [1])),
    ("conv2d", (X, K[:3, :3].contiguous(), None, [1], [0], [1], 2)),
    ("conv2d", (X[0], K)),
    ("conv2d", (X.to(memory_format=torch.channels_last), K)),
    ("conv2d", (X, K.to(memory_format=torch.channels_last))),
    ("batch_norm", (X[:1, :, 0, 0], V, V, V, V, True, 0.1, 1e-5, True)),
    ("batch_norm", (X, V[:3], None, V, V, False, 0.1, 1e-5, True)),
    ("layer_norm", (X, [5], None, None, 1e-5)),
    ("linear", (X, M[:, :3])),
    ("linear", (X, M, V)),
    ("linear", (X.half(), M)),
    ("gelu", (X.transpose(1, 2),)),
    ("add.Tensor", (X, X[0])),
    ("add.Tensor", (X, X.double())),
    ("mul.Tensor", (X.long(), 2.5)),
    ("mul.Tensor", (X[:, :1].contiguous(), X)),
    ("mul_.Tensor", (X[:, :1].contiguous(), X)),
    ("add_.Tensor", (X.long(), 2)),
    ("relu_", (X.transpose(1, 2),)),
    ("mean.dim", (X, [2, -2])),
    ("mean.dim", (X, [4])),
    ("mean.dim", (X.long(), [1])),
    ("mean.dim", (X.transpose(1, 2), [1])),
    ("mean.dim", (X, None)),
    ("adaptive_avg_pool2d", (X[0], [1, 1])),
    ("adaptive_avg_pool2d", (X.to(memory_format=torch.channels_last), [1, 1])),
    ("cat", ([X, X[:, :2].contiguous()], 2)),
    ("cat", ([X, X.double()], 1)),
    ("cat", ([X, X[0]], 1)),
    ("cat", ([X, X], 4)),
    ("scaled_dot_product_attention", (X, X[:, :3], X)),
]


@pytest.mark.parametrize(("name", "args"), LEFT)
def test_what_is_not_plain_is_left_to_pytorch(name: str, args: tuple[Any, ...]) -> None:
    assert QUICK[f"aten::{name}"](on_meta(args), {}) is None


def test_attention_with_shared_keys_is_left_to_pytorch() -> None:
    q, k = torch.empty(1, 4, 5, 6, device="meta"), torch.empty(1, 2, 5, 6, device="meta")
    quick = QUICK["aten::scaled_dot_product_attention"]
    assert quick((q, k, k), {"enable_gqa": True}) is None
    real = F.scaled_dot_product_attention(q, k, k, enable_gqa=True)
    assert real.shape == q.shape
