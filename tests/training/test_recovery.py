"""Back to the last good state once, at half the rates, to the same bits however it was stopped."""

from __future__ import annotations

import copy
import json
import os
import signal
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from striate.data import Dataset
from striate.errors import Diverged, Interrupted
from striate.records import EpochRecord, StepRecord
from striate.runs import RunFolder, newest, read_metrics
from striate.training import Notice, Recipe, lr_at, train

Begun = Callable[..., tuple[Recipe, RunFolder]]


class Odd(nn.Module):
    """Does ``what`` to the logits of a batch at the rates of the given steps, and only there.

    The rate tells a step from the same step taken again at half of it, so that what goes wrong is
    a function of the training's own state, as it is in life, and not of how often it was called.
    """

    def __init__(
        self, net: nn.Module, recipe: Recipe, steps: range, what: Callable[[Tensor], Tensor]
    ) -> None:
        super().__init__()
        self.module = copy.deepcopy(net)
        self.what = what
        assert recipe.steps is not None
        self.rates = {lr_at(recipe, step, recipe.steps) for step in steps}
        self.lr = 0.0

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.module(x)
        return self.what(logits) if self.training and self.lr in self.rates else logits


def trained(
    odd: Odd, digits: Dataset, recipe: Recipe, folder: RunFolder, **options: Any
) -> list[Any]:
    """``train``, with ``odd`` told of each rate that is set."""
    import striate.training.loop as loop

    real = loop.set_lr

    def told(*arguments: Any, **named: Any) -> float:
        odd.lr = real(*arguments, **named)
        return odd.lr

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "set_lr", told)
        stop_after = options.pop("stop_after", None)
        records: list[Any] = []
        for record in train(odd, digits, recipe, folder, **options):
            records.append(record)
            if isinstance(record, StepRecord) and record.step == stop_after:
                os.kill(os.getpid(), signal.SIGTERM)
        return records


def nan(logits: Tensor) -> Tensor:
    return logits * float("nan")


def wrong(logits: Tensor) -> Tensor:
    return -20 * logits


def notices(records: list[Any]) -> list[str]:
    return [record.text for record in records if isinstance(record, Notice)]


def steps(records: list[Any]) -> list[StepRecord]:
    return [record for record in records if isinstance(record, StepRecord)]


def test_back_to_the_last_epochs_end_at_half_the_rates(
    net: nn.Module, digits: Dataset, begun: Begun
) -> None:
    recipe, folder = begun()
    plain = list(train(copy.deepcopy(net), digits, *begun()))
    odd = Odd(net, recipe, range(8, 9), nan)
    records = trained(odd, digits, recipe, folder)
    assert [record.step for record in steps(records)] == [1, 2, 3, 4, 5, 6, 7, *range(6, 16)]
    (said,) = notices(records)
    assert said.startswith("the loss became nan at step 8 (epoch 2, lr 0.0")
    assert "went back to the end of step 5, and goes on at 0.5 times the learning rates" in said
    assert "\n" not in said

    stored = list(read_metrics(folder.paths.metrics))
    assert [record.step for record in steps(stored)] == list(range(1, 16))
    assert [r.epoch for r in stored if isinstance(r, EpochRecord)] == [1, 2, 3]
    half = {step: lr_at(recipe, step, 15) / 2 for step in range(6, 16)}
    assert {record.step: record.lr for record in steps(stored)[5:]} == half
    # Up to step 6, whose loss is that of the weights before it, it is the training it was.
    losses = [record.loss for record in steps(stored)]
    assert losses[:6] == [record.loss for record in steps(plain)][:6]
    assert losses[6] != steps(plain)[6].loss
    facts = json.loads(folder.paths.recovered.read_text())
    assert (facts["what"], facts["step"], facts["back"], facts["rate"]) == (
        "the loss became nan", 8, 5, 0.5,
    )  # fmt: skip
    assert len(facts["ids"]) == 60
    assert not folder.paths.diverged.exists()


