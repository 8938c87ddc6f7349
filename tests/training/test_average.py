"""The average of the weights against the sum written out."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from striate.training.average import average_of, update_average


def test_equals_the_sum_written_out() -> None:
    with torch.random.fork_rng():
        module = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3))
        average = average_of(module)
        history = [{name: t.double() for name, t in module.state_dict().items()}]
        for step in range(1, 40):
            for parameter in module.parameters():
                parameter.data.normal_()
            module[1].running_mean.normal_()
            module[1].num_batches_tracked += 1
            history.append({name: t.double() for name, t in module.state_dict().items()})
            update_average(average, module, 0.7, step)
    weights = [1.0]  # of the start and of the state after each step, by unrolling the recursion
    for step in range(1, 40):
        keep = min(0.7, (1 + step) / (10 + step))
        weights = [w * keep for w in weights] + [1 - keep]
    assert sum(weights) == pytest.approx(1)
    for name, tensor in average.state_dict().items():
        if name.endswith("num_batches_tracked"):
            assert tensor == 39
            continue
        expected = sum(w * past[name] for w, past in zip(weights, history, strict=True))
        torch.testing.assert_close(tensor.double(), expected, atol=1e-6, rtol=1e-5)


def test_the_average_is_for_looking_only() -> None:
    module = nn.Linear(2, 2)
    average = average_of(module.train())
    assert not average.training
    assert not any(p.requires_grad for p in average.parameters())
    assert module.training
    assert all(p.requires_grad for p in module.parameters())
