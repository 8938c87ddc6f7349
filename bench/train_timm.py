"""timm's row of ``train.py``: ResNet-18 from random weights, by what its ``train.py`` does unasked.

    python bench/train_timm.py ../shared/data/cifar10 --minutes 5 --seed 0

timm's training script is not in its package; its parts are, and are used here.  The values are the
script's own defaults (huggingface/pytorch-image-models, ``train.py`` at aa4b585, its argument
parser): ``--opt sgd`` (Nesterov in timm) ``--momentum 0.9 --weight-decay 2e-5``, the rate from
``--lr-base 0.1`` per 256 images, ``--batch-size 128``, ``--sched cosine`` stepped once an epoch,
``--smoothing 0.1``, ``--scale 0.08 1 --ratio 3/4 4/3 --hflip 0.5 --color-jitter 0.4``,
``--train-interpolation random``, ``--workers 4``, fp32, no compilation.

Two values depend on the task and are what serves timm.  ``--img-size 32``: its 224 would take about
fifty times as long an image.  ``--epochs N``: the whole epochs that fit, by 60 steps timed
beforehand, instead of 300; and with them ``--warmup-epochs 0``, the default of
``create_scheduler_v2``: the script's 5 are meant for 300 epochs and would be most of the run.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from peers import import_peer
from train_peers import SKIPPED, TIMED, Row, arguments, class_folders, epochs_that_fit

timm = import_peer("timm")
import_peer("timm.data")
import_peer("timm.loss")
import_peer("timm.optim")
import_peer("timm.scheduler")
import_peer("timm.utils")

BATCH, WORKERS = 128, 4
RATE = 0.1 * BATCH / 256


def main() -> None:
    options = arguments(__doc__)
    row = Row("timm", options.minutes, ("timm", "torch", "torchvision"))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    with tempfile.TemporaryDirectory() as folder:
        with row.aside():
            class_folders(options.data, Path(folder))
        timm.utils.random_seed(options.seed)
        model, config = _model(device)
        train, test = _loader(folder, config, device, "train"), _loader(folder, config, device)
        with row.aside():
            epochs = epochs_that_fit(_step_seconds(train, device), len(train), options.minutes)
        timm.utils.random_seed(options.seed)
        model, _ = _model(device)
        _learn(row, model, train, test, epochs)


def _model(device: torch.device) -> tuple[torch.nn.Module, dict[str, Any]]:
    """ResNet-18 of ten classes, and how timm would prepare its images."""
    model = timm.create_model("resnet18", num_classes=10)
    return model.to(device), timm.data.resolve_data_config({"img_size": 32}, model=model)


def _loader(folder: str, config: dict[str, Any], device: torch.device, split: str = "test") -> Any:
    training = split == "train"
    shared = {name: config[name] for name in ("input_size", "mean", "std")}
    chosen = (
        {
            "is_training": True,
            "scale": (0.08, 1.0),
            "ratio": (3 / 4, 4 / 3),
            "color_jitter": 0.4,
            "interpolation": "random",
        }
        if training
        else {"interpolation": config["interpolation"], "crop_pct": config["crop_pct"]}
    )
    images = timm.data.create_dataset("", root=folder, split=split, is_training=training)
    return timm.data.create_loader(
        images, batch_size=BATCH, num_workers=WORKERS, device=device, **shared, **chosen
    )


def _optimiser(model: torch.nn.Module) -> torch.optim.Optimizer:
    return timm.optim.create_optimizer_v2(
        model, opt="sgd", lr=RATE, momentum=0.9, weight_decay=2e-5
    )


def _step(
    model: torch.nn.Module,
    optimiser: torch.optim.Optimizer,
    loss: torch.nn.Module,
    images: torch.Tensor,
    labels: torch.Tensor,
) -> None:
    found = loss(model(images), labels)
    found.backward()
    optimiser.step()
    found.item()
    optimiser.zero_grad()


def _step_seconds(train: Any, device: torch.device) -> float:
    """Seconds a step takes, loading included, with a model that is thrown away."""
    model, _ = _model(device)
    optimiser, loss = _optimiser(model.train()), timm.loss.LabelSmoothingCrossEntropy(0.1)
    began = 0.0
    for done, (images, labels) in enumerate(train, start=1):
        _step(model, optimiser, loss, images, labels)
        if done == SKIPPED:
            began = time.perf_counter()
        if done == SKIPPED + TIMED:
            break
    return (time.perf_counter() - began) / TIMED


def _learn(row: Row, model: torch.nn.Module, train: Any, test: Any, epochs: int) -> None:
    optimiser, loss = _optimiser(model), timm.loss.LabelSmoothingCrossEntropy(0.1)
    schedule, epochs = timm.scheduler.create_scheduler_v2(
        optimiser, sched="cosine", num_epochs=epochs, updates_per_epoch=len(train)
    )
    row.begin()
    for epoch in range(epochs):
        model.train()
        done = 0
        for images, labels in train:
            _step(model, optimiser, loss, images, labels)
            done += 1
            if row.over:
                break
        last = row.over or epoch + 1 == epochs
        with row.aside():
            correct, of = _correct(model, test)
        row.say(
            epoch=epoch + done / len(train),
            correct=correct,
            of=of,
            settings=_settings(epochs) if last else None,
        )
        if last:
            return
        schedule.step(epoch + 1)


def _correct(model: torch.nn.Module, test: Any) -> tuple[int, int]:
    model.eval()
    correct = of = 0
    with torch.inference_mode():
        for images, labels in test:
            correct += int((model(images).argmax(1) == labels).sum())
            of += len(labels)
    return correct, of


def _settings(epochs: int) -> str:
    return (
        f"timm.create_model('resnet18', num_classes=10), random weights; SGD, Nesterov 0.9, "
        f"rate {RATE:g}, cosine over {epochs} epochs (as many as fit, by {TIMED} steps timed "
        f"beforehand), no warm-up, weight decay 2e-5; batch {BATCH}; label smoothing 0.1; "
        f"RandomResizedCrop 0.08–1, flip, colour jitter 0.4; --img-size 32; fp32; "
        f"{torch.get_num_threads()} threads, {WORKERS} loader processes"
    )


if __name__ == "__main__":
    main()
