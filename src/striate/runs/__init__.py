"""A run's folder: save, load, evaluate, its preprocessing, its numeric setting.

Comes in: a module, a split of a data set, records, text of a recipe.  Goes out: files that are
whole or absent, and the same things read back.  May import: building, tracing, data, arch,
records, errors, keyed.
"""

from striate.runs.atomic import atomic_write
from striate.runs.calibration import (
    at_temperature,
    expected_calibration_error,
    fit_temperature,
)
from striate.runs.checkpoint import (
    Checkpoint,
    Found,
    checkpoint_path,
    load_checkpoint,
    newest,
    save_checkpoint,
)
from striate.runs.evaluate import (
    evaluate,
    evaluating,
    evaluation_of,
    load_evaluation,
    logits_of,
    predict_plan,
    predict_split,
    save_evaluation,
)
from striate.runs.folder import RunFolder, RunPaths, is_run
from striate.runs.identity import Target, source_digest
from striate.runs.info import FORMAT, RunInfo, processor, versions
from striate.runs.load import LoadedRun, load_run, read_network
from striate.runs.lock import is_locked
from striate.runs.metrics import MetricsFile, read_metrics, read_progress, read_watched
from striate.runs.preprocessing import Preprocessing
from striate.runs.settings import (
    SETTINGS,
    Compile,
    Setting,
    arithmetic,
    known_compile,
    known_setting,
    memory_format,
    place,
)
from striate.runs.views import SEEN, Tta, in_views, known_tta
from striate.runs.weights import load_weights, put_state, save_weights, state_of

__all__ = [
    "FORMAT",
    "SEEN",
    "SETTINGS",
    "Checkpoint",
    "Compile",
    "Found",
    "LoadedRun",
    "MetricsFile",
    "Preprocessing",
    "RunFolder",
    "RunInfo",
    "RunPaths",
    "Setting",
    "Target",
    "Tta",
    "arithmetic",
    "at_temperature",
    "atomic_write",
    "checkpoint_path",
    "evaluate",
    "evaluating",
    "evaluation_of",
    "expected_calibration_error",
    "fit_temperature",
    "in_views",
    "is_locked",
    "is_run",
    "known_compile",
    "known_setting",
    "known_tta",
    "load_checkpoint",
    "load_evaluation",
    "load_run",
    "load_weights",
    "logits_of",
    "memory_format",
    "newest",
    "place",
    "predict_plan",
    "predict_split",
    "processor",
    "put_state",
    "read_metrics",
    "read_network",
    "read_progress",
    "read_watched",
    "save_checkpoint",
    "save_evaluation",
    "save_weights",
    "source_digest",
    "state_of",
    "versions",
]
