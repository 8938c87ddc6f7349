"""The loop against one written out by hand, and what it does when things go wrong."""

from __future__ import annotations

import copy
import json
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from striate.building import keyed_step
from striate.data import Dataset, epoch_plan
from striate.errors import Diverged, Interrupted, OutputError, RecipeError, RunError
from striate.records import EpochRecord, StepRecord
from striate.runs import Preprocessing, RunFolder, RunInfo, evaluate, load_run, newest, read_metrics
from striate.training import Notice, Recipe, train

Begun = Callable[..., tuple[Recipe, RunFolder]]


def steps(records: list[Any]) -> list[StepRecord]:
    return [record for record in records if isinstance(record, StepRecord)]


def epochs(records: list[Any]) -> list[EpochRecord]:
    return [record for record in records if isinstance(record, EpochRecord)]


def test_equals_a_loop_written_out_by_hand(net: nn.Module, digits: Dataset, begun: Begun) -> None:
    """Plain torch, with torch's own SGD and scheduler: the same but for rounding."""
    recipe, folder = begun(ema=0.0, clip=0.5, label_smoothing=0.1, **{"augment.translate": 0})
    no_val = replace(digits, val=replace(digits.val, ids=digits.val.ids[:0]))
    by_hand = copy.deepcopy(net).train()
    decayed = [p for p in by_hand.parameters() if p.dim() > 1]
    others = [p for p in by_hand.parameters() if p.dim() <= 1]
    groups = [{"params": decayed, "weight_decay": 5e-4}, {"params": others, "weight_decay": 0}]
    optimiser = torch.optim.SGD(groups, lr=0.05, momentum=0.9, nesterov=True)

    def rate(done: int) -> float:  # 15 steps, of which two warm up
        return (done + 1) / 2 if done < 2 else 0.5 * (1 + np.cos(np.pi * (done - 2) / 13))

    scheduler = torch.optim.lr_scheduler.LambdaLR(optimiser, rate)
    losses: list[float] = []
    for epoch in (1, 2, 3):
        for indices in epoch_plan(digits.train, seed=0, epoch=epoch, batch_size=64):
            pixels = torch.tensor(digits.train.pixels(indices)).float()
            images = pixels * (1 / (16 * digits.std[0])) - digits.mean[0] / digits.std[0]
            ids = torch.tensor(digits.train.ids[indices].view(np.int64))
            with keyed_step(0, len(losses) + 1, ids):
                logits = by_hand(images)
            labels = torch.tensor(digits.train.labels[indices])
            loss = F.cross_entropy(logits, labels, label_smoothing=0.1)
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(by_hand.parameters(), 0.5)
            optimiser.step()
            scheduler.step()
            losses.append(loss.item())

    records = list(train(net, no_val, recipe, folder))
    assert [record.loss for record in steps(records)] == pytest.approx(losses, rel=1e-5)
    for (name, ours), theirs in zip(
        net.state_dict().items(), by_hand.state_dict().values(), strict=True
    ):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4, msg=name)


def test_records_files_and_the_kept_weights(net: nn.Module, digits: Dataset, begun: Begun) -> None:
    recipe, folder = begun()
    generator = torch.get_rng_state()
    records = list(train(net, digits, recipe, folder))
    assert torch.equal(generator, torch.get_rng_state())
    assert [record.step for record in steps(records)] == list(range(1, 16))
    assert [record.epoch for record in steps(records)] == [1] * 5 + [2] * 5 + [3] * 5
    assert {record.images for record in steps(records)} == {60}
    assert [record.step for record in epochs(records)] == [5, 10, 15]
    for epoch in epochs(records):
        own = [record for record in steps(records) if record.epoch == epoch.epoch]
        assert epoch.train_loss == pytest.approx(np.mean([record.loss for record in own]))
        assert epoch.train_accuracy == pytest.approx(np.mean([r.accuracy for r in own]))
    assert steps(records)[-1].loss < steps(records)[0].loss
    assert list(read_metrics(folder.paths.metrics)) == records
    assert not net.training

    # What is kept is what the last epoch marked as best measured on the validation split.
    assert epochs(records)[0].best
    kept = [epoch for epoch in epochs(records) if epoch.best][-1]
    found = evaluate(net, digits.val, Preprocessing.of(digits))
    assert (found.accuracy, found.loss) == pytest.approx((kept.val_accuracy, kept.val_loss))

    run = load_run(folder.path)
    for name, tensor in net.state_dict().items():
        assert torch.equal(tensor, run.module.state_dict()[name]), name
    assert not run.module.training
    assert run.arch is not None
    assert run.arch.name == "tiny"
    assert run.preprocessing == Preprocessing.of(digits)
    assert list(run.metrics) == records
    assert (run.result, run.evaluation, run.notices) == (None, None, ())


