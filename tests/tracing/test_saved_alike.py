"""What an operation saves is asked once for all shapes: held against asking for each of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch

from striate.tracing import memory
from striate.tracing.saved_known import known_beforehand

ATEN = torch.ops.aten
SHAPES = ((2, 8, 6, 6), (1, 16, 4, 8), (3, 4, 1, 5))


def blank(*shape: int) -> torch.Tensor:
    return torch.empty(shape, device="meta")


def calls(shape: tuple[int, int, int, int]) -> dict[str, tuple[Any, Sequence[Any]]]:
    """By a name, an operation and its arguments for an image of ``shape``."""
    x = blank(*shape)
    channels, side = shape[1], shape[3]
    found: dict[str, tuple[Any, Sequence[Any]]] = {
        "conv": (ATEN.conv2d.default, (x, blank(6, channels, 1, 1), None)),
        "conv with bias": (ATEN.conv2d.default, (x, blank(6, channels, 1, 1), blank(6))),
        "depthwise": (
            ATEN.conv2d.default,
            (x, blank(channels, 1, 3, 3), None, [2, 1], [shape[3], 1], [1, 1], channels),
        ),
        "linear": (ATEN.linear.default, (x, blank(5, side), blank(5))),
        "cat": (ATEN.cat.default, ([x] * (shape[0] + 1), 1)),
        "layer norm": (ATEN.layer_norm.default, (x, [side], blank(side), blank(side), 1e-5)),
        "layer norm over two": (ATEN.layer_norm.default, (x, list(shape[2:]))),
        "batch norm": (
            ATEN.batch_norm.default,
            (x, *[blank(channels) for _ in range(4)], True, 0.1, 1e-5, True),
        ),
        "add": (ATEN.add.Tensor, (x, blank(*shape))),
        "add in place": (ATEN.add_.Tensor, (x, blank(*shape))),
        "mul": (ATEN.mul.Tensor, (x, blank(*shape))),
        "mul by a gate": (ATEN.mul.Tensor, (x, blank(*shape[:2], 1, 1))),
        "mul in place": (ATEN.mul_.Tensor, (x, blank(*shape[:2], 1, 1))),
        "mul by a number": (ATEN.mul.Tensor, (x, 0.5 * side)),
        "mul in place by a number": (ATEN.mul_.Tensor, (x, 0.5 * side)),
        "mean": (ATEN.mean.dim, (x, [2, 3], True)),
        "hardtanh": (ATEN.hardtanh.default, (x, 0.0, 6.0)),
        "hardtanh in place": (ATEN.hardtanh_.default, (x, 0.0, 6.0)),
        "gelu": (ATEN.gelu.default, (x,)),
    }
    for name in ("relu", "silu", "sigmoid", "hardswish", "hardsigmoid", "leaky_relu"):
        found[name] = (getattr(ATEN, name).default, (x,))
        found[f"{name} in place"] = (getattr(ATEN, f"{name}_").default, (x,))
    return found


@pytest.mark.parametrize("name", list(calls(SHAPES[0])))
def test_one_answer_for_all_shapes(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_answers", {})
    saved: list[tuple[memory.Kept, ...]] = []
    for shape in SHAPES:
        func, args = calls(shape)[name]
        needs = {id(tensor): True for tensor in _tensors(args)}
        short = func._schema.name.split("::")[1]
        found = memory.saved_by(func, short, args, {}, needs)
        assert found == memory._asked(func, args, {}, needs)
        saved.append(found)
    assert len(memory._answers) == 1, "asked again for another shape"


def test_no_answer_is_empty_where_something_is_kept() -> None:
    kept = {name: memory._asked(func, args, {}, {id(t): True for t in _tensors(args)})
            for name, (func, args) in calls(SHAPES[0]).items()}  # fmt: skip
    assert {name for name, found in kept.items() if not found} == {
        "cat", "add", "add in place", "mean", "mul by a number", "mul in place by a number",
    }  # fmt: skip


SIDES = (2, 6, 5, 3)


def given(signed: Any) -> Any:
    """An argument of that signature."""
    if signed is float:
        return 0.5
    if isinstance(signed, tuple) and signed and isinstance(signed[0], tuple) and len(signed) == 3:
        (axes, contiguous), dtype, _ = signed
        assert contiguous
        assert dtype == torch.float32
        return blank(*SIDES[:axes])
    return [given(item) for item in signed] if isinstance(signed, tuple) else signed


@pytest.mark.parametrize(("func", "signed", "kept"), list(known_beforehand()), ids=str)
def test_known_beforehand_is_what_autograd_says(
    func: Any,
    signed: tuple[Any, ...],
    kept: tuple[memory.Kept, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    args = [given(one) for one in signed]
    name = func._schema.name.split("::")[1]
    if name == "conv2d":
        args[1:] = [blank(4, 6, 1, 1), *(None if one is None else blank(4) for one in signed[2:])]
    if name == "linear":
        args[1:] = [blank(4, args[0].shape[-1]), blank(4)]
    if name == "batch_norm":
        args[1:5] = [blank(6) for _ in range(4)]
    if name == "layer_norm":
        last = args[0].shape[-1]
        args[1:] = [[last], blank(last), blank(last)]
    needs = {id(tensor): True for tensor in learning(signed, args)}
    unit = memory._made_anew(name, args)
    real = tuple(memory.Kept("new", one.at * unit) if one.what == "new" else one for one in kept)
    assert memory._asked(func, args, {}, needs) == real
    monkeypatch.setattr(memory, "_asked", None)  # it is known, and not asked
    assert memory.saved_by(func, name, args, {}, needs) == real


def learning(signed: Sequence[Any], args: Sequence[Any]) -> list[Any]:
    """The arguments whose signature says that they learn."""
    found: list[Any] = []
    for one, arg in zip(signed, args, strict=True):
        if isinstance(arg, list) and arg and isinstance(arg[0], torch.Tensor):
            found += learning(one, arg)
        elif isinstance(arg, torch.Tensor) and one[2]:
            found.append(arg)
    return found


def _tensors(values: Sequence[Any]) -> list[torch.Tensor]:
    found: list[torch.Tensor] = []
    for value in values:
        if isinstance(value, torch.Tensor):
            found.append(value)
        elif isinstance(value, list):
            found += _tensors(value)
    return found
