"""Findings as SARIF 2.1.0, the exchange format of static analysis (OASIS, 2020)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from striate._version import __version__
from striate.checking import explain, rules
from striate.flow.check_baseline import line_text
from striate.flow.check_types import Checked
from striate.records import Finding

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
_LEVELS = {"error": "error", "warning": "warning", "info": "note"}


def sarif(checked: Sequence[Checked]) -> dict[str, Any]:
    """One run: every rule, every finding, and a notification for each target that is broken."""
    codes = [rule.code for rule in rules()]
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "striate",
                        "semanticVersion": __version__,
                        "rules": [_rule(code) for code in codes],
                    }
                },
                "invocations": [
                    {
                        "executionSuccessful": all(one.error is None for one in checked),
                        "toolExecutionNotifications": [
                            {"level": "error", "message": {"text": one.error}}
                            for one in checked
                            if one.error is not None
                        ],
                    }
                ],
                "columnKind": "unicodeCodePoints",
                "results": [
                    _result(finding, one.target, codes.index(finding.code))
                    for one in checked
                    for finding in one.findings
                ],
            }
        ],
    }


def _rule(code: str) -> dict[str, Any]:
    rule = next(rule for rule in rules() if rule.code == code)
    text = explain(code)
    finds = text.partition("## What it finds")[2].strip().split("\n\n")[0].replace("\n", " ")
    return {
        "id": code,
        "name": "".join(word.capitalize() for word in rule.name.split("-")),
        "shortDescription": {"text": rule.name.replace("-", " ")},
        "fullDescription": {"text": finds},
        "help": {"text": text, "markdown": text},
        "defaultConfiguration": {"level": _LEVELS[rule.severity], "enabled": not rule.opt_in},
    }


def _result(finding: Finding, target: str, index: int) -> dict[str, Any]:
    location: dict[str, Any] = {
        "logicalLocations": [
            {"fullyQualifiedName": f"{target}::{finding.path}", "name": finding.path or target}
        ]
    }
    place = finding.defined or finding.source
    if place is not None:
        file, _, line = place.rpartition(":")
        location["physicalLocation"] = {
            "artifactLocation": _artifact(file),
            "region": {"startLine": int(line)},
        }
    said = finding.message if finding.fix is None else f"{finding.message} Mend: {finding.fix}"
    return {
        "ruleId": finding.code,
        "ruleIndex": index,
        "level": _LEVELS[finding.severity],
        "message": {"text": said},
        "locations": [location],
        "partialFingerprints": {"striate/v1": _fingerprint(finding, target)},
        "properties": {
            "target": target,
            "path": finding.path,
            "price": finding.price.as_json(),
            "measured": dict(finding.measured),
        },
    }


def _artifact(file: str) -> dict[str, str]:
    path = Path(file)
    if path.is_absolute():
        return {"uri": path.as_uri()}
    return {"uri": quote(path.as_posix()), "uriBaseId": "%SRCROOT%"}


def _fingerprint(finding: Finding, target: str) -> str:
    """What makes it the same finding after the file has changed around it."""
    facts = (target, finding.code, finding.path, line_text(finding.defined))
    return hashlib.blake2b(repr(facts).encode(), digest_size=16).hexdigest()
