"""From a finished run to what people use: predictions whose confidence was measured, checked files.

Comes in: a run's module, its preprocessing, splits of its data, image files.  Goes out: a
``Confidence`` that is kept with the run, ``Prediction`` records, and ONNX files that have passed
every check.  May import: runs, data, records, errors.
"""

from striate.deploying.confidence import (
    Confidence,
    confidence_bytes,
    load_confidence,
    measure_confidence,
    save_confidence,
)
from striate.deploying.familiar import Familiar
from striate.deploying.predictor import Predictor

__all__ = [
    "Confidence",
    "Familiar",
    "Predictor",
    "confidence_bytes",
    "load_confidence",
    "measure_confidence",
    "save_confidence",
]
