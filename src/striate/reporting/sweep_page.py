"""A page about a sweep."""

from striate.records.sweep import SweepResult


def render_sweep(result: SweepResult) -> str:
    """One document."""
    return f"<!doctype html>{result.name}"
