"""Keras 3's row of ``train.py``: the residual network of its own CIFAR-10 example, by ``fit``.

    python bench/train_keras.py ../shared/data/cifar10 --minutes 5 --seed 0

The package ships no example; Keras's documentation has one for CIFAR-10, the "toy ResNet" of its
guide to the functional API.  Its network, its RMSprop of 0.001 (which is ``compile``'s default as
well), its batch of 64 and its images scaled to 0…1 are taken here, on all training images.
(``keras.applications``' smallest residual network, MobileNetV2, reduces an image of 32 × 32 to one
pixel.)  Epochs go on until the time is up; the example has no schedule.
"""

from __future__ import annotations

import os
from importlib.metadata import packages_distributions
from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from train_peers import Row, arguments, pixels

BATCH, RATE = 64, 1e-3
NO_END = 10_000
"""Epochs: more than any time allows."""


def toy_resnet() -> Any:
    """(N, 32, 32, 3) → (N, 10) logits; every convolution 3 × 3."""

    def conv(x: Any, channels: int, padding: str = "same") -> Any:
        return layers.Conv2D(channels, 3, activation="relu", padding=padding)(x)

    images = keras.Input((32, 32, 3))
    x = conv(conv(images, 32, "valid"), 64, "valid")
    x = layers.MaxPooling2D(3)(x)
    for _ in range(2):
        x = layers.add([conv(conv(x, 64), 64), x])
    x = layers.GlobalAveragePooling2D()(conv(x, 64, "valid"))
    x = layers.Dropout(0.5)(layers.Dense(256, activation="relu")(x))
    return keras.Model(images, layers.Dense(10)(x))


class Clock(keras.callbacks.Callback):
    """Tests after every epoch with the row's clock stopped, and ends the training in time."""

    def __init__(self, row: Row, images: NDArray[np.float32], labels: NDArray[np.float32]) -> None:
        super().__init__()
        self.row, self.images, self.labels = row, images, labels
        self._epoch, self._done = 0, 0

    def on_train_begin(self, logs: Any = None) -> None:  # noqa: ARG002  (Keras passes it)
        self.row.begin()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
        self._done = batch + 1
        if self.row.over:
            self.model.stop_training = True

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        with self.row.aside():
            parts = np.split(self.images, range(500, len(self.images), 500))
            logits = np.concatenate([self.model.predict_on_batch(part) for part in parts])
        last = self.row.over
        self.model.stop_training = last
        self.row.say(
            epoch=epoch + self._done / self.params["steps"],
            correct=int((logits.argmax(1) == self.labels.argmax(1)).sum()),
            of=len(logits),
            settings=_settings() if last else None,
        )


def main() -> None:
    options = arguments(__doc__)
    backend = packages_distributions()[keras.backend.backend()][0]
    row = Row("Keras", options.minutes, ("keras", backend))
    keras.utils.set_random_seed(options.seed)
    with row.aside():
        images, labels = _prepared(*pixels(options.data, "train"))
        tested, truth = _prepared(*pixels(options.data, "test"))
    model = toy_resnet()
    model.compile(
        optimizer=keras.optimizers.RMSprop(RATE),
        loss=keras.losses.CategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    clock = Clock(row, tested, truth)
    model.fit(images, labels, batch_size=BATCH, epochs=NO_END, verbose=0, callbacks=[clock])


def _prepared(
    images: NDArray[np.uint8], labels: NDArray[np.uint8]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Pixels in 0…1, labels as one-hot rows."""
    return images.astype(np.float32) / 255, keras.utils.to_categorical(labels, 10)


def _settings() -> str:
    return (
        f"the toy ResNet of Keras's guide to the functional API, {keras.backend.backend()} "
        f"backend; RMSprop, rate {RATE:g}, no schedule; batch {BATCH}; no augmentation; 32 × 32; "
        f"fp32; {os.cpu_count()} cores, threads as the backend chooses"
    )


if __name__ == "__main__":
    main()
