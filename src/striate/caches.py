"""Where what can be had again is kept between runs of the program.

Comes in: the name of what is kept.  Goes out: its folder.  May import: the standard library.
"""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder(of: str) -> Path:
    """``$STRIATE_CACHE/of``, else ``$XDG_CACHE_HOME/striate/of``, else ``~/.cache/striate/of``.

    It need not exist, and may be deleted at any time.
    """
    own = os.environ.get("STRIATE_CACHE")
    if own:
        return Path(own) / of
    shared = os.environ.get("XDG_CACHE_HOME")
    return (Path(shared) if shared else Path.home() / ".cache") / "striate" / of
