"""Images to classes, with the confidence that was measured for the run."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor, nn

from striate.deploying.confidence import Confidence
from striate.errors import InputError
from striate.records import Prediction
from striate.runs import (
    Preprocessing,
    Tta,
    at_temperature,
    evaluating,
    in_views,
    logits_of,
    place,
)
from striate.runs.features import features_and_logits


class Predictor:
    """A run's network, its preprocessing and its confidence, in fp32 on one device."""

    def __init__(
        self,
        module: nn.Module,
        preprocessing: Preprocessing,
        confidence: Confidence,
        *,
        device: str = "cpu",
        tta: Tta = "none",
    ) -> None:
        """Put ``module`` on ``device``, where it stays; ``tta``: the views that are seen."""
        self.module = place(module, "fp32", device)
        self.preprocessing = preprocessing
        self.confidence = confidence
        self.device = device
        self.tta: Tta = tta

    def __call__(self, inputs: Tensor, names: Sequence[str], *, top: int = 1) -> list[Prediction]:
        """The ``top`` likeliest classes of normalised ``inputs`` (N, C, H, W), named ``names``.

        InputError where the network's logits are not finite: no class is likelier than another.
        """
        classes = self.preprocessing.classes
        with evaluating(self.module):
            features, logits = features_and_logits(
                self.module, inputs.to(self.device), len(classes)
            )
            if self.tta != "none":  # what is familiar is told by the image as it is
                seen = in_views(self.module, self.tta)
                logits = logits_of(seen, inputs.to(self.device), "fp32", len(classes))
        scores = logits.cpu().numpy()
        for row, name in zip(scores, names, strict=True):
            if not np.isfinite(row).all():
                raise InputError(
                    f"{name}: the network's logits are not finite; its weights are broken or the "
                    "training diverged: train the run again"
                )
        probabilities = at_temperature(scores, self.confidence.temperature)
        familiar = self.confidence.familiar
        unlike = [()] * len(names) if familiar is None else familiar.judge(inputs, features)
        order: list[list[int]] = np.argsort(-probabilities, axis=1, kind="stable")[:, :top].tolist()
        return [
            Prediction(
                image=name,
                classes=tuple(classes[i] for i in best),
                confidences=tuple(float(row[i]) for i in best),
                unlike=how,
            )
            for name, row, best, how in zip(names, probabilities, order, unlike, strict=True)
        ]
