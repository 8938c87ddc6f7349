"""fastai's row of ``train.py``: ``vision_learner(…, resnet18, pretrained=False).fit_one_cycle(n)``.

    python bench/train_fastai.py ../shared/data/cifar10 --minutes 5 --seed 0

Everything is the library's default: ``ImageDataLoaders.from_folder`` (batches of 64, no
transforms, a loader process a core), Adam with decoupled weight decay 0.01, ``lr_max`` 0.001, fp32,
and images of 32 × 32 as they are.  ``n`` is the number of whole epochs that fit, by 60 steps timed
beforehand.  The test images are handed over as fastai's validation set; nothing is chosen by them.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from peers import import_peer
from train_peers import SKIPPED, TIMED, Row, arguments, class_folders, epochs_that_fit

vision = import_peer("fastai.vision.all")


class Trial(vision.Callback):
    """Times steps, loading included, and ends the fit."""

    def __init__(self) -> None:
        self.step_seconds = 0.0
        self._done, self._began = 0, 0.0

    def after_batch(self) -> None:
        self._done += 1
        if self._done == SKIPPED:
            self._began = time.perf_counter()
        if self._done == SKIPPED + TIMED:
            self.step_seconds = (time.perf_counter() - self._began) / TIMED
            raise vision.CancelFitException


class Clock(vision.Callback):
    """Stops the row's clock while fastai validates, says what it found, ends the fit in time."""

    def __init__(self, row: Row, settings: str) -> None:
        self.row, self.settings = row, settings
        self.epochs = 0.0
        self._correct = self._of = 0
        self._aside: Any = None

    def before_fit(self) -> None:
        self.row.begin()

    def after_batch(self) -> None:
        if self.training:
            self.epochs = self.epoch + (self.iter + 1) / self.n_iter
            if self.row.over:
                raise vision.CancelTrainException  # the epoch's validation follows
        else:
            self._correct += int((self.pred.argmax(1) == self.y).sum())
            self._of += len(self.y)

    def before_validate(self) -> None:
        self._correct = self._of = 0
        self._aside = self.row.aside()
        self._aside.__enter__()

    def after_validate(self) -> None:
        self._aside.__exit__(None, None, None)
        last = self.row.over or self.epoch + 1 == self.n_epoch
        self.row.say(
            epoch=self.epochs,
            correct=self._correct,
            of=self._of,
            settings=self.settings if last else None,
        )
        if last:
            raise vision.CancelFitException


def main() -> None:
    options = arguments(__doc__)
    row = Row("fastai", options.minutes, ("fastai", "torch", "torchvision"))
    with tempfile.TemporaryDirectory() as folder:
        with row.aside():
            class_folders(options.data, Path(folder))
        vision.set_seed(options.seed)
        images = vision.ImageDataLoaders.from_folder(folder, train="train", valid="test")
        with row.aside():
            trial = Trial()
            _learner(images).fit(1, cbs=trial)
            epochs = epochs_that_fit(trial.step_seconds, len(images.train), options.minutes)
        vision.set_seed(options.seed)
        learner = _learner(images)
        learner.fit_one_cycle(epochs, cbs=Clock(row, _settings(images, learner, epochs)))


def _learner(images: Any) -> Any:
    """A ResNet-18 with fastai's head, from random weights, that prints nothing."""
    learner = vision.vision_learner(images, vision.resnet18, pretrained=False)
    learner.remove_cb(vision.ProgressCallback)
    learner.logger = vision.noop
    return learner


def _settings(images: Any, learner: Any, epochs: int) -> str:
    return (
        f"vision_learner(resnet18, pretrained=False).fit_one_cycle({epochs}), as many epochs as "
        f"fit, by {TIMED} steps timed beforehand; {learner.opt_func.__name__}, largest rate "
        f"{learner.lr:g}, weight decay 0.01; batch {images.train.bs}; no augmentation; 32 × 32; "
        f"fp32; {torch.get_num_threads()} threads, {images.train.fake_l.num_workers} loader "
        "processes"
    )


if __name__ == "__main__":
    main()
