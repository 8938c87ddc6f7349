"""``striate lr``: its document, its table, and what it refuses."""

from __future__ import annotations

import json

import pytest

from striate.cli.main import outcome

QUICK = ["lr", "digits", "--arch", "lenet5", "--image", "1x28x28", "--threads", "1"]


def test_document_and_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert outcome([*QUICK, "--steps", "20", "--batch", "16", "--json"]) == 0
    printed = capsys.readouterr()
    document = json.loads(printed.out)
    assert next(iter(document)) == "striate"
    assert document["network"] == "lenet5"
    assert document["batch_size"] == 16
    assert len(document["points"]) <= 20
    assert "smoothed" in printed.err
    assert "tenth of the rate" in document["rule"]
    assert ("--lr" in printed.err) == (document["suggestion"] is not None)


def test_too_few_steps(capsys: pytest.CaptureFixture[str]) -> None:
    assert outcome([*QUICK, "--steps", "5"]) == 2
    assert capsys.readouterr().err == "error: --steps 5: must be at least 20\n"
