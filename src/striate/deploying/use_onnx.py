"""Classify images with an exported network: needs onnxruntime, numpy and Pillow, nothing else.

python use_onnx.py MODEL.onnx IMAGE…    prints a line of JSON for each image
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime  # type: ignore[import-untyped]  # it has no types
from PIL import Image, ImageOps

Array = np.ndarray[Any, np.dtype[np.float32]]


class Classifier:
    """An exported network, with the preprocessing and class names that the file itself holds."""

    def __init__(self, path: str) -> None:
        """Open the file."""
        self.session: Any = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        properties = self.session.get_modelmeta().custom_metadata_map
        self.facts: dict[str, Any] = json.loads(properties["striate"])

    def __call__(self, path: str) -> dict[str, Any]:
        """The likeliest class of an image file, its calibrated probability, the logits."""
        logits = self.session.run(None, {"images": self.prepare(path)})[0][0].astype(np.float64)
        raised = np.exp((logits - logits.max()) / self.facts["temperature"])
        probabilities = raised / raised.sum()
        best = int(logits.argmax())
        return {
            "image": path,
            "class": self.facts["classes"][best],
            "confidence": float(probabilities[best]),
            "logits": logits.tolist(),
        }

    def prepare(self, path: str) -> Array:
        """An image file as the network takes it: (1, C, H, W)."""
        channels, height, width = self.facts["image"]
        picture = ImageOps.exif_transpose(Image.open(path))
        if picture.mode.startswith("I;16"):
            raise ValueError(f"{path}: has 16 bits; save it with 8")
        if picture.has_transparency_data:
            picture = picture.convert("RGBA")
            picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
        picture = self.fit(picture.convert("L" if channels == 1 else "RGB"), height, width)
        pixels = np.asarray(picture, np.float32).reshape(height, width, channels) / 255
        mean = np.array(self.facts["mean"], np.float32)
        std = np.array(self.facts["std"], np.float32)
        return ((pixels - mean) / std).transpose(2, 0, 1)[None].astype(np.float32)

    def fit(self, picture: Image.Image, height: int, width: int) -> Image.Image:
        """At the network's size: ``crop``, ``pad`` or ``stretch``, as in training."""
        if picture.size == (width, height):
            return picture
        wide, high = picture.size
        bilinear = Image.Resampling.BILINEAR
        if self.facts["fit"] == "stretch":
            return picture.resize((width, height), bilinear)
        if self.facts["fit"] == "crop":
            factor = min(high / height, wide / width)
            left, top = (wide - width * factor) / 2, (high - height * factor) / 2
            box = (max(left, 0.0), max(top, 0.0),
                   min(left + width * factor, wide), min(top + height * factor, high))  # fmt: skip
            return picture.resize((width, height), bilinear, box=box)
        factor = min(height / high, width / wide)
        inner = (max(1, round(wide * factor)), max(1, round(high * factor)))
        out = Image.new(picture.mode, (width, height))
        out.paste(
            picture.resize(inner, bilinear), ((width - inner[0]) // 2, (height - inner[1]) // 2)
        )
        return out


if __name__ == "__main__":
    classify = Classifier(sys.argv[1])
    for name in sys.argv[2:]:
        sys.stdout.write(json.dumps(classify(str(Path(name)))) + "\n")
