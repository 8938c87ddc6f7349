"""kill -9 anywhere, resume: the same weights, bit for bit, as the run that was left alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

DRIVER = Path(__file__).with_name("resume_driver.py")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork (not on Windows)")
@pytest.mark.parametrize(
    ("setting", "threads", "scenarios", "count"),
    [("bf16-channels-last", 1, "all", 17), ("fp32", 2, "brief", 3)],
)
def test_every_end_gives_the_same_bits(
    tmp_path: Path, setting: str, threads: int, scenarios: str, count: int
) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-W",
            "error",
            str(DRIVER),
            str(tmp_path),
            setting,
            str(threads),
            scenarios,
        ],
        env={**os.environ, "OMP_WAIT_POLICY": "PASSIVE"},  # idle threads leave the cores to others
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    whole = found["whole, 0 workers"]
    assert whole["steps"] == "47"  # a plan by minutes that ends inside the third epoch
    for name, digests in found.items():
        if digests != {"begun": "no"}:
            assert digests == whole, name
    assert len(found) == count
