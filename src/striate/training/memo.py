"""What the probe found, and remembered: the same job on the same machine gets the same setting.

Without it two runs of one job could be decided differently by a noisy machine, and so end with
different bits.  Deleting the memo costs a few seconds of probing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import nn

from striate._version import __version__
from striate.caches import cache_folder
from striate.errors import OutputError
from striate.records import ProbeResult
from striate.runs import Compile, Setting, atomic_write, known_compile, known_setting, processor
from striate.training.recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class Probe:
    """What was measured, and the choice.

    ``measured``: when (ISO 8601, UTC).  ``remembered``: an earlier run measured it on this
    machine.  ``nondeterministic``: why deterministic algorithms cannot be used, or None.
    """

    results: tuple[ProbeResult, ...]
    measured: str
    remembered: bool = False
    nondeterministic: str | None = None

    @property
    def chosen(self) -> ProbeResult:
        """The setting to train in, with its speed."""
        return next(result for result in self.results if result.chosen)

    @property
    def setting(self) -> Setting:
        """The chosen setting's name."""
        return known_setting(self.chosen.setting)

    @property
    def compile(self) -> Compile:
        """How its steps are compiled."""
        return known_compile(self.chosen.compile)


def signature(
    module: nn.Module,
    shape: Sequence[int],
    recipe: Recipe,
    *,
    threads: int,
    candidates: Sequence[str],
) -> str:
    """32 hex digits of everything that the speeds depend on: network, batch, machine, versions."""
    device = torch.device(recipe.device)
    unit = torch.cuda.get_device_name(device) if device.type == "cuda" else processor()
    state = [(name, tuple(p.shape), p.requires_grad) for name, p in module.named_parameters()]
    facts = (
        repr(module),
        state,
        tuple(shape),
        (recipe.optimiser, recipe.deterministic),
        (device.type, unit, threads, torch.__version__, __version__),
        tuple(candidates),
        "images a second of the whole batch",
    )
    return hashlib.blake2b(repr(facts).encode(), digest_size=16).hexdigest()


def recall(key: str) -> Probe | None:
    """The measurement under ``key``; None where there is none that can be read."""
    try:
        plain: dict[str, Any] = json.loads((cache_folder("probe") / f"{key}.json").read_text())
        results = tuple(ProbeResult(**result) for result in plain.pop("results"))
        return replace(Probe(**plain, results=results), remembered=True)
    except (OSError, ValueError, KeyError, TypeError):
        return None  # it is only a memo: measured again, and written anew


def remember(key: str, probed: Probe) -> None:
    """Keep ``probed`` under ``key``; where the folder cannot be written, it is not kept."""
    folder = cache_folder("probe")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        atomic_write(folder / f"{key}.json", (json.dumps(asdict(probed)) + "\n").encode())
    except (OSError, OutputError):
        return  # a home that is read-only (a container, a cluster node) is no reason to stop
