"""The checks that an exported file must pass before it appears under its name.

Each raises ``ExportError`` with the check, the number and its limit, or says what it found.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from striate.data import Split
from striate.deploying.exporters import INPUT, OUTPUT
from striate.deploying.onnx_graph import Model
from striate.errors import ExportError, ImageError
from striate.records import ExportCheck
from striate.runs import Preprocessing, evaluating, logits_of

Floats = NDArray[np.float32]

BATCHES = (1, 2, 17)
ERROR = 1e-3
"""Greatest difference of a logit, as a share of the greatest logit of the same images."""
CLOSE = 10
"""Two best logits nearer than so many times the runtime check's greatest difference: a tie."""
SLACK = 1e-3
"""How far the accuracy may be from eager PyTorch's on the same images …"""
RECORDED = 0.01
"""… and from what the run's own evaluation, in its own numeric setting, recorded."""
DROP = 0.01
"""How much accuracy int8 may cost."""
AGREE = 0.95
"""Share of the test images of which int8 must say the same class."""
SHIFT = 0.1
"""How far int8's histogram of predicted classes may be from the float file's (total variation)."""
ROUND_TRIPS = 3


@dataclass(frozen=True, kw_only=True)
class Reference:
    """What a file is held against: the eager network, on the run's test split.

    ``logits`` (N, classes): of every test image, in fp32.  ``recorded``: the accuracy in run.json.
    """

    module: nn.Module
    preprocessing: Preprocessing
    test: Split
    logits: Floats
    recorded: float

    @property
    def accuracy(self) -> float:
        return float((self.logits.argmax(axis=1) == self.test.labels).mean())

    @property
    def tolerance(self) -> float:
        """How much a logit may differ."""
        return ERROR * float(np.abs(self.logits).max())


class Runtime:
    """ONNX Runtime on the CPU.  A test may put another in its place."""

    def __init__(self, model: bytes, *, optimised: bool) -> None:
        import onnxruntime

        library: Any = onnxruntime  # which has no types
        options = library.SessionOptions()
        levels = library.GraphOptimizationLevel
        options.graph_optimization_level = (
            levels.ORT_ENABLE_ALL if optimised else levels.ORT_DISABLE_ALL
        )
        options.log_severity_level = 3
        options.intra_op_num_threads = torch.get_num_threads()
        self._session = library.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def __call__(self, images: Floats) -> Floats:
        """(N, C, H, W) → (N, classes)."""
        return self._session.run([OUTPUT], {INPUT: images})[0]


def reference(
    module: nn.Module, preprocessing: Preprocessing, test: Split, recorded: float
) -> Reference:
    """Run the eager network over the test split, in fp32 on the CPU."""
    parts: list[Floats] = []
    classes = len(preprocessing.classes)
    with evaluating(module):
        for images in batches(test, preprocessing):
            parts.append(logits_of(module, torch.from_numpy(images), "fp32", classes).numpy())  # noqa: PERF401  one line would hide the loop
    return Reference(
        module=module,
        preprocessing=preprocessing,
        test=test,
        logits=np.concatenate(parts),
        recorded=recorded,
    )


def batches(split: Split, preprocessing: Preprocessing, size: int = 64) -> Iterator[Floats]:
    """The split's images as the network takes them."""
    for start in range(0, len(split), size):
        rows = np.arange(start, min(start + size, len(split)))
        yield preprocessing(torch.as_tensor(split.pixels(rows))).numpy()


def check_graph(model: Model, file: str) -> ExportCheck:
    """ONNX's own checker, with its inference of shapes; and a batch of any size."""
    import onnx

    try:
        onnx.checker.check_model(model, full_check=True)
        [given] = model.graph.input
        shape = given.type.tensor_type.shape.dim
    # The checker raises kinds of its own, and protobuf's where the file is no model at all.
    except Exception as error:
        raise refused(file, "checker", " ".join(str(error).split())[:300]) from error
    if given.name != INPUT or not shape or shape[0].HasField("dim_value"):
        fixed = shape[0].dim_value if shape else "no"
        raise refused(file, "checker", f"its batch is fixed to {fixed}, and must be of any size")
    version = next(one.version for one in model.opset_import if not one.domain)
    return ExportCheck(
        file=file, name="checker", says=f"a valid graph of opset {version}, batch of any size"
    )


