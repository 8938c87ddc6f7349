"""A module as an ONNX graph, by PyTorch's own exporter; and the same graph in 8-bit integers."""

from __future__ import annotations

import contextlib
import io
import logging
import tempfile
import warnings
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from striate.deploying.onnx_graph import Model
from striate.errors import ExportError

INPUT, OUTPUT = "images", "logits"

Exporter = Callable[[nn.Module, tuple[int, int, int]], Model]
"""(module, (C, H, W)) → its graph, ``images`` (batch, C, H, W) to ``logits`` (batch, classes)."""

Quantiser = Callable[[bytes, "list[NDArray[np.float32]]"], Model]
"""(a checked graph's bytes, images to calibrate on, each (1, C, H, W)) → its graph in int8."""


def torch_exporter(module: nn.Module, image: tuple[int, int, int]) -> Model:
    """By ``torch.export``; ExportError in one line where the network cannot be captured."""
    example = torch.zeros(2, *image)  # of one image a dimension would be taken for a constant
    try:
        with _quiet():
            program = torch.onnx.export(
                module,
                (example,),
                dynamo=True,
                dynamic_shapes=({0: torch.export.Dim("batch")},),
                input_names=[INPUT],
                output_names=[OUTPUT],
                verbose=False,
            )
    # A user's own forward is run under a tracer, which may raise anything at all.
    except Exception as error:
        said = " ".join(str(error).split())[:300]
        raise ExportError(
            f"export: PyTorch's exporter cannot capture {type(module).__name__} "
            f"({type(error).__name__}: {said}); nothing was written"
        ) from error
    assert program is not None
    return program.model_proto


def static_quantiser(model: bytes, images: list[NDArray[np.float32]]) -> Model:
    """Static quantisation by ONNX Runtime: int8 weights per channel, int8 activations by range.

    The ranges are measured over ``images`` in two ways: the least and greatest values, and those
    between which 99.99 % lie.  The way that says the float file's class of more of these same
    images is kept, the first where both do alike.
    """
    import onnx
    from onnxruntime import quantization

    methods = quantization.CalibrationMethod
    ways: tuple[tuple[Any, dict[str, Any]], ...] = (
        (methods.MinMax, {}),
        (methods.Percentile, {"CalibPercentile": 99.99}),
    )
    wanted = _classes(model, images)
    made: list[tuple[float, bytes]] = []
    with tempfile.TemporaryDirectory(prefix="striate-") as name, _quiet():
        whole, small = Path(name) / "float.onnx", Path(name) / "int8.onnx"
        whole.write_bytes(model)
        for method, options in ways:
            quantization.quantize_static(
                whole,
                small,
                _reader(images),
                quant_format=quantization.QuantFormat.QDQ,
                per_channel=True,
                activation_type=quantization.QuantType.QInt8,
                weight_type=quantization.QuantType.QInt8,
                calibrate_method=method,
                extra_options=options,
            )
            content = small.read_bytes()
            made.append((float((_classes(content, images) == wanted).mean()), content))
    return onnx.load_from_string(max(made, key=lambda one: one[0])[1])


def _reader(images: list[NDArray[np.float32]]) -> Any:
    """Hands over one image after the other, as ONNX Runtime asks for them."""
    from onnxruntime import quantization

    class Reader(quantization.CalibrationDataReader):  # type: ignore[misc]  # it has no types
        def __init__(self) -> None:
            self.left: Iterator[NDArray[np.float32]] = iter(images)

        def get_next(self) -> Any:
            image = next(self.left, None)
            return None if image is None else {INPUT: image}

    return Reader()


def _classes(model: bytes, images: list[NDArray[np.float32]]) -> NDArray[np.int64]:
    """The class that a file says of each image."""
    import onnxruntime

    library: Any = onnxruntime  # which has no types
    session = library.InferenceSession(model, providers=["CPUExecutionProvider"])
    logits = [session.run([OUTPUT], {INPUT: image})[0][0] for image in images]
    return np.array(logits).argmax(axis=1)


@contextmanager
def _quiet() -> Generator[None]:
    """Without what the libraries say to themselves: progress on stdout, notes, deprecations."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")  # of their own inner calls, which we cannot mend
            yield
    finally:
        logging.disable(before)