def test_finished_and_loaded_with_its_numbers(
    net: nn.Module, digits: Dataset, begun: Begun
) -> None:
    from striate.records import Run

    recipe, folder = begun(epochs=1)
    with pytest.raises(RunError, match=f"training has not finished.*--resume {folder.path}"):
        load_run(folder.path)
    list(train(net, digits, recipe, folder))
    test = evaluate(net, digits.test, Preprocessing.of(digits))
    result = Run(
        run=str(folder.path), arch="tiny", accuracy=test.accuracy, loss=test.loss, ece=test.ece,
        epochs=1, seconds=1.0, images_per_second=2.0, setting="fp32", report=None,
    )  # fmt: skip
    folder.finish(result, test)
    run = load_run(folder.path)
    assert run.result == result
    assert run.info.state == "finished"
    assert run.evaluation is not None
    np.testing.assert_array_equal(run.evaluation.probabilities, test.probabilities)
    assert run.recipe["setting"] == "fp32"


def test_without_a_validation_split_the_last_weights_are_kept(
    net: nn.Module, digits: Dataset, begun: Begun
) -> None:
    none = replace(digits.val, ids=digits.val.ids[:0], labels=digits.val.labels[:0])
    recipe, folder = begun(replace(digits, val=none), ema=0.0)
    records = list(train(net, replace(digits, val=none), recipe, folder))
    assert [(e.val_loss, e.val_accuracy, e.best) for e in epochs(records)] == [
        (None, None, True)
    ] * 3
    found = newest(folder.paths.checkpoints)
    assert found is not None
    for name, tensor in found.checkpoint.part("module").items():
        assert torch.equal(tensor, net.state_dict()[name]), name


def test_the_latest_within_one_standard_error_of_the_highest_is_kept() -> None:
    from striate.training.state import Best, standard_error

    # 90 right of 100, and two of each kind more: 92/104, of which √(p·(1 − p)/104) is 3.13 %.
    assert standard_error(0.9, 100) == pytest.approx(0.0313, abs=5e-5)
    assert standard_error(1.0, 100) > 0.01
    best, one = Best(), nn.Linear(1, 1)
    kept = [
        best.offer(one, accuracy=accuracy, images=100, epoch=epoch)
        for epoch, accuracy in enumerate([0.5, 0.9, 0.86, 0.87, 0.89, 0.8, 0.93, 0.9], 1)
    ]
    assert kept == [True, True, False, True, True, False, True, False]
    assert (best.epoch, best.accuracy) == (7, 0.93)


class Breaks(nn.Module):
    """Gives NaN from the given forward pass in training on."""

    def __init__(self, module: nn.Module, at: int) -> None:
        super().__init__()
        self.module, self.at, self.calls = module, at, 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += self.training
        return self.module(x) * (float("nan") if self.calls >= self.at else 1.0)


def test_a_loss_that_is_not_finite_stops_the_run(
    net: nn.Module, digits: Dataset, begun: Begun
) -> None:
    recipe, folder = begun(recover=False)
    with pytest.raises(Diverged) as raised:
        list(train(Breaks(net, 8), digits, recipe, folder))
    indices = epoch_plan(digits.train, seed=0, epoch=2, batch_size=64)[2]
    ids = [f"{int(word):016x}" for word in digits.train.ids[indices]]
    message = str(raised.value)
    assert message.startswith("the loss became nan at step 8 (epoch 2, lr 0.0")
    assert f"sample ids {', '.join(ids[:4])} … (60 in {folder.paths.diverged})" in message
    assert "step-000000005.safetensors; start anew with a lower --lr" in message
    assert "\n" not in message
    assert json.loads(folder.paths.diverged.read_text())["ids"] == ids
    found = newest(folder.paths.checkpoints)
    assert found is not None
    assert all(bool(t.isfinite().all()) for t in found.checkpoint.part("module").values())
    assert not folder.paths.weights.exists()


def test_weights_that_are_not_finite_never_reach_a_checkpoint(
    net: nn.Module, digits: Dataset, begun: Begun
) -> None:
    """The gradient of √x at 0 is infinite though the loss is not."""

    class Root(nn.Module):
        def __init__(self, module: nn.Module) -> None:
            super().__init__()
            self.module, self.zero = module, nn.Parameter(torch.zeros(1))

        def forward(self, x: Tensor) -> Tensor:
            return self.module(x) + 0.0 * self.zero.abs().sqrt()

    recipe, folder = begun(epochs=1, batch_size=300, recover=False)
    with pytest.raises(
        Diverged, match=r"the weights stopped being finite at step 1 .*no epoch had"
    ):
        list(train(Root(net), digits, recipe, folder))
    assert newest(folder.paths.checkpoints) is None


