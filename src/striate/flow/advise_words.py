"""Sources of rules of thumb, and words that sentences of an advice share."""

from __future__ import annotations

TAN_LE = "Tan and Le 2019 (arXiv 1905.11946)"
DOLLAR = "Dollár, Singh and Girshick 2021 (arXiv 2103.06877)"
RICHTER = "Richter et al. 2021 (arXiv 2106.12307)"
HE = "He et al. 2015 (arXiv 1512.03385)"

NOUNS = {
    "macs": "MACs",
    "params": "parameters",
    "activations": "activations",
    "train_bytes": "memory to train",
    "latency": "latency",
}


def percent(share: float) -> str:
    """``0.084`` as ``8.4 %``, ``0.84`` as ``84 %``."""
    return f"{share:.1%}".replace("%", " %") if share < 0.1 else f"{share:.0%}".replace("%", " %")
