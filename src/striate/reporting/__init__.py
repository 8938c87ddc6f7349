"""One HTML page about one run: self-contained, opened from disk, asking nothing of any network.

Comes in: ``ReportInput``, records and plain values.  Goes out: the page as a string.
May import: records, errors, numpy, Pillow, altair, vl-convert; never torch, and no other room.
"""

from striate.reporting.inputs import DataFacts, ReportInput, RunFacts
from striate.reporting.page import render_report

__all__ = ["DataFacts", "ReportInput", "RunFacts", "render_report"]