def check_runtime(
    open_runtime: type[Runtime], model: bytes, file: str, ref: Reference
) -> ExportCheck:
    """The same logits as eager PyTorch on real images, at batches of 1, 2 and 17."""
    worst = 0.0
    for optimised in (False, True):
        said = f"runtime, optimisations {'on' if optimised else 'off'}"
        run = _opened(open_runtime, model, file, said, optimised=optimised)
        for batch in BATCHES:
            rows = np.resize(np.arange(len(ref.test)), batch)
            images = ref.preprocessing(torch.as_tensor(ref.test.pixels(rows))).numpy()
            found = _ran(run, images, file, f"{said}, batch {batch}")
            wanted = ref.logits[rows]
            if found.shape != wanted.shape:
                raise refused(
                    file,
                    f"{said}, batch {batch}",
                    f"logits of shape {found.shape}, not {wanted.shape}",
                )
            error = float(np.abs(found - wanted).max()) if np.isfinite(found).all() else np.inf
            if not error <= ref.tolerance:
                raise refused(
                    file,
                    f"{said}, batch {batch}",
                    f"a logit differs from eager PyTorch's by {error:.3g}, more than "
                    f"{ref.tolerance:.3g} ({ERROR:g} of the greatest)",
                )
            worst = max(worst, error)
    return ExportCheck(
        file=file,
        name="runtime",
        says=(
            "ONNX Runtime, optimisations off and on, batches of 1, 2 and 17: greatest difference "
            f"of a logit {worst:.2g}, of {np.abs(ref.logits).max():.3g}"
        ),
        measured=worst,
        limit=ref.tolerance,
    )


def check_test_split(
    open_runtime: type[Runtime], model: bytes, file: str, ref: Reference, error: float
) -> tuple[list[ExportCheck], Floats]:
    """The same class for every test image, and the same accuracy; returns the logits too.

    ``error``: the greatest difference of a logit that ``check_runtime`` saw.  Where eager PyTorch's
    two best logits are nearer than ten times that, either is right.
    """
    logits = np.empty((0,))
    checks: list[ExportCheck] = []
    best = np.sort(ref.logits, axis=1)
    close = best[:, -1] - best[:, -2] <= CLOSE * error
    for optimised in (False, True):
        said = f"optimisations {'on' if optimised else 'off'}"
        run = _opened(open_runtime, model, file, said, optimised=optimised)
        logits = _all(run, file, ref, said)
        same = logits.argmax(axis=1) == ref.logits.argmax(axis=1)
        agree = float((same | close).mean())
        if agree < 1:
            raise refused(
                file,
                f"agreement, {said}",
                f"top-1 is eager PyTorch's for {agree:.2%} of {len(same):,} test images, "
                "and must be for 100%",
            )
        accuracy = float((logits.argmax(axis=1) == ref.test.labels).mean())
        for wanted, slack, whose in (
            (ref.accuracy, SLACK, "eager PyTorch's"),
            (ref.recorded, RECORDED, "the run's own"),
        ):
            if abs(accuracy - wanted) > slack:
                raise refused(
                    file,
                    f"accuracy, {said}",
                    f"{accuracy:.2%} of {len(same):,} test images, and {whose} is {wanted:.2%}; "
                    f"they may differ by {slack:.1%}",
                )
        if optimised:
            checks.append(
                ExportCheck(
                    file=file,
                    name="agreement",
                    says=f"top-1 as eager PyTorch's on {len(same):,} test images: {agree:.0%}"
                    + (f" ({int(close.sum())} too close to call)" if close.any() else ""),
                    measured=agree,
                    limit=1.0,
                )
            )
            checks.append(
                ExportCheck(
                    file=file,
                    name="accuracy",
                    says=f"{accuracy:.2%} on the test split, the run's own {ref.recorded:.2%}",
                    measured=accuracy,
                    limit=ref.recorded - RECORDED,
                )
            )
    return checks, logits


