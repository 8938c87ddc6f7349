"""Memory that is freed stays with the process inside, and goes to the system afterwards."""

from __future__ import annotations

import platform
import resource
import subprocess
import sys

import pytest

CODE = """
import resource, torch
from striate.training.heap import kept_heap

def faults(count):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(count):
        torch.ones(16 << 20)  # 64 MiB, freed at once
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()

outside = faults(4)
with kept_heap("cpu"):
    faults(3)  # where a small block lies in the way, the next large one goes elsewhere, once
    inside, held = faults(4), resident()
after = resident()
with kept_heap("cuda"):
    elsewhere = faults(4)
print(outside, inside, held - after, elsewhere)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a switch of glibc's")
def test_pages_are_asked_for_once() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, check=True, timeout=120
    )
    outside, inside, returned, elsewhere = map(int, done.stdout.split())
    pages = 4 * (64 << 20) // resource.getpagesize()
    assert outside > 0.9 * pages  # the system's own habit, without which the switch is not needed
    assert inside < 0.05 * pages
    assert returned > 60 << 20
    assert elsewhere > 0.9 * pages
