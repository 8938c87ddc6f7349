"""Other people's networks and tools, imported where torchvision has no compiled half.

timm imports torchvision, whose wheels for one build of torch do not load under another: only its
compiled operators are missing, and no network here runs one.  They are declared, not given, so
that the Python half imports; calling one of them fails.  For benchmarks and tests only.
"""

from __future__ import annotations

import importlib
import importlib.util
import warnings
from functools import cache
from pathlib import Path
from types import ModuleType

import torch

_OPERATORS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "roi_align(Tensor a) -> Tensor",
    "roi_pool(Tensor a) -> Tensor",
    "ps_roi_align(Tensor a) -> Tensor",
    "ps_roi_pool(Tensor a) -> Tensor",
    "deform_conv2d(Tensor a) -> Tensor",
)
_declared: list[torch.library.Library] = []


def import_peer(name: str) -> ModuleType:
    """``timm``, ``torchvision`` …: the module, or ImportError where it is not installed."""
    if not _torchvision_loads() and not _declared:
        library = torch.library.Library("torchvision", "DEF")
        for schema in _OPERATORS:
            library.define(schema)
        _declared.append(library)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of their own making, at import
        return importlib.import_module(name)


@cache
def _torchvision_loads() -> bool:
    """Whether torchvision's compiled operators are there, or can be."""
    if hasattr(torch.ops.torchvision, "nms"):
        return True
    found = importlib.util.find_spec("torchvision")
    folder = Path(found.origin).parent if found is not None and found.origin else None
    compiled = next(folder.glob("_C*.so"), None) if folder is not None else None
    if compiled is None:
        return False
    try:
        torch.ops.load_library(str(compiled))
    except OSError:
        return False
    return True
