"""striate designs, checks, scales, trains and explains convolutional networks in PyTorch.

The public names are loaded when they are first used, so ``import striate`` loads no torch:

>>> import striate
>>> striate.zoo("resnet18").classes
1000
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from striate._version import __version__

if TYPE_CHECKING:
    from striate.arch import Arch as Arch
    from striate.arch import zoo as zoo
    from striate.building import build as build
    from striate.checking import check as check
    from striate.flow.advise import advise as advise
    from striate.flow.describe import describe as describe
    from striate.flow.export import export as export
    from striate.flow.fit import fit as fit
    from striate.flow.fix_arch import fix as fix
    from striate.flow.load import load as load
    from striate.flow.predict import predict as predict
    from striate.flow.push import push as push
    from striate.flow.runs import list_runs as list_runs
    from striate.flow.runs_compare import compare_runs as compare_runs
    from striate.flow.scale import scale as scale
    from striate.flow.see import see as see
    from striate.flow.sweep import sweep as sweep
    from striate.flow.verify import verify as verify
    from striate.flow.weights import load_weights as load_weights
    from striate.tracing import trace as trace

_HOMES = {
    "Arch": ("striate.arch", "Arch"),
    "zoo": ("striate.arch", "zoo"),
    "build": ("striate.building", "build"),
    "trace": ("striate.tracing", "trace"),
    "check": ("striate.checking", "check"),
    "advise": ("striate.flow.advise", "advise"),
    "compare_runs": ("striate.flow.runs_compare", "compare_runs"),
    "describe": ("striate.flow.describe", "describe"),
    "export": ("striate.flow.export", "export"),
    "fit": ("striate.flow.fit", "fit"),
    "fix": ("striate.flow.fix_arch", "fix"),
    "list_runs": ("striate.flow.runs", "list_runs"),
    "load": ("striate.flow.load", "load"),
    "load_weights": ("striate.flow.weights", "load_weights"),
    "predict": ("striate.flow.predict", "predict"),
    "push": ("striate.flow.push", "push"),
    "scale": ("striate.flow.scale", "scale"),
    "see": ("striate.flow.see", "see"),
    "sweep": ("striate.flow.sweep", "sweep"),
    "verify": ("striate.flow.verify", "verify"),
}

__all__ = [
    "Arch", "__version__", "advise", "build", "check", "compare_runs", "describe", "export",
    "fit", "fix", "list_runs", "load", "load_weights", "predict", "push", "scale", "see", "sweep",
    "trace", "verify", "zoo",
]  # fmt: skip


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'striate' has no attribute {name!r}")
    module, attribute = _HOMES[name]
    return getattr(import_module(module), attribute)


def __dir__() -> list[str]:
    return sorted(__all__)
