"""What a run says of an image, and how far that may be believed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """A temperature (Guo et al. 2017), and what it was worth.

    Fitted on ``images`` of the validation split.  ``loss`` (cross-entropy in nats) and ``ece``
    (15 bins) are of those images, as the network says it and at the temperature.
    """

    temperature: float
    images: int
    loss: tuple[float, float]
    ece: tuple[float, float]

    def as_json(self) -> dict[str, Any]:
        return {
            "temperature": self.temperature,
            "images": self.images,
            "loss": list(self.loss),
            "ece": list(self.ece),
        }


@dataclass(frozen=True, kw_only=True)
class Unlike:
    """One way in which an image is unlike those the network was trained on.

    ``what``: ``look`` or ``features``.  ``distance``: the image's own.  ``limit``: what it
    exceeds.
    """

    what: str
    distance: float
    limit: float


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """The likeliest classes of one image, and their probabilities, the greatest first.

    ``image``: as it was named.  ``unlike``: empty where the image is like the training data, or
    where that was never measured.
    """

    image: str
    classes: tuple[str, ...]
    confidences: tuple[float, ...]
    unlike: tuple[Unlike, ...]

    def as_json(self) -> dict[str, Any]:
        return {
            "image": self.image,
            "class": self.classes[0],
            "confidence": self.confidences[0],
            "top": [
                {"class": name, "confidence": confidence}
                for name, confidence in zip(self.classes, self.confidences, strict=True)
            ],
            "unlike": [asdict(one) for one in self.unlike],
        }


@dataclass(frozen=True, kw_only=True)
class BadImage:
    """An image that could not be used.  ``reason``: a sentence that names it."""

    image: str
    reason: str

    def as_json(self) -> dict[str, Any]:
        return asdict(self)
