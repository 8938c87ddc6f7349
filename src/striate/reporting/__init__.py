"""HTML pages about one run or one traced network: self-contained, asking nothing of any network.

Comes in: ``ReportInput``, records and plain values.  Goes out: a page as a string.
May import: records, errors, numpy, Pillow, altair, vl-convert; never torch, and no other room.
"""

from striate.reporting.inputs import DataFacts, ReportInput, RunFacts
from striate.reporting.page import render_report
from striate.reporting.runs_page import render_runs
from striate.reporting.sweep_page import render_sweep
from striate.reporting.trace_page import render_trace

__all__ = [
    "DataFacts",
    "ReportInput",
    "RunFacts",
    "render_report",
    "render_runs",
    "render_sweep",
    "render_trace",
]
