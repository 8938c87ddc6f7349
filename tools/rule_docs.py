"""Write ``docs/reference/rules/`` from the rules; with ``--check``, say if it is stale."""

from __future__ import annotations

import sys

from _generated import ROOT, finish
from striate.checking import index_page, rule_page, rules
from striate.checking.docs import page_name

FOLDER = ROOT / "docs" / "reference" / "rules"


def main() -> int:
    pages = {FOLDER / page_name(rule): rule_page(rule) for rule in rules()}
    return finish({FOLDER / "index.md": index_page(), **pages}, folders=(FOLDER,))


if __name__ == "__main__":
    sys.exit(main())
