"""Faults as people reported them in public threads, rebuilt small and in our own words.

Every link was read before its fault was rebuilt.  A bug is a function that makes the network; what
the thread is about stands in its docstring, and beside it what must be found: the rule, the layer,
and a phrase of the mend (or the literal to set).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from torch import nn

from striate.records import Edit


@dataclass(frozen=True, kw_only=True)
class Bug:
    """One reported fault and what must be said of it.

    ``thread``: below https://github.com/.  ``code``, ``path``: the finding.  ``mend``: a phrase of
    its fix.  ``edits``: literals among its edits.  ``batch``: images in a training step, where the
    fault depends on it.
    """

    thread: str
    make: Callable[[], nn.Module]
    image: tuple[int, int, int]
    code: str
    path: str
    mend: str
    edits: tuple[Edit, ...] = ()
    batch: int | None = None

    @property
    def name(self) -> str:
        return self.make.__name__


BUGS: list[Bug] = []


def reported(
    thread: str,
    image: tuple[int, int, int],
    code: str,
    path: str,
    mend: str,
    *edits: Edit,
    batch: int | None = None,
) -> Callable[[Callable[[], nn.Module]], Callable[[], nn.Module]]:
    """Adds the function below it to ``BUGS``."""

    def add(make: Callable[[], nn.Module]) -> Callable[[], nn.Module]:
        BUGS.append(
            Bug(
                thread=thread,
                make=make,
                image=image,
                code=code,
                path=path,
                mend=mend,
                edits=edits,
                batch=batch,
            )
        )
        return make

    return add


def cna(given: int, out: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """Convolution, norm, activation, as they should be."""
    return nn.Sequential(
        nn.Conv2d(given, out, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(out),
        nn.ReLU(),
    )


def head(width: int, classes: int = 10) -> nn.Sequential:
    """Global average pool and a dense layer."""
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, classes))


def all_bugs() -> list[Bug]:
    """Every bug of this folder's files."""
    if not BUGS:
        for file in ("shapes", "merges", "parameters", "norms", "ends"):
            import_module(f"{__name__}.{file}")
    return BUGS