def test_interrupted_in_the_middle_and_resumed_with_the_next_batch(
    net: nn.Module, digits: Dataset, begun: Begun
) -> None:
    recipe, folder = begun()
    before = signal.getsignal(signal.SIGINT)
    seen: list[int] = []

    def follow() -> None:
        for record in train(net, digits, recipe, folder):
            if isinstance(record, StepRecord):
                seen.append(record.step)
                if record.step == 6:
                    os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted) as raised:
        follow()
    assert raised.value.exit_code == 130
    assert str(raised.value) == (
        f"stopped after step 7; the state is saved, and --resume {folder.path} goes on"
    )
    assert signal.getsignal(signal.SIGINT) == before
    assert seen == [1, 2, 3, 4, 5, 6]  # step 7 is in the file
    rest = list(train(net, digits, recipe, folder, resume=True))
    assert [record.step for record in steps(rest)] == list(range(8, 16))
    stored = list(read_metrics(folder.paths.metrics))
    assert [record.step for record in steps(stored)] == list(range(1, 16))
    assert list(train(net, digits, recipe, folder, resume=True)) == []  # nothing is left to do


def test_a_broken_checkpoint_is_said_aloud(net: nn.Module, digits: Dataset, begun: Begun) -> None:
    recipe, folder = begun()
    list(train(copy.deepcopy(net), digits, recipe, folder))
    whole = folder.paths.weights.read_bytes()
    newest_file = folder.paths.checkpoints / "step-000000015.safetensors"
    newest_file.write_bytes(newest_file.read_bytes()[:-1])
    records = list(train(net, digits, recipe, folder, resume=True))
    assert isinstance(records[0], Notice)
    assert "step-000000015.safetensors" in records[0].text
    assert [record.step for record in steps(records)] == list(range(11, 16))
    assert folder.paths.weights.read_bytes() == whole
    for file in folder.paths.checkpoints.iterdir():
        file.write_bytes(b"")
    with pytest.raises(RunError, match="are broken and no other checkpoint is left"):
        list(train(net, digits, recipe, folder, resume=True))


def test_resume_looks_at_data_and_versions(net: nn.Module, digits: Dataset, begun: Begun) -> None:
    recipe, folder = begun(epochs=1)
    list(train(net, digits, recipe, folder))
    with pytest.raises(RunError, match="holds a training already; --resume goes on with it"):
        list(train(net, digits, recipe, folder))
    other = replace(digits, scale=17.0)
    with pytest.raises(RunError, match="was started on other data"):
        list(train(net, other, recipe, folder, resume=True))
    info = RunInfo.load(folder.paths.info)
    replace(info, versions={**info.versions, "torch": "1.0"}).save(folder.paths.info)
    said = list(train(net, digits, recipe, folder, resume=True))
    assert len(said) == 1
    assert isinstance(said[0], Notice)
    assert said[0].text.startswith("the run was started with torch 1.0 and goes on with ")


def test_an_unfrozen_recipe(net: nn.Module, digits: Dataset, begun: Begun) -> None:
    _, folder = begun()
    with pytest.raises(RecipeError, match="not frozen"):
        list(train(net, digits, Recipe(), folder))


def test_an_abandoned_training_gives_everything_back(
    net: nn.Module, digits: Dataset, begun: Begun
) -> None:
    recipe, folder = begun(threads=2)
    threads, handler = torch.get_num_threads(), signal.getsignal(signal.SIGTERM)
    running = train(net, digits, recipe, folder)
    next(running)
    assert torch.get_num_threads() == 2
    running.close()
    assert torch.get_num_threads() == threads
    assert signal.getsignal(signal.SIGTERM) == handler
    assert not torch.are_deterministic_algorithms_enabled()


def test_a_full_disk_in_the_middle(
    net: nn.Module, digits: Dataset, begun: Begun, monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno

    recipe, folder = begun()
    whole = list(train(copy.deepcopy(net), digits, *begun()))
    sync, calls = os.fsync, 0

    def filling(handle: int) -> None:
        nonlocal calls
        calls += 1
        if calls == 5:  # in the second epoch's checkpoint: metrics, file, folder, metrics, file
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync(handle)

    monkeypatch.setattr(os, "fsync", filling)
    with pytest.raises(OutputError) as raised:
        list(train(copy.deepcopy(net), digits, recipe, folder))
    message = str(raised.value)
    assert "step-000000010.safetensors: no space left on the device" in message
    assert f"once there is room, --resume {folder.path} goes on" in message
    files = [path.name for path in folder.paths.checkpoints.iterdir()]
    assert files == ["step-000000005.safetensors"]
    rest = list(train(net, digits, recipe, folder, resume=True))
    assert [r.loss for r in steps(rest)] == [r.loss for r in steps(whole)][5:]
