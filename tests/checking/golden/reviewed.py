"""Well-known networks, what is said of them, and the reviewed file of what may be said.

``networks.toml`` lists timm's networks by family.  ``warnings.toml`` lists every warning, with the
reason why it is true: one entry for one rule at one folded path (``stages.*.conv``), and the number
of findings in each network.  ``review.py`` shows what the two do not agree on.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from torch import nn

from peers import import_peer
from striate.arch import zoo, zoo_names
from striate.building import build
from striate.checking import check
from striate.records import Finding
from striate.tracing import trace

FOLDER = Path(__file__).resolve().parent
ZOO = "zoo"

Key = tuple[str, str, str]
"""(network, code, folded path); a network is named as on the command line."""


@dataclass(frozen=True, kw_only=True)
class Reviewed:
    """One entry: a rule, a folded path, why it is true, and how often in which network."""

    code: str
    path: str
    why: str
    networks: Mapping[str, int]

    def counts(self) -> dict[Key, int]:
        return {(name, self.code, self.path): number for name, number in self.networks.items()}


def families() -> dict[str, tuple[str, ...]]:
    """Names by family; the zoo is one of them."""
    told = tomllib.loads((FOLDER / "networks.toml").read_text("utf-8"))["families"]
    timms = {family: tuple(f"timm/{name}" for name in names) for family, names in told.items()}
    return {ZOO: zoo_names(), **timms}


@cache
def reviewed() -> tuple[Reviewed, ...]:
    """The reviewed warnings."""
    told = tomllib.loads((FOLDER / "warnings.toml").read_text("utf-8"))
    return tuple(Reviewed(**entry) for entry in told.get("warning", ()))


def expected(names: Iterable[str]) -> Counter[Key]:
    """How often each warning is reviewed, for these networks."""
    wanted = set(names)
    found: Counter[Key] = Counter()
    for entry in reviewed():
        found.update({key: n for key, n in entry.counts().items() if key[0] in wanted})
    return found


def counted(name: str, findings: Iterable[Finding]) -> Counter[Key]:
    """How often each rule fires at each folded path."""
    return Counter((name, finding.code, folded(finding.path)) for finding in findings)


def folded(path: str) -> str:
    """A path without its numbers: ``stages.0.blocks.12.conv2`` is ``stages.*.blocks.*.conv2``."""
    return re.sub(r"(?<=\.)\d+(?=\.|$)|^\d+(?=\.|$)", "*", path)


def findings_of(name: str) -> list[Finding]:
    """Everything the rules say of a network at its own input size."""
    library, _, model = name.rpartition("/")
    if library:
        found = trace(made(model), image_of(model), name=name)
    else:
        arch = zoo(model)
        found = trace(lambda: build(arch, device="meta"), arch.image, name=name)
    assert found.complete, f"{name}: {found.failure}"
    return check(found)


def made(model: str) -> Callable[[], nn.Module]:
    """What makes timm's network of that name, with random weights."""
    timm = import_peer("timm")
    return lambda: timm.create_model(model, pretrained=False)


def image_of(model: str) -> tuple[int, int, int]:
    """(C, H, W) of its pretrained configuration."""
    channels, height, width = import_peer("timm").models.get_pretrained_cfg(model).input_size
    return channels, height, width