def test_it_is_what_a_training_at_half_the_rate_does_from_there(
    net: nn.Module, digits: Dataset, begun: Begun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the machinery: a loop whose rate is halved from step 6 on."""
    import striate.training.loop as loop

    recipe, folder = begun()
    odd = Odd(net, recipe, range(8, 9), nan)
    trained(odd, digits, recipe, folder)
    by_hand = copy.deepcopy(net)
    monkeypatch.setattr(loop, "lr_at", lambda r, s, n: lr_at(r, s, n) / (1 if s < 6 else 2))
    list(train(by_hand, digits, *begun()))
    for name, tensor in by_hand.state_dict().items():
        assert torch.equal(tensor, odd.module.state_dict()[name]), name


def test_back_to_the_start_where_no_epoch_has_ended(
    net: nn.Module, digits: Dataset, begun: Begun
) -> None:
    recipe, folder = begun()
    records = trained(Odd(net, recipe, range(4, 5), nan), digits, recipe, folder)
    (said,) = notices(records)
    assert "went back to the weights before step 1, and goes on at 0.5 times" in said
    assert [record.step for record in steps(records)] == [1, 2, 3, *range(1, 16)]
    again = steps(records)[3]
    assert (again.loss, again.lr) == (steps(records)[0].loss, steps(records)[0].lr / 2)


def test_the_second_time_ends_the_run(net: nn.Module, digits: Dataset, begun: Begun) -> None:
    recipe, folder = begun()
    odd = Odd(net, recipe, range(8, 9), nan)
    odd.rates |= {lr_at(recipe, 12, 15) / 2}
    with pytest.raises(Diverged) as raised:
        trained(odd, digits, recipe, folder)
    message = str(raised.value)
    assert message.startswith("the loss became nan at step 12 (epoch 3")
    assert "again, at 0.5 times the rates; the last good checkpoint is " in message
    assert message.endswith("start anew with a lower --lr, or with clip = 1 in the recipe")
    assert "step-000000010.safetensors" in message
    assert raised.value.exit_code == 2
    assert "\n" not in message
    facts = json.loads(folder.paths.diverged.read_text())
    assert (facts["step"], facts["rate"]) == (12, 0.5)
    assert not folder.paths.weights.exists()


@pytest.mark.parametrize("after", [6, 7, 11, 13])
def test_stopped_before_and_after_it_the_bits_are_the_same(
    net: nn.Module, digits: Dataset, begun: Begun, after: int
) -> None:
    """Stopped in the middle of an epoch, before the loss is lost and after: a checkpoint that was
    written because of a signal is no state to go back to.
    """
    recipe, folder = begun()
    whole = Odd(net, recipe, range(9, 10), nan)
    trained(whole, digits, recipe, folder)
    recipe, folder = begun()
    with pytest.raises(Interrupted):
        trained(Odd(net, recipe, range(9, 10), nan), digits, recipe, folder, stop_after=after)
    odd = Odd(net, recipe, range(9, 10), nan)
    rest = trained(odd, digits, recipe, folder, resume=True)
    assert ("went back to the end of step 5" in " ".join(notices(rest))) == (after < 9)
    assert ("keeps to 0.5 times its rates" in " ".join(notices(rest))) == (after > 9)
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, odd.state_dict()[name]), name


def test_killed_right_after_going_back(net: nn.Module, digits: Dataset, begun: Begun) -> None:
    recipe, folder = begun()
    whole = Odd(net, recipe, range(8, 9), nan)
    trained(whole, digits, recipe, folder)
    expected = [(r.step, r.loss, r.lr) for r in steps(list(read_metrics(folder.paths.metrics)))]

    recipe, folder = begun()
    odd = Odd(net, recipe, range(8, 9), nan)
    running = train(odd, digits, recipe, folder)
    import striate.training.loop as loop

    real = loop.set_lr
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "set_lr", lambda *a, **b: setattr(odd, "lr", real(*a, **b)) or odd.lr)
        assert any(isinstance(record, Notice) for record in running)  # up to the notice
    running.close()
    found = newest(folder.paths.checkpoints)
    assert found is not None
    assert (found.checkpoint.step, found.checkpoint.facts["rate"]) == (5, 0.5)
    odd = Odd(net, recipe, range(8, 9), nan)
    trained(odd, digits, recipe, folder, resume=True)
    assert [
        (r.step, r.loss, r.lr) for r in steps(list(read_metrics(folder.paths.metrics)))
    ] == expected
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, odd.state_dict()[name]), name


def test_a_broken_state_to_go_back_to(net: nn.Module, digits: Dataset, begun: Begun) -> None:
    recipe, folder = begun()

    def breaking(logits: Tensor) -> Tensor:
        (folder.paths.checkpoints / "step-000000005.safetensors").write_bytes(b"no")
        return nan(logits)

    with pytest.raises(Diverged, match=r"there was no going back \(.*step-000000005"):
        trained(Odd(net, recipe, range(8, 9), breaking), digits, recipe, folder)


def test_a_spike(net: nn.Module, digits: Dataset, begun: Begun) -> None:
    """Ten high losses in a row, of which the last two lie behind an epoch's end: that epoch did not
    end well, and the one before it is gone back to.
    """
    recipe, folder = begun(batch_size=16, epochs=6, lr=0.02)  # 19 steps an epoch
    records = trained(Odd(net, recipe, range(88, 98), wrong), digits, recipe, folder)
    (said,) = notices(records)
    assert said.startswith("the loss rose from ")
    assert " for 10 steps at step 97 (epoch 6" in said
    assert "went back to the end of step 76, and" in said
    assert [r.step for r in steps(list(read_metrics(folder.paths.metrics)))] == list(range(1, 115))


def test_nine_in_a_row_are_no_spike(net: nn.Module, digits: Dataset, begun: Begun) -> None:
    recipe, folder = begun(batch_size=16, epochs=6, lr=0.02)
    records = trained(Odd(net, recipe, range(88, 97), wrong), digits, recipe, folder)
    assert notices(records) == []


def test_a_finished_run_forgets_that_it_once_ended(
    net: nn.Module, digits: Dataset, begun: Begun
) -> None:
    recipe, folder = begun(recover=False)
    with pytest.raises(Diverged):
        trained(Odd(net, recipe, range(8, 9), nan), digits, recipe, folder)
    assert folder.paths.diverged.exists()
    mended = copy.deepcopy(recipe).with_({"recover": True})
    trained(Odd(net, recipe, range(8, 9), nan), digits, mended, folder, resume=True)
    assert not folder.paths.diverged.exists()
    assert folder.paths.weights.exists()
