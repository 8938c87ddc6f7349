"""The last check of an exported file: used by someone who has the file and nothing of ours."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from striate.deploying.gates import Reference, refused
from striate.errors import ImageError
from striate.records import ExportCheck
from striate.runs import evaluating, logits_of

ROUND_TRIPS = 3
"""Image files that make the trip."""


def check_round_trip(
    model: bytes, file: str, ref: Reference, temperature: float, *, exact: bool
) -> ExportCheck:
    """Image files to labels in a fresh process that has the file, and knows nothing of striate.

    ``exact``: the logits, too, must be eager PyTorch's; else the class alone, which the other
    checks have counted already, must be a known one.
    """
    script = Path(__file__).with_name("use_onnx.py")
    classes = ref.preprocessing.classes
    with tempfile.TemporaryDirectory(prefix="striate-") as name:
        folder = Path(name)
        (folder / "model.onnx").write_bytes(model)
        paths = _image_files(folder, ref)
        done = subprocess.run(
            [sys.executable, "-I", str(script), str(folder / "model.onnx"), *map(str, paths)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            said = (done.stderr.strip().splitlines() or ["no message"])[-1][:300]
            raise refused(file, "round trip", f"the fresh process failed: {said}")
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        worst = 0.0
        for path, answer in zip(paths, answers, strict=True):
            inputs = ref.preprocessing.read(path)
            with evaluating(ref.module):
                logits = logits_of(ref.module, inputs, "fp32", len(classes)).numpy()[0]
            raised = np.exp((logits - logits.max()) / temperature)
            wanted, sure = classes[int(logits.argmax())], float(raised.max() / raised.sum())
            error = float(np.abs(np.array(answer["logits"]) - logits).max())
            worst = max(worst, error)
            if not exact and answer["class"] in classes:
                continue
            if answer["class"] != wanted or not error <= ref.tolerance:
                raise refused(
                    file,
                    "round trip",
                    f"of an image file it says {answer['class']!r} at {answer['confidence']:.1%}, "
                    f"the run {wanted!r} at {sure:.1%}; a logit differs by {error:.3g}, and may by "
                    f"{ref.tolerance:.3g}",
                )
            if abs(answer["confidence"] - sure) > 1e-3:
                raise refused(
                    file,
                    "round trip",
                    f"of an image file it is sure to {answer['confidence']:.2%}, and the run to "
                    f"{sure:.2%}; its temperature or preprocessing is another",
                )
    return ExportCheck(
        file=file,
        name="round trip",
        says=f"{len(paths)} image files to labels in a fresh process, as the run says them",
        measured=worst,
        limit=ref.tolerance if exact else None,
    )


def _image_files(folder: Path, ref: Reference) -> Sequence[Path]:
    """Test images as files of 8 bits, at the size they came in."""
    paths: list[Path] = []
    rows = np.unique(np.linspace(0, len(ref.test) - 1, ROUND_TRIPS).astype(np.int64))
    for number, original in enumerate(ref.test.originals(rows)):
        scaled = np.rint(original.astype(np.float64) * (255 / ref.preprocessing.scale))
        pixels = scaled.clip(0, 255).astype(np.uint8)
        picture = Image.fromarray(pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0))
        paths.append(folder / f"{number}.png")
        picture.save(paths[-1])
    if not paths:
        raise ImageError("the run has no test images; it cannot be exported with its checks")
    return paths