def check_int8(
    open_runtime: type[Runtime], model: bytes, file: str, ref: Reference, whole: Floats
) -> tuple[list[ExportCheck], Floats]:
    """Predictions that have not collapsed, and cost little; ``whole``: the float file's logits."""
    before = whole.argmax(axis=1)
    accuracy_before = float((before == ref.test.labels).mean())
    classes = ref.preprocessing.classes
    logits, checks = whole, list[ExportCheck]()
    for optimised in (False, True):
        said = f"optimisations {'on' if optimised else 'off'}"
        run = _opened(open_runtime, model, file, said, optimised=optimised)
        for batch in BATCHES:
            rows = np.resize(np.arange(len(ref.test)), batch)
            images = ref.preprocessing(torch.as_tensor(ref.test.pixels(rows))).numpy()
            _ran(run, images, file, f"{said}, batch {batch}")
        logits = _all(run, file, ref, said)
        after = logits.argmax(axis=1)
        old, new = (np.bincount(x, minlength=len(classes)) / len(x) for x in (before, after))
        shift = float(np.abs(old - new).sum() / 2)
        if shift > SHIFT:
            most = int((new - old).argmax())
            raise refused(
                file,
                f"histogram, {said}",
                f"predictions collapsed: {classes[most]!r} is said of {new[most]:.1%} of the test "
                f"images, {old[most]:.1%} before; the histograms differ by {shift:.2f}, and may by "
                f"{SHIFT:g}",
            )
        agree = float((before == after).mean())
        if agree < AGREE:
            raise refused(
                file,
                f"agreement, {said}",
                f"top-1 is the float file's for {agree:.2%} of {len(after):,} test images, and "
                f"must be for {AGREE:.0%}",
            )
        accuracy = float((after == ref.test.labels).mean())
        if accuracy_before - accuracy > DROP:
            raise refused(
                file,
                f"accuracy, {said}",
                f"{accuracy:.2%} of {len(after):,} test images, {accuracy_before:.2%} before; int8 "
                f"may cost {DROP:.0%}",
            )
        if optimised:
            checks = [
                ExportCheck(
                    file=file, name="histogram", measured=shift, limit=SHIFT,
                    says=f"classes are predicted as often as before, to {shift:.3f}",
                ),
                ExportCheck(
                    file=file, name="agreement", measured=agree, limit=AGREE,
                    says=f"top-1 as the float file's on {agree:.2%} of the test split",
                ),
                ExportCheck(
                    file=file, name="accuracy", measured=accuracy, limit=accuracy_before - DROP,
                    says=f"{accuracy:.2%} on the test split, {accuracy_before:.2%} before",
                ),
            ]  # fmt: skip
    return checks, logits


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


def refused(file: str, check: str, why: str) -> ExportError:
    """The one line of a file that failed a check."""
    return ExportError(f"{file}: refused by the check '{check}': {why}; nothing was written")


def _opened(
    open_runtime: type[Runtime], model: bytes, file: str, said: str, *, optimised: bool
) -> Runtime:
    try:
        return open_runtime(model, optimised=optimised)
    # ONNX Runtime raises kinds of its own, made in C.
    except Exception as error:
        raise refused(
            file, said, f"cannot be opened: {' '.join(str(error).split())[:300]}"
        ) from error


def _ran(run: Runtime, images: Floats, file: str, said: str) -> Floats:
    try:
        return run(images)
    # As above.
    except Exception as error:
        raise refused(file, said, f"cannot be run: {' '.join(str(error).split())[:300]}") from error


def _all(run: Runtime, file: str, ref: Reference, said: str) -> Floats:
    """The logits of every test image."""
    parts = [_ran(run, images, file, said) for images in batches(ref.test, ref.preprocessing)]
    logits = np.concatenate(parts)
    if not np.isfinite(logits).all():
        raise refused(file, said, "logits that are not finite")
    return logits
