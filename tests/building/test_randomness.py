"""Dropout as a function of (seed, step, sample id, purpose)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from striate import keyed
from striate.arch import from_dict
from striate.building import build, keyed_step
from striate.building.blocks.dropout import Dropout
from striate.building.randomness import current_key, purpose_word, sample_bits
from striate.errors import StriateError

int64 = st.integers(-(2**63), 2**63 - 1)


def ids(*values: int) -> Tensor:
    return torch.tensor(values, dtype=torch.int64)


@given(seed=int64, step=st.integers(0, 2**40), samples=st.lists(int64, min_size=1, max_size=5))
def test_words_are_those_of_keyed(seed: int, step: int, samples: list[int]) -> None:
    with keyed_step(seed, step, ids(*samples)):
        key = current_key()
    assert key is not None
    ours = sample_bits(key, purpose_word("p"), 9, torch.device("cpu"))
    elements = np.arange(9)
    expected = keyed.bits(seed, "p", step, np.array(samples, dtype=np.int64)[:, None], elements)
    assert (ours.numpy().view(np.uint64) == expected).all()


def test_a_mask_is_where_keyed_uniforms_reach_the_probability() -> None:
    drop = Dropout(0.3, purpose="head.dropout").train()
    samples = np.array([3, 2**63 + 5], dtype=np.uint64)
    with keyed_step(4, 9, torch.from_numpy(samples.view(np.int64))):
        out = drop(torch.ones(2, 50))
    uniform = keyed.uniform(4, "dropout:head.dropout", 9, samples[:, None], np.arange(50))
    torch.testing.assert_close(out, torch.tensor(uniform >= 0.3) / torch.tensor(0.7))


def mask(seed: int = 0, step: int = 0, samples: tuple[int, ...] = (1, 2, 3), **keys: Any) -> Tensor:
    drop = Dropout(keys.get("p", 0.5), purpose=keys.get("purpose", "a")).train()
    with keyed_step(seed, step, ids(*samples)):
        return drop(torch.ones(len(samples), *keys.get("shape", (256,)))) > 0


def test_a_mask_depends_on_every_part_of_its_key() -> None:
    first = mask()
    assert torch.equal(first, mask())
    for other in (mask(seed=1), mask(step=1), mask(samples=(4, 5, 6)), mask(purpose="b")):
        # Independent masks agree on half of 768 elements, with a deviation of 13.9.
        assert abs((first == other).sum().item() - 384) < 5 * 13.9
    assert abs((first[0] == first[1]).sum().item() - 128) < 5 * 8


def test_a_samples_mask_does_not_depend_on_its_batch() -> None:
    whole = mask(samples=(10, 20, 30, 40))
    assert torch.equal(mask(samples=(30,)), whole[2:3])
    assert torch.equal(
        mask(samples=(40, 99, 10)), torch.stack([whole[3], mask(samples=(99,))[0], whole[0]])
    )


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_elements_are_dropped_with_their_probability(p: float) -> None:
    kept = mask(p=p, samples=tuple(range(200)), shape=(500,)).double()
    deviation = math.sqrt(p * (1 - p) / kept.numel())
    assert abs(kept.mean().item() - (1 - p)) < 4 * deviation
    for axis in (0, 1):  # every feature and every sample alike, none of them always dropped
        means = kept.mean(dim=axis)
        assert abs(means - (1 - p)).max() < 5 * math.sqrt(p * (1 - p) / kept.shape[axis])


def test_neighbouring_ids_and_steps_are_independent() -> None:
    kept = mask(samples=tuple(range(400)), shape=(100,)).double() - 0.5
    later = mask(step=1, samples=tuple(range(400)), shape=(100,)).double() - 0.5
    for one, other in ((kept[1:], kept[:-1]), (kept[:, 1:], kept[:, :-1]), (kept, later)):
        assert abs((4 * one * other).mean().item()) < 5 / math.sqrt(one.numel())


def test_maps_are_masked_element_by_element() -> None:
    flat = mask(shape=(4 * 3 * 2,))
    assert torch.equal(mask(shape=(4, 3, 2)).flatten(1), flat)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.float64])
def test_the_mask_is_the_same_in_every_type(dtype: torch.dtype) -> None:
    drop = Dropout(0.25, purpose="a").train()
    with keyed_step(0, 0, ids(1, 2)):
        out = drop(torch.full((2, 64), 3.0, dtype=dtype))
    assert out.dtype == dtype
    assert torch.equal(out > 0, mask(samples=(1, 2), shape=(64,), p=0.25))
    assert torch.equal(out[out > 0], torch.full_like(out[out > 0], 4.0))


def test_the_gradient_is_the_mask() -> None:
    drop = Dropout(0.5, purpose="a").train()
    x = torch.ones(2, 64, requires_grad=True)
    with keyed_step(0, 0, ids(1, 2)):
        drop(x).sum().backward()
    assert x.grad is not None
    assert torch.equal(x.grad, 2.0 * mask(samples=(1, 2), shape=(64,)))


def test_evaluation_changes_nothing() -> None:
    x = torch.ones(2, 8)
    with keyed_step(0, 0, ids(1, 2)):
        assert Dropout(0.5, purpose="a").eval()(x) is x


def test_outside_a_keyed_step_it_is_torchs_own() -> None:
    drop = Dropout(0.5, purpose="a").train()
    torch.manual_seed(5)
    ours = drop(torch.ones(4, 64))
    torch.manual_seed(5)
    assert torch.equal(ours, torch.nn.functional.dropout(torch.ones(4, 64), 0.5))


def test_steps_nest_and_end() -> None:
    assert current_key() is None
    with keyed_step(0, 1, ids(1)):
        with keyed_step(0, 2, ids(2, 3)):
            assert current_key().step == 2  # pyright: ignore[reportOptionalMemberAccess] - just set
        assert current_key().step == 1  # pyright: ignore[reportOptionalMemberAccess] - just set
        with pytest.raises(ZeroDivisionError), keyed_step(0, 3, ids(4)):
            _ = 1 / 0
        assert current_key().step == 1  # pyright: ignore[reportOptionalMemberAccess] - just set
    assert current_key() is None


def test_ids_must_be_one_for_each_sample() -> None:
    drop = Dropout(0.5, purpose="a").train()
    with keyed_step(0, 0, ids(1, 2)), pytest.raises(StriateError) as caught:
        drop(torch.ones(3, 8))
    assert str(caught.value) == "a batch of 3 met keyed_step's 2 ids; give one id per sample"


def test_ids_must_be_int64() -> None:
    with (
        pytest.raises(StriateError) as caught,
        keyed_step(0, 0, torch.tensor([1, 2], dtype=torch.int32)),
    ):
        pass
    assert str(caught.value) == (
        "keyed_step takes ids as (N,) int64, not (2,) torch.int32; view uint64 ids as int64"
    )


ARCH = from_dict(
    {
        "name": "n",
        "image": [1, 8, 8],
        "classes": 4,
        "stages": [{"block": "conv", "depth": 1, "width": 4}],
        "norm": "layer",
        "head": {"hidden": [32, 32], "dropout": 0.5},
    }
)


def test_each_dropout_of_a_network_has_a_purpose_of_its_own() -> None:
    found = [m.purpose for m in build(ARCH).modules() if isinstance(m, Dropout)]
    assert found == ["dropout:head.hidden.0.dropout", "dropout:head.hidden.1.dropout"]


def test_a_training_step_of_a_sample_is_the_same_in_any_batch() -> None:
    network = build(ARCH).train()
    x = torch.randn(5, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    with keyed_step(0, 3, ids(1, 2, 3, 4, 5)):
        whole = network(x)
    with keyed_step(0, 3, ids(4, 2)):
        part = network(x[[3, 1]])
    torch.testing.assert_close(part, whole[[3, 1]])
    with keyed_step(0, 4, ids(4, 2)):
        assert not torch.allclose(network(x[[3, 1]]), part)


def test_it_runs_on_shapes_alone() -> None:
    network = build(ARCH, device="meta").train()
    with keyed_step(0, 0, ids(1, 2)):
        assert network(torch.empty(2, 1, 8, 8, device="meta")).shape == (2, 4)
    assert network(torch.empty(2, 1, 8, 8, device="meta")).shape == (2, 4)
