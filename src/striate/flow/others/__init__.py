"""Other tools that count: what each gives for a module, taken apart into what it counted where.

Comes in: a module with real weights, and an image.  Goes out: a ``records.Account``.  One tool per
file.  Each entry says what the tool counted and what it meant to count, computed again from the
shapes the tool was shown; a reason is given only where the tool's own rule, computed again, gives
just its number.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from striate.flow.others import calflops, counter, fvcore, ptflops, torchinfo
from striate.records import Trace
from striate.records.reconciliation import Account


@dataclass(frozen=True, kw_only=True)
class Tool:
    """``package``: what must be installed.

    ``count`` runs the module once on the image; our trace of it is given too.
    """

    package: str
    count: Callable[[nn.Module, torch.Tensor, Trace], Account]


TOOLS = {
    "torchinfo": Tool(package="torchinfo", count=torchinfo.count),
    "fvcore": Tool(package="fvcore", count=fvcore.count),
    "ptflops": Tool(package="ptflops", count=ptflops.count),
    "calflops": Tool(package="calflops", count=calflops.count),
    "torch": Tool(package="torch", count=counter.count),
}

__all__ = ["TOOLS", "Tool"]
