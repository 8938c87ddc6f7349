"""When a loss has risen too far for too long: the rule by which a training is held to be lost.

The batches' losses of an ordinary training scatter, and single ones rise far above the rest; what
does not happen is that many in a row stand high.  A step's loss is high where it lies above the
median of the ``WINDOW`` calm ones before it by both

- half of what had been learned, ln(classes) − median: ln(classes) is the cross-entropy of a
  network that knows nothing (of smoothed and mixed labels too);
- seven deviations, 1.4826 times the median absolute deviation (the distance beyond which a loss
  counts as a spike in Walsh et al. 2025, "2 OLMo 2 Furious", section 3).

``LASTING`` high steps in a row are a spike.  In 90 trainings of 60 to 2,520 steps on digits, shapes
and CIFAR-10 no two stood high in a row.
"""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass, field

WINDOW = 50
"""Losses that the next one is compared with; before there are as many, none is high."""

LASTING = 10
"""High losses in a row that are a spike."""

LOST = 0.5
"""Share of what was learned by which a high loss is above the median."""

DEVIATIONS = 7.0


@dataclass(kw_only=True)
class Losses:
    """The last calm losses, oldest first, and how many high ones have followed without a break.

    A function of the steps' losses alone, and so the same after a resume.
    """

    calm: list[float] = field(default_factory=list[float])
    high: int = 0

    def wrong(self, loss: float, *, nothing: float) -> str | None:
        """Take in the next step's ``loss``; says what is wrong where it is not finite or ends a
        spike.

        ``nothing``: the loss of a network that knows nothing, ln(classes).
        """
        if not math.isfinite(loss):
            return f"the loss became {loss}"
        if len(self.calm) == WINDOW:
            median = statistics.median(self.calm)
            spread = 1.4826 * statistics.median(abs(calm - median) for calm in self.calm)
            if loss > median + max(LOST * (nothing - median), DEVIATIONS * spread):
                self.high += 1
                if self.high < LASTING:
                    return None
                return f"the loss rose from {median:.3g} to {loss:.3g} for {LASTING} steps"
        self.high = 0
        self.calm = [*self.calm, loss][-WINDOW:]
        return None
