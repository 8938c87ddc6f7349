"""The training loop: one function, read from top to bottom; callers iterate over what it yields.

Each step is a pure function of the recipe, the data and the weights before it: its batch is found
by (seed, epoch, step), its augmentation by (seed, epoch, sample id), its dropout by (seed, step,
sample id).  So a run that was killed anywhere and resumed ends with the same bits.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import closing

from torch import nn

from striate.building import stochastic_depth
from striate.data import Dataset, batches, draws_of, epoch_plan
from striate.errors import RecipeError, RunError
from striate.keyed import bits
from striate.records import EpochRecord, StepRecord
from striate.runs import (
    Preprocessing,
    RunFolder,
    known_setting,
    newest,
    place,
    save_weights,
)
from striate.training.compiling import Compiled
from striate.training.every import Every
from striate.training.finetuning import Phases
from striate.training.keeping import interrupted, metrics_of, same_ground, save_state
from striate.training.loss import Loss
from striate.training.notice import Notice
from striate.training.optimiser import set_lr
from striate.training.plan import steps_per_epoch
from striate.training.processes import Processes
from striate.training.recipe import Recipe
from striate.training.recovery import Lost, Recovery, finite
from striate.training.replica import Replica
from striate.training.schedule import lr_at
from striate.training.signals import StopAsked
from striate.training.state import Sums, TrainingState
from striate.training.steady import steady_generators, steady_process
from striate.training.step import Stepper
from striate.training.unreadable import or_saved
from striate.training.watching import NoWatch, Watch
from striate.training.whitening import Resting, whitened


def train(
    module: nn.Module,
    dataset: Dataset,
    recipe: Recipe,
    folder: RunFolder,
    *,
    resume: bool = False,
    together: Processes | None = None,
    checkpoint_every: float | None = None,
) -> Iterator[StepRecord | EpochRecord | Notice]:
    """Train ``module`` in place; afterwards it holds the kept weights and is in evaluation mode.

    ``module`` takes (N, C, H, W) float32 and gives logits (N, classes).  ``recipe`` is frozen.
    ``folder`` has been begun (``begin_run``); metrics, checkpoints and weights are written there.
    With ``resume`` it goes on from the newest whole checkpoint, or from step 1 if there is none.
    While the iterator is open, the process has the recipe's threads and determinism.
    ``together``: the processes that share the batches; each calls this, with ``folder`` followed
    by all but the first.  ``checkpoint_every``: seconds after which a checkpoint is written within
    an epoch; at an epoch's end one always is.

    Where the loss spikes, or loss or weights stop being finite, it goes back once (``recovery``);
    the second time it raises ``Diverged``.  Raises ``Interrupted`` at the first step boundary after
    SIGINT or SIGTERM, ``RunError``, ``RecipeError``, ``OutputError``.
    """
    if not recipe.frozen or recipe.steps is None:
        raise RecipeError("the recipe is not frozen yet; freeze it before training")
    keep = folder.paths.start if folder.writes else None
    with whitened(module, dataset, recipe, keep=keep):
        yield from _trained(
            module,
            dataset,
            recipe,
            folder,
            steps=recipe.steps,
            resume=resume,
            together=together or Processes(),
            checkpoint_every=checkpoint_every,
        )


def _trained(
    module: nn.Module,
    dataset: Dataset,
    recipe: Recipe,
    folder: RunFolder,
    *,
    steps: int,
    resume: bool,
    together: Processes,
    checkpoint_every: float | None,
) -> Iterator[StepRecord | EpochRecord | Notice]:
    setting = known_setting(recipe.setting)
    preprocessing = Preprocessing.of(dataset)
    augment, mix = recipe.augment.to_augment(), recipe.mix.to_mix()
    criterion = Loss.of(recipe, dataset)
    if recipe.patience and not len(dataset.val):
        raise RecipeError(
            f"patience = {recipe.patience} needs validation images; set some apart with --val 0.1"
        )
    per_epoch = steps_per_epoch(len(dataset.train), recipe.batch_size)
    paths = folder.paths

    state = TrainingState.fresh(place(module, setting, recipe.device), recipe)
    phases, resting = Phases(state.module, recipe), Resting(state.module, recipe)
    replica = Replica(state.module, together)
    compiled = Compiled.of(
        state.module,
        recipe,
        images=len(dataset.train),
        steps=steps,
        processes=together.count,
    )
    recovery = Recovery(state, recipe, folder)
    watch = Watch(state.module, steps) if folder.writes else NoWatch()
    nothing = math.log(len(preprocessing.classes))
    metrics_bytes = 0
    found = newest(paths.checkpoints)
    if found and not resume:
        raise RunError(f"{folder.path}: holds a training already; --resume goes on with it")
    if resume or not folder.writes:
        yield from same_ground(folder, dataset)
    if found:
        yield from (Notice(text=text) for text in found.notices)
        metrics_bytes = state.restore(found.checkpoint)
        yield from recovery.resumed()
    together.same_step(state.step)
    every = Every(checkpoint_every)

    with (
        steady_process(
            threads=recipe.threads, deterministic=recipe.deterministic, device=recipe.device
        ),
        closing(metrics_of(folder, metrics_bytes)) as metrics,
        StopAsked() as stop,
        phases.ending(),
        resting.ending(),
        stochastic_depth(state.module, recipe.drop_path),
        compiled.alone(),
    ):
        stepper = Stepper(
            state=state,
            replica=replica,
            compiled=compiled,
            together=together,
            preprocessing=preprocessing,
            recipe=recipe,
            setting=setting,
            criterion=criterion,
            stop=stop,
        )
        while state.step < steps:
            if state.best.settled(recipe.patience, state.step // per_epoch):
                yield Notice(text=_settled(state, recipe))
                break
            epoch, done = state.step // per_epoch + 1, state.step % per_epoch
            plan = epoch_plan(
                dataset.train,
                seed=recipe.seed,
                epoch=epoch,
                batch_size=recipe.batch_size,
                sampling=recipe.sampling,
            )[: steps - (epoch - 1) * per_epoch]
            together.refuse_small(plan)
            feed = batches(
                dataset.train,
                together.share(plan),
                whole=plan,
                augment=augment,
                seed=recipe.seed,
                epoch=epoch,
                workers=recipe.workers,
                start=done,
                mix=mix,
            )
            phases.begin()
            lost: Lost | None = None
            started = time.perf_counter()
            feed = or_saved(feed, folder, lambda: save_state(state, metrics, folder))
            for batch, draws in zip(feed, plan[done:], strict=True):
                step = state.step + 1
                phases.enter(step)
                resting.enter(step)
                lr = lr_at(recipe, step, steps)
                lr = set_lr(state.optimiser, lr, phases.rates(step), times=state.rate)
                with watch.looking(step):
                    agreed = stepper.take(batch, whole=len(draws), step=step)
                loss, hits = agreed.loss, agreed.right
                if what := state.losses.wrong(loss, nothing=nothing):
                    ids = dataset.train.ids[draws_of(dataset.train, draws)[0]]
                    lost = Lost(what=what, step=step, epoch=epoch, lr=lr, ids=ids)
                    break
                state.step = step
                seconds = time.perf_counter() - started
                state.sums.add(loss=loss, right=hits, images=len(draws), seconds=seconds)
                state.seconds += seconds
                record = StepRecord(
                    epoch=epoch,
                    step=step,
                    steps=steps,
                    images=len(draws),
                    loss=loss,
                    accuracy=hits / len(draws),
                    lr=lr,
                    seconds=seconds,
                )
                if seen := watch.seen(epoch, step):
                    metrics.append(seen)
                metrics.append(record)
                if agreed.stop and step < (epoch - 1) * per_epoch + len(plan):
                    raise interrupted(state, metrics, folder)
                if every.due():
                    save_state(state, metrics, folder)
                    every.again()
                yield record
                started = time.perf_counter()

            started = time.perf_counter()
            if lost is None and together.any(not finite(state.judged)):
                what, lr = "the weights stopped being finite", lr_at(recipe, state.step, steps)
                ids = dataset.train.ids[draws_of(dataset.train, plan[-1])[0]]
                lost = Lost(what=what, step=state.step, epoch=epoch, lr=lr * state.rate, ids=ids)
            if lost is not None:
                metrics_bytes, told = recovery.back(lost)
                metrics.cut(metrics_bytes)
                yield told
                continue
            recovery.good()
            val_loss = val_accuracy = None
            better = True
            if len(dataset.val):
                with steady_generators(int(bits(recipe.seed, "validation", epoch))):
                    judged = together.evaluate(
                        state.judged,
                        dataset.val,
                        preprocessing,
                        setting=setting,
                        batch_size=2 * recipe.batch_size,
                        device=recipe.device,
                        workers=recipe.workers,
                    )
                val_accuracy = judged.accuracy
                val_loss = judged.loss if math.isfinite(judged.loss) else None
                better = state.best.offer(
                    state.judged, accuracy=val_accuracy, images=len(judged), epoch=epoch
                )
            seconds = time.perf_counter() - started
            state.seconds += seconds
            sums, state.sums = state.sums, Sums()
            record = EpochRecord(
                epoch=epoch,
                epochs=recipe.epochs,
                step=state.step,
                train_loss=sums.loss / sums.images,
                train_accuracy=sums.right / sums.images,
                val_loss=val_loss,
                val_accuracy=val_accuracy,
                best=better,
                seconds=sums.seconds + seconds,
                images_per_second=sums.images / sums.seconds,
            )
            metrics.append(record)
            save_state(state, metrics, folder)
            every.again()
            if together.any(bool(stop)) and state.step < steps:
                raise interrupted(state, metrics, folder)
            yield record
    kept = state.keep_best()
    if folder.writes:
        save_weights(paths.weights, kept)


def _settled(state: TrainingState, recipe: Recipe) -> str:
    return (
        f"stopped after epoch {state.best.marked + recipe.patience} of {recipe.epochs}: for "
        f"{recipe.patience} epochs (patience) the validation accuracy has not risen by more than "
        f"a standard error above the {state.best.mark:.1%} of epoch {state.best.marked}"
    )
