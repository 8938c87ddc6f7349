"""What happens to an image before the network sees it: kept with the run, used by all alike."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from striate.data import Dataset, Decoder, Fit, decode_image, normalise, read_image
from striate.errors import RunError


@dataclass(frozen=True, kw_only=True)
class Preprocessing:
    """The road from an image file to the network's input.

    ``image``: (C, H, W) in pixels.  ``fit``: how other sizes are brought to it.  ``scale``: what
    a stored pixel is divided by.  ``mean``, ``std``: per channel, of scaled pixels, measured on
    the training split.  ``classes``: names, in the order of the logits.
    """

    image: tuple[int, int, int]
    fit: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    scale: float
    classes: tuple[str, ...]
    decoder: str

    @classmethod
    def of(cls, dataset: Dataset) -> Preprocessing:
        """The preprocessing that ``dataset`` was opened with."""
        return cls(
            image=dataset.image,
            fit=dataset.fit,
            mean=tuple(dataset.mean),
            std=tuple(dataset.std),
            scale=float(dataset.scale),
            classes=tuple(dataset.classes),
            decoder=dataset.decoder,
        )

    def __call__(self, pixels: Tensor) -> Tensor:
        """(N, C, H, W) stored pixels to float32 of the same shape: scaled, centred, divided."""
        return normalise(pixels, self.mean, self.std, self.scale)

    def read(self, image: Path | str | bytes, *, where: str = "image") -> Tensor:
        """One image file as the network takes it: float32 (1, C, H, W).

        ``image``: its path, or its content, which ``where`` names.  An image file's own depth says
        what its pixels are divided by, whatever the scale of the data that were trained on.
        ``ImageError`` with the file and the reason where it cannot be used.
        """
        fit: Fit = "pad" if self.fit == "pad" else "stretch" if self.fit == "stretch" else "crop"
        named = self.decoder  # data that came without files have none
        decoder: Decoder = "auto"
        if named in ("pillow", "simplejpeg"):
            decoder = "pillow" if named == "pillow" else "simplejpeg"
        if isinstance(image, bytes):
            pixels, scale = decode_image(
                image, where=where, image=self.image, fit=fit, decoder=decoder
            )
        else:
            pixels, scale = read_image(Path(image), image=self.image, fit=fit, decoder=decoder)
        return normalise(torch.as_tensor(pixels)[None], self.mean, self.std, scale)

    def to_json(self) -> str:
        """A JSON document that ``from_json`` reads back to the same value, digit for digit."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str, *, where: Path | str = "preprocessing.json") -> Preprocessing:
        """Read ``to_json``'s document; ``RunError`` names ``where`` when it is not one."""
        try:
            plain: dict[str, Any] = json.loads(text)
            channels, height, width = (int(n) for n in plain["image"])
            return cls(
                image=(channels, height, width),
                fit=str(plain["fit"]),
                mean=tuple(float(m) for m in plain["mean"]),
                std=tuple(float(s) for s in plain["std"]),
                scale=float(plain["scale"]),
                classes=tuple(str(name) for name in plain["classes"]),
                decoder=str(plain["decoder"]),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise RunError(
                f"{where}: not a preprocessing document ({type(error).__name__}: {error}); "
                "restore the file, or train the run again"
            ) from error
