"""The checks that an exported file must pass before it appears under its name.

Each raises ``ExportError`` with the check, the number and its limit, or says what it found.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from striate.data import Split
from striate.deploying.exporters import INPUT, OUTPUT
from striate.deploying.onnx_graph import Model
from striate.errors import ExportError
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
