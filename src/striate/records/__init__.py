"""Frozen data that crosses from room to room.

Comes in: numbers, strings and numpy arrays, converted at the door of the room that measured them.
Goes out: the same, as frozen keyword-only dataclasses; ``as_json`` where a document is promised.
May import: numpy and ``striate.errors``; never torch.
"""

from striate.records.comparison import Comparison, Pair
from striate.records.description import DataDescription
from striate.records.evaluation import Evaluation
from striate.records.evidence import Check, Evidence
from striate.records.export import ExportCheck, Exported
from striate.records.finding import Edit, Finding, Price, Severity
from striate.records.health import Branch, Gradient, Health, Units
from striate.records.layer import Failure, Field, Layer
from striate.records.portion import Portion
from striate.records.prediction import BadImage, Calibration, Prediction, Unlike
from striate.records.run import EpochRecord, ProbeResult, Run, StepRecord
from striate.records.trace import Totals, Trace
from striate.records.trace_sweep import AtSize, Sweep, Unread

__all__ = [
    "AtSize",
    "BadImage",
    "Branch",
    "Calibration",
    "Check",
    "Comparison",
    "DataDescription",
    "Edit",
    "EpochRecord",
    "Evaluation",
    "Evidence",
    "ExportCheck",
    "Exported",
    "Failure",
    "Field",
    "Finding",
    "Gradient",
    "Health",
    "Layer",
    "Pair",
    "Portion",
    "Prediction",
    "Price",
    "ProbeResult",
    "Run",
    "Severity",
    "StepRecord",
    "Sweep",
    "Totals",
    "Trace",
    "Units",
    "Unlike",
    "Unread",
]
