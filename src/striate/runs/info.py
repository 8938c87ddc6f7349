"""run.json: what a run is, in which format, and what came of it."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from striate._version import __version__
from striate.errors import RunError
from striate.records import Run
from striate.runs.atomic import atomic_write

FORMAT = 1
"""The format of a run's folder.  Raising it asks for an entry in ``_MIGRATIONS``."""

_MIGRATIONS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}
"""From a format number to the function that turns run.json of that format into the next one's."""


def versions() -> dict[str, str]:
    """What decides bits besides the recipe: the versions, and the processor."""
    return {
        "striate": __version__,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "processor": processor(),
    }


def processor() -> str:
    """The processor's model name where the system tells it, with its widest vector unit."""
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text(errors="replace").splitlines()
        named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        name = named[0] if named else name
    return f"{name}, {torch.backends.cpu.get_cpu_capability()}"


@dataclass(frozen=True, kw_only=True)
class RunInfo:
    """The content of run.json.

    ``network``: the arch's name or the TARGET.  ``data``: how to open the data again, and the
    digest that tells whether it is the same.  ``result``: None while training.
    """

    network: str
    data: Mapping[str, Any]
    state: Literal["training", "finished"] = "training"
    versions: Mapping[str, str] = field(default_factory=versions)
    result: Run | None = None
    notes: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def save(self, path: Path) -> None:
        """Write run.json, atomically."""
        text = json.dumps({"format": FORMAT, **asdict(self)}, indent=1, ensure_ascii=False)
        atomic_write(path, (text + "\n").encode())

    @classmethod
    def load(cls, path: Path) -> RunInfo:
        """Read run.json of this format or an older one; ``RunError`` says what is wrong."""
        try:
            plain: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            found = int(plain["format"])
        except FileNotFoundError as error:
            raise RunError(
                f"{path.parent}: not a run's folder (it has no {path.name}); name the folder that "
                "striate fit wrote"
            ) from error
        except OSError as error:
            raise RunError(f"{path}: cannot be read ({error.strerror})") from error
        except (ValueError, KeyError, TypeError) as error:
            raise RunError(f"{path}: broken ({type(error).__name__}: {error})") from error
        if found > FORMAT:
            raise RunError(
                f"{path}: format {found} is newer than this striate's {FORMAT}; install a newer "
                "striate"
            )
        for number in range(found, FORMAT):
            plain = _MIGRATIONS[number](plain)
        del plain["format"]
        try:
            result = plain.pop("result")
            return cls(**plain, result=None if result is None else Run(**result))
        except (KeyError, TypeError) as error:
            raise RunError(f"{path}: broken ({type(error).__name__}: {error})") from error
