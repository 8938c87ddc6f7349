"""Show what the rules say of well-known networks and ``warnings.toml`` does not, and the reverse.

    python tests/checking/golden/review.py [--only FAMILY …] [--all] [--say]

Nothing is written: a warning enters the file by hand, once someone has checked by arithmetic on
the trace that it is true.  ``--all`` shows reviewed warnings and ``info`` findings too, ``--say``
every message instead of the first of each kind.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[2] / "bench")]
from reviewed import Key, counted, expected, families, findings_of, folded  # noqa: E402 # by path

from striate.records import Finding  # noqa: E402 # behind the line that needs the path


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--only", nargs="+", metavar="FAMILY", default=list(families()))
    asked.add_argument("--all", action="store_true")
    asked.add_argument("--say", action="store_true")
    options = asked.parse_args()
    names = [name for family in options.only for name in families()[family]]
    known = expected(names)
    seen: Counter[Key] = Counter()
    loud: Counter[str] = Counter()
    for name in names:
        findings = findings_of(name)
        loud.update(f"{finding.severity} {finding.code}" for finding in findings)
        counts = counted(name, [one for one in findings if one.severity != "info"])
        seen.update(counts)
        new = {key for key in counts if counts[key] != known[key]}
        shown = [
            one for one in findings if options.all or (name, one.code, folded(one.path)) in new
        ]
        show(name, shown, say=options.say)
    for name, code, path in sorted(known - seen):
        sys.stdout.write(f"{name} {code} {path}: reviewed, and not found (any more, or as often)\n")
    sums = ", ".join(f"{kind} ×{number}" for kind, number in sorted(loud.items()))
    sys.stderr.write(f"{len(names)} networks: {sums}\n")
    return int(seen != known)


def show(name: str, findings: list[Finding], *, say: bool) -> None:
    """One line a rule and folded path, with its count and its first message (or all of them)."""
    groups: dict[tuple[str, str, str], list[Finding]] = {}
    for finding in findings:
        key = (finding.severity, finding.code, folded(finding.path))
        groups.setdefault(key, []).append(finding)
    for (severity, code, path), group in groups.items():
        sys.stdout.write(f"{name} {severity} {code} {path} ×{len(group)}\n")
        for finding in group if say else group[:1]:
            sys.stdout.write(f"    {finding.path}: {finding.message}\n")


if __name__ == "__main__":
    sys.exit(main())
