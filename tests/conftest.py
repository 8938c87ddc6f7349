"""What all tests share.  Nothing here computes an expected value."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# One thread a test process: the suite runs its processes side by side.
os.environ.setdefault("OMP_NUM_THREADS", "1")

SHARED = Path(os.environ.get("STRIATE_SHARED", Path(__file__).resolve().parents[2] / "shared"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with published facts and real images; tests that need it skip without it."""
    if not (SHARED / "facts").is_dir():
        pytest.skip(f"needs the shared folder ({SHARED}); name another with STRIATE_SHARED=DIR")
    return SHARED


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the user's own cache (probe results) out of the tests, and the tests out of it."""
    monkeypatch.setenv("STRIATE_CACHE", str(tmp_path_factory.mktemp("cache")))
