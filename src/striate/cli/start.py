"""Where the program starts: before the first import that takes time, so that Ctrl-C is heard."""

from __future__ import annotations

import sys


def run() -> None:
    """Run the program and exit, with 130 where it is stopped before it has read its arguments."""
    try:
        from striate.cli.main import run as started

        started()
    except KeyboardInterrupt:
        sys.stderr.write("interrupted: stopped before it began\n")
        sys.exit(130)
